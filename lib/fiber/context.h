/* Where a thread of execution stands: switching between stacks. */
#ifndef LCORE_FIBER_CONTEXT_H
#define LCORE_FIBER_CONTEXT_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define LCORE_CONTEXT_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define LCORE_CONTEXT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LCORE_CONTEXT_ASAN 1
#elif __has_feature(thread_sanitizer)
#define LCORE_CONTEXT_TSAN 1
#endif
#endif

#if !defined(LCORE_CONTEXT_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define LCORE_CONTEXT_UCONTEXT 1
#endif

#ifdef LCORE_CONTEXT_UCONTEXT
#include <ucontext.h>
#endif

/* The memory is the caller's; zero-initialised it stands for the thread's own stack. */
struct lc_context {
#ifdef LCORE_CONTEXT_UCONTEXT
    ucontext_t saved;
#else
    void *stack_pointer;
#endif
#ifdef LCORE_CONTEXT_ASAN
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_size;
#endif
#ifdef LCORE_CONTEXT_TSAN
    void *shadow; /* what ThreadSanitizer knows about this stack */
#endif
};

/* The first switch to the context calls entry(), which never returns, on the stack of `size` bytes from `bottom` up. */
void lc__context_make(struct lc_context *context, void *bottom, size_t size, void (*entry)(void));
/* Before the stack of a context that was made goes; nobody may stand in it. */
void lc__context_fini(struct lc_context *context);
/* The first thing entry() does; `from` is the context the switch came from. */
void lc__context_entered(struct lc_context *from);
/* Saves where the caller stands in `from` and goes on at `to`; returns when somebody switches back to `from`. The
 * signal mask is not switched (with ucontext it is). */
void lc__context_switch(struct lc_context *from, struct lc_context *to);

#endif

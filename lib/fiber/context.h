/* Where a thread of execution stands: switching between stacks. */
#ifndef LCORE_FIBER_CONTEXT_H
#define LCORE_FIBER_CONTEXT_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define LCORE_CONTEXT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LCORE_CONTEXT_ASAN 1
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
};

/* The first switch to the context calls entry(), which never returns, on the stack of `size` bytes from `bottom` up. */
void lc__context_make(struct lc_context *context, void *bottom, size_t size, void (*entry)(void));
/* The first thing entry() does; `from` is the context the switch came from. */
void lc__context_entered(struct lc_context *from);
/* Saves where the caller stands in `from` and goes on at `to`; returns when somebody switches back to `from`. The
 * signal mask is not switched (with ucontext it is). */
void lc__context_switch(struct lc_context *from, struct lc_context *to);

#endif

#include "fiber/context.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#ifdef LCORE_CONTEXT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LCORE_CONTEXT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifndef LCORE_CONTEXT_UCONTEXT

/* Saves the callee-saved registers on the running stack, keeps its pointer in *from, and takes over *to. */
void lc__context_jump(void **from, void *to) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
/* System V AMD64 ABI 3.2.3: rbx, rbp, r12-r15, the control bits of mxcsr and the x87 control word survive a call. */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden lc__context_jump\n"
        ".globl lc__context_jump\n"
        ".type lc__context_jump, @function\n"
        "lc__context_jump:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    retq\n"
        "    .cfi_endproc\n"
        ".size lc__context_jump, . - lc__context_jump\n");

static void *
stack_prepare(void *top, void (*entry)(void))
{
    uint32_t mxcsr;
    uint16_t x87_control;
    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(x87_control));
    /* ABI 3.2.2: 8 bytes below a multiple of 16 at the entry. From the top down: nowhere for entry() to return to,
     * entry(), six registers, the control words. */
    uint64_t *frame = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15) - 9;
    memset(frame, 0, 9 * sizeof(uint64_t));
    frame[0] = mxcsr | (uint64_t)x87_control << 32;
    frame[7] = (uint64_t)(uintptr_t)entry;
    return frame;
}
#else
/* AAPCS64 6.1: x19-x28, the frame pointer x29, the link register x30 and the low halves of v8-v15 survive a call. */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden lc__context_jump\n"
        ".globl lc__context_jump\n"
        ".type lc__context_jump, %function\n"
        "lc__context_jump:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x2, sp\n"
        "    str x2, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size lc__context_jump, . - lc__context_jump\n");

static void *
stack_prepare(void *top, void (*entry)(void))
{
    uint64_t *frame = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15) - 20;
    memset(frame, 0, 20 * sizeof(uint64_t));
    frame[11] = (uint64_t)(uintptr_t)entry; /* x30 */
    return frame;
}
#endif
#endif

void
lc__context_make(struct lc_context *context, void *bottom, size_t size, void (*entry)(void))
{
    memset(context, 0, sizeof(*context));
#ifdef LCORE_CONTEXT_UCONTEXT
    /* Cannot fail with valid arguments: it only stores the present context. */
    getcontext(&context->saved);
    context->saved.uc_stack.ss_sp = bottom;
    context->saved.uc_stack.ss_size = size;
    context->saved.uc_link = NULL;
    makecontext(&context->saved, entry, 0);
#else
    context->stack_pointer = stack_prepare((char *)bottom + size, entry);
#endif
#ifdef LCORE_CONTEXT_ASAN
    context->stack_bottom = bottom;
    context->stack_size = size;
#endif
#ifdef LCORE_CONTEXT_TSAN
    context->shadow = __tsan_create_fiber(0);
#endif
}

void
lc__context_fini(struct lc_context *context)
{
#ifdef LCORE_CONTEXT_TSAN
    __tsan_destroy_fiber(context->shadow);
#else
    (void)context;
#endif
}

void
lc__context_entered(struct lc_context *from)
{
#ifdef LCORE_CONTEXT_ASAN
    /* Tells the bounds of the stack we came from, which for the thread's own is the only way to learn them. */
    __sanitizer_finish_switch_fiber(NULL, &from->stack_bottom, &from->stack_size);
#else
    (void)from;
#endif
}

void
lc__context_switch(struct lc_context *from, struct lc_context *to)
{
#ifdef LCORE_CONTEXT_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_bottom, to->stack_size);
#endif
#ifdef LCORE_CONTEXT_TSAN
    from->shadow = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->shadow, 0);
#endif
#ifdef LCORE_CONTEXT_UCONTEXT
    int err = swapcontext(&from->saved, &to->saved);
    assert(err == 0);
    (void)err;
#else
    lc__context_jump(&from->stack_pointer, to->stack_pointer);
#endif
#ifdef LCORE_CONTEXT_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

#include "fiber/stack.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "locustcore/error.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#define MIN_BYTES 16384

static size_t
page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t
lc__stack_round(size_t bytes)
{
    size_t page = page_bytes();
    size_t wanted = bytes < MIN_BYTES ? MIN_BYTES : bytes;
    return wanted > SIZE_MAX / 2 ? SIZE_MAX : (wanted + page - 1) / page * page;
}

int
lc__stack_init(struct lc_stack *stack, size_t size)
{
    size_t guard = page_bytes();
    if (size > SIZE_MAX - guard) {
        return LCE_NOMEM;
    }
    char *memory = mmap(NULL, size + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return LCE_NOMEM;
    }
    if (mprotect(memory + guard, size, PROT_READ | PROT_WRITE) < 0) {
        munmap(memory, size + guard);
        return LCE_NOMEM;
    }
    stack->bottom = memory + guard;
    stack->size = size;
    stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->bottom, stack->bottom + size);
    return 0;
}

void
lc__stack_fini(struct lc_stack *stack)
{
    if (stack->bottom != NULL) {
        VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
        munmap(stack->bottom - page_bytes(), stack->size + page_bytes());
        stack->bottom = NULL;
    }
}

// Stacks between which a host thread switches, so that a device thread can wait at a barrier.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

// Other processors, or a build that asks for it, use the portable and slower functions.
#if defined(__x86_64__) && !defined(EMULATOR_PORTABLE)
#define EMULATOR_SWITCH
#else
#include <ucontext.h>
#endif

// Point at which a suspended fiber continues.
struct Continuation {
#if defined(EMULATOR_SWITCH)
    void* stack = nullptr;
#else
    ucontext_t context;
#endif
};

#if defined(EMULATOR_SWITCH)
// Saves the registers that a callee must preserve on the current stack and loads those of another.
// Unlike swapcontext this makes no system call, which would take longer than most kernels. It ends
// with a jump, since the processor predicts that a return goes back to the caller.
extern "C" void emulated_switch(void** from, void* to);
extern "C" void emulated_fiber_start();
asm(R"(
    .text
    .globl emulated_switch
    .hidden emulated_switch
    .type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
    .size emulated_switch, .-emulated_switch
    .globl emulated_fiber_start
    .hidden emulated_fiber_start
    .type emulated_fiber_start, @function
emulated_fiber_start:
    movq %rbx, %rdi
    callq *%r12
    ud2
    .size emulated_fiber_start, .-emulated_fiber_start
)");
#endif

inline void switch_to(Continuation& from, Continuation& to) {
#if defined(EMULATOR_SWITCH)
    emulated_switch(&from.stack, to.stack);
#else
    swapcontext(&from.context, &to.context);
#endif
}

// A stack on which a function that never returns is started by the first switch to it.
class Stack {
public:
    static constexpr size_t size = 512 * 1024;

    Stack(void (*function)(void*), void* argument, Continuation& start) {
        // The system provides a page at its first access.
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        // The lowest page is a guard: a stack overflow must fault, not overwrite other memory.
        if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE) != 0) {
            std::fprintf(stderr, "emulator: no memory for the stack of a thread\n");
            std::abort();
        }
        // Stack tops at equal offsets in their pages would all map to the same few cache sets.
        static std::atomic<unsigned> count{0};
        size_t shift = count++ % 64 * 320;
        prepare(static_cast<char*>(memory), size - shift, function, argument, start);
    }

private:
#if defined(EMULATOR_SWITCH)
    static void prepare(char* memory, size_t size, void (*function)(void*), void* argument,
                        Continuation& start) {
        auto* top = reinterpret_cast<void**>(memory + size);
        *--top = nullptr;
        *--top = nullptr;
        *--top = reinterpret_cast<void*>(&emulated_fiber_start);
        *--top = nullptr;                               // rbp
        *--top = argument;                              // rbx
        *--top = reinterpret_cast<void*>(function);     // r12
        for (int k = 0; k < 3; ++k) *--top = nullptr;   // r13, r14, r15
        start.stack = top;
    }
#else
    static void enter(unsigned f1, unsigned f0, unsigned a1, unsigned a0) {
        auto function = reinterpret_cast<void (*)(void*)>(uint64_t(f1) << 32 | f0);
        function(reinterpret_cast<void*>(uint64_t(a1) << 32 | a0));
    }

    static void prepare(char* memory, size_t size, void (*function)(void*), void* argument,
                        Continuation& start) {
        getcontext(&start.context);
        start.context.uc_stack.ss_sp = memory;
        start.context.uc_stack.ss_size = size;
        start.context.uc_link = nullptr;
        auto f = reinterpret_cast<uint64_t>(function), a = reinterpret_cast<uint64_t>(argument);
        // The entry takes arguments of type int. A pointer is therefore passed in two halves.
        makecontext(&start.context, reinterpret_cast<void (*)()>(&enter), 4, unsigned(f >> 32),
                    unsigned(f), unsigned(a >> 32), unsigned(a));
    }
#endif
};

// Runs the blocks of a launch: the blocks on several host threads, the threads of a block one after
// another.
#pragma once

#include "fibers.h"
#include "types.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct Extent { unsigned x, y, z; };

// Layout as in threads.h: the kernels read and advance this.
struct EmulatedIndices {
    Extent thread, block, block_size, grid_size;
    unsigned next, total, reversed;
};
extern "C" {
__attribute__((tls_model("initial-exec"))) __thread EmulatedIndices emulated_indices = {};
}

// Description of a kernel by the library of its module.
struct Function {
    std::string name;
    void (*run)(void**);
    unsigned bound, count;
    const unsigned* sizes;
};

// A kernel with copies of its arguments, so that a graph can store it.
class Launch {
public:
    Function function;
    Extent grid, block;

    Launch(const Function& function, Extent grid, Extent block, void** values)
        : function(function), grid(grid), block(block) {
        for (unsigned k = 0; k < function.count; ++k) {
            size_t units = (function.sizes[k] + sizeof(Unit) - 1) / sizeof(Unit);
            arguments.emplace_back(new Unit[units]);
            std::memcpy(arguments.back().get(), values[k], function.sizes[k]);
        }
    }

    void** values() {
        pointers.clear();
        for (auto& argument : arguments) pointers.push_back(argument.get());
        return pointers.data();
    }

    uint64_t blocks() const { return uint64_t(grid.x) * grid.y * grid.z; }
    unsigned threads() const { return block.x * block.y * block.z; }

private:
    struct alignas(32) Unit { unsigned char bytes[32]; };
    std::vector<std::unique_ptr<Unit[]>> arguments;
    std::vector<void*> pointers;
};

class Worker;

// A stack on which threads of a block run one after another, until one of them waits at a barrier.
struct Fiber {
    Worker* worker;
    Continuation continuation;
    Extent thread;
    std::unique_ptr<Stack> stack;
};

// Runs the blocks of one host thread.
class Worker {
public:
    // Threads run on one fiber, one after another as in a loop. When a thread waits at a barrier, the
    // next threads run on another fiber. Finished threads count as arrived at every barrier.
    void run_block(const Function& function, void** values) {
        run = function.run;
        arguments = values;
        active() = this;
        do {
            enter(take());
        } while (emulated_indices.next < emulated_indices.total);
        while (!waiting.empty()) {
            // All threads have arrived at the barrier. Each continues to the next barrier, where it
            // switches to the fiber after it.
            resumed.swap(waiting);
            waiting.clear();
            following = 0;
            while (Fiber* fiber = resume()) enter(fiber);
        }
        resumed.clear();
        following = 0;
        active() = nullptr;
    }

    // Barrier: the current thread waits until all others have arrived.
    void wait() {
        Fiber* fiber = current;
        fiber->thread = emulated_indices.thread;
        waiting.push_back(fiber);
        Fiber* next = resume();
        switch_to(fiber->continuation, next ? next->continuation : home);
    }

    // The worker of the calling host thread. Not inlined: the address of a thread-local variable must
    // be computed anew after a switch of stacks.
    static __attribute__((noinline)) Worker*& active() {
        static thread_local Worker* worker = nullptr;
        return worker;
    }

private:
    void (*run)(void**) = nullptr;
    void** arguments = nullptr;
    Continuation home;
    Fiber* current = nullptr;
    std::vector<Fiber*> idle, waiting, resumed;
    // Number of the resumed fibers that have already continued.
    size_t following = 0;

    // Selects the next fiber that can continue as the current one; null if there is none.
    Fiber* resume() {
        if (following == resumed.size()) return nullptr;
        current = resumed[following++];
        emulated_indices.thread = current->thread;
        return current;
    }

    void enter(Fiber* fiber) {
        current = fiber;
        switch_to(home, fiber->continuation);
    }

    // Returns an idle or new fiber. Fibers outlive the launch and are reused by the next one.
    Fiber* take() {
        if (idle.empty()) {
            auto* fiber = new Fiber;
            fiber->worker = this;
            fiber->stack.reset(new Stack(&Worker::body, fiber, fiber->continuation));
            return fiber;
        }
        Fiber* fiber = idle.back();
        idle.pop_back();
        return fiber;
    }

    static void body(void* pointer) {
        auto* fiber = static_cast<Fiber*>(pointer);
        Worker* worker = fiber->worker;
        for (;;) {
            worker->run(worker->arguments);
            worker->idle.push_back(fiber);
            switch_to(fiber->continuation, worker->home);
        }
    }
};

extern "C" __attribute__((visibility("default"))) void emulated_barrier() {
    Worker::active()->wait();
}

// The host threads. They run one launch at a time, together with the calling host thread.
class Blocks {
public:
    bool reversed = false;

    void read_environment() {
        const char* order = std::getenv("EMULATED_ORDER");
        reversed = order && std::strcmp(order, "reversed") == 0;
        const char* threads = std::getenv("EMULATED_THREADS");
        unsigned count = threads ? std::atoi(threads) : std::thread::hardware_concurrency();
        allowed = std::max(1u, std::min(count, most));
    }

    void run(Launch& launch) {
        job = {&launch, launch.values()};
        next = 0;
        // For a small launch, waking the other host threads takes longer than the work.
        bool alone = reversed || allowed == 1 || launch.blocks() < 2 ||
                     launch.blocks() * launch.threads() < 1024;
        if (alone) {
            take_part(0);
            return;
        }
        start_helpers();
        {
            std::lock_guard<std::mutex> lock(mutex);
            busy = allowed - 1;
            ++generation;
        }
        wake.notify_all();
        take_part(0);
        std::unique_lock<std::mutex> lock(mutex);
        done.wait(lock, [&] { return busy == 0; });
    }

private:
    static constexpr unsigned most = 4;
    struct Job { Launch* launch; void** values; };
    Job job{};
    std::atomic<uint64_t> next{0};
    unsigned allowed = 1, helpers = 0, busy = 0;
    uint64_t generation = 0;
    std::mutex mutex;
    std::condition_variable wake, done;
    Worker workers[most];

    void start_helpers() {
        // Host threads wait until the process ends. If fewer are allowed than before, the surplus
        // ones stay asleep.
        for (; helpers < allowed - 1; ++helpers)
            std::thread(&Blocks::help, this, helpers + 1, generation).detach();
    }

    void help(unsigned number, uint64_t seen) {
        for (;;) {
            std::unique_lock<std::mutex> lock(mutex);
            wake.wait(lock, [&] { return generation != seen; });
            seen = generation;
            if (number >= allowed) continue;
            lock.unlock();
            take_part(number);
            lock.lock();
            if (--busy == 0) done.notify_all();
        }
    }

    void take_part(unsigned number) {
        const Launch& launch = *job.launch;
        uint64_t blocks = launch.blocks();
        EmulatedIndices& at = emulated_indices;
        at.block_size = launch.block;
        at.grid_size = launch.grid;
        at.total = launch.threads();
        at.reversed = reversed;
        for (uint64_t k; (k = next.fetch_add(1)) < blocks;) {
            uint64_t index = reversed ? blocks - 1 - k : k;
            at.block = {unsigned(index % launch.grid.x),
                        unsigned(index / launch.grid.x % launch.grid.y),
                        unsigned(index / launch.grid.x / launch.grid.y)};
            at.next = 0;
            workers[number].run_block(launch.function, job.values);
        }
    }
};

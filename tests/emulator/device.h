// State of the emulated device, and helpers of all entry points.
#pragma once

#include "blocks.h"
#include "memory.h"
#include "streams.h"

#include <dlfcn.h>

#define API extern "C" __attribute__((visibility("default"))) CUresult

struct Context {};

struct Module {
    void* library;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

// State of the device. It is never destroyed, since helper threads can outlive main.
struct Device {
    std::mutex mutex;
    bool initialised = false;
    unsigned retained = 0;
    Context primary;
    Memory memory;
    Blocks blocks;
    Streams streams;
    Handles<Module> modules;
    std::set<Function*> functions;
};

inline Device& device() {
    static Device& instance = *new Device;
    return instance;
}

inline thread_local Context* current = nullptr;

// Runs a call; calls from several host threads are serialised.
template <class F> CUresult initialised(F function) {
    std::lock_guard<std::mutex> lock(device().mutex);
    return device().initialised ? function(device()) : CUDA_ERROR_NOT_INITIALIZED;
}

// Runs a call that needs a current context.
template <class F> CUresult within(F function) {
    return initialised([&](Device& d) {
        return current && d.retained ? function(d) : CUDA_ERROR_INVALID_CONTEXT;
    });
}

// Runs a call that needs a context and cannot be captured.
template <class F> CUresult immediately(F function) {
    return within([&](Device& d) {
        CUresult result = d.streams.outside_capture();
        return result == CUDA_SUCCESS ? function(d) : result;
    });
}

// Stores a result unless the pointer is null, which is an error.
template <class P, class T> CUresult give(P* place, T value) {
    if (!place) return CUDA_ERROR_INVALID_VALUE;
    *place = value;
    return CUDA_SUCCESS;
}

inline CUresult report(bool success, CUresult error) { return success ? CUDA_SUCCESS : error; }

// The state of the emulated device, and what all entry points have in common.
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

// Everything there is to know about the device. Never destroyed: helper threads may outlive main.
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

// Calls from several host threads are taken one at a time.
template <class F> CUresult initialised(F function) {
    std::lock_guard<std::mutex> lock(device().mutex);
    return device().initialised ? function(device()) : CUDA_ERROR_NOT_INITIALIZED;
}

// For calls that need a current context.
template <class F> CUresult within(F function) {
    return initialised([&](Device& d) {
        return current && d.retained ? function(d) : CUDA_ERROR_INVALID_CONTEXT;
    });
}

// For calls that need a context and cannot be captured.
template <class F> CUresult immediately(F function) {
    return within([&](Device& d) {
        CUresult result = d.streams.outside_capture();
        return result == CUDA_SUCCESS ? function(d) : result;
    });
}

// Stores a result if there is a place for it.
template <class P, class T> CUresult give(P* place, T value) {
    if (!place) return CUDA_ERROR_INVALID_VALUE;
    *place = value;
    return CUDA_SUCCESS;
}

inline CUresult report(bool success, CUresult error) { return success ? CUDA_SUCCESS : error; }

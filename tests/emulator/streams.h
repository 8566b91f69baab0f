// Streams, events and graphs. Work is done at once when it is submitted, unless its stream is
// capturing.
#pragma once

#include "types.h"

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

typedef std::function<CUresult()> Operation;

enum CaptureMode { CAPTURE_GLOBAL = 0, CAPTURE_THREAD_LOCAL = 1, CAPTURE_RELAXED = 2 };
enum CaptureStatus { CAPTURE_NONE = 0, CAPTURE_ACTIVE = 1, CAPTURE_INVALIDATED = 2 };

struct Graph { std::vector<Operation> operations; };
struct Executable { std::vector<Operation> operations; };

struct Stream {
    CaptureStatus status = CAPTURE_NONE;
    CaptureMode mode = CAPTURE_GLOBAL;
    std::thread::id thread;
    std::vector<Operation> captured;
};

struct Event {
    enum State { NEW, RECORDED, CAPTURED } state = NEW;
    bool timed = true;
    Stream* stream = nullptr;
    std::chrono::steady_clock::time_point time;
};

// The live objects of a type. A handle is the address of its object, and is checked at every use.
template <class T> class Handles {
public:
    T* add(T* object) {
        objects.insert(object);
        return object;
    }
    bool has(T* object) const { return objects.count(object) != 0; }
    bool remove(T* object) {
        if (objects.erase(object) == 0) return false;
        delete object;
        return true;
    }
    const std::set<T*>& all() const { return objects; }

private:
    std::set<T*> objects;
};

class Streams {
public:
    Handles<Stream> streams;
    Handles<Event> events;
    Handles<Graph> graphs;
    Handles<Executable> executables;

    // The stream of a handle; 0, 1 and 2 denote the default stream. Null for an invalid handle.
    Stream* find(void* handle) {
        if (reinterpret_cast<uintptr_t>(handle) <= 2) return &standard;
        auto* stream = static_cast<Stream*>(handle);
        return streams.has(stream) ? stream : nullptr;
    }

    bool is_default(const Stream* stream) const { return stream == &standard; }

    CUresult submit(void* handle, Operation operation) {
        Stream* stream = find(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (stream->status == CAPTURE_NONE) return operation();
        if (stream->status == CAPTURE_INVALIDATED) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        stream->captured.push_back(std::move(operation));
        return CUDA_SUCCESS;
    }

    // Check for calls that are illegal while this thread captures, or while another one captures in
    // the global mode. As on a device, such a call invalidates the capture.
    CUresult outside_capture() {
        CUresult result = CUDA_SUCCESS;
        for (Stream* stream : streams.all()) {
            if (stream->status == CAPTURE_NONE) continue;
            bool own = stream->thread == std::this_thread::get_id();
            bool forbidden = own ? stream->mode != CAPTURE_RELAXED : stream->mode == CAPTURE_GLOBAL;
            if (!forbidden) continue;
            stream->status = CAPTURE_INVALIDATED;
            result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        return result;
    }

    // Check for calls on a stream that must not be capturing.
    CUresult not_capturing(void* handle) {
        Stream* stream = find(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (stream->status == CAPTURE_NONE) return CUDA_SUCCESS;
        stream->status = CAPTURE_INVALIDATED;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }

    CUresult begin_capture(void* handle, int mode) {
        Stream* stream = find(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
        if (is_default(stream)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        if (stream->status != CAPTURE_NONE) return CUDA_ERROR_ILLEGAL_STATE;
        stream->status = CAPTURE_ACTIVE;
        stream->mode = CaptureMode(mode);
        stream->thread = std::this_thread::get_id();
        stream->captured.clear();
        return CUDA_SUCCESS;
    }

    CUresult end_capture(void* handle, Graph** graph) {
        *graph = nullptr;
        Stream* stream = find(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (stream->status == CAPTURE_NONE) return CUDA_ERROR_ILLEGAL_STATE;
        if (stream->mode != CAPTURE_RELAXED && stream->thread != std::this_thread::get_id())
            return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
        bool spoiled = stream->status == CAPTURE_INVALIDATED;
        std::vector<Operation> operations = std::move(stream->captured);
        stream->status = CAPTURE_NONE;
        stream->captured.clear();
        if (spoiled) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        *graph = graphs.add(new Graph{std::move(operations)});
        return CUDA_SUCCESS;
    }

    CUresult launch(Executable* executable, void* handle) {
        if (!executables.has(executable)) return CUDA_ERROR_INVALID_HANDLE;
        for (const Operation& operation : executable->operations) {
            CUresult result = submit(handle, operation);
            if (result != CUDA_SUCCESS) return result;
        }
        return CUDA_SUCCESS;
    }

    CUresult record(Event* event, void* handle) {
        Stream* stream = find(handle);
        if (!stream || !events.has(event)) return CUDA_ERROR_INVALID_HANDLE;
        if (stream->status == CAPTURE_INVALIDATED) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        event->state = stream->status == CAPTURE_NONE ? Event::RECORDED : Event::CAPTURED;
        event->stream = stream;
        event->time = std::chrono::steady_clock::now();
        return CUDA_SUCCESS;
    }

    // All work is done in order of submission, so that no wait is needed. Captures that join several
    // streams are not emulated and are refused.
    CUresult wait(void* handle, Event* event) {
        Stream* stream = find(handle);
        if (!stream || !events.has(event)) return CUDA_ERROR_INVALID_HANDLE;
        bool capturing = stream->status != CAPTURE_NONE;
        if (event->state == Event::NEW) return CUDA_SUCCESS;
        bool captured = event->state == Event::CAPTURED;
        if (captured == capturing && (!captured || event->stream == stream)) return CUDA_SUCCESS;
        if (capturing) stream->status = CAPTURE_INVALIDATED;
        return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }

private:
    Stream standard;
};

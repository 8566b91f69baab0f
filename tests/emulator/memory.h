// Device memory: ordinary memory that is counted, filled with NaNs and enclosed by guard zones.
#pragma once

#include "types.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

class Memory {
public:
    size_t total = size_t(4) << 30;
    size_t used = 0;
    // Name of the latest kernel, for the message about an overwritten guard.
    std::string last_kernel = "none";

    void read_environment() {
        const char* bytes = std::getenv("EMULATED_MEMORY");
        if (bytes && *bytes) total = std::strtoull(bytes, nullptr, 10);
    }

    CUresult allocate(size_t bytes, CUdeviceptr* pointer) {
        if (bytes > total - std::min(used, total)) return CUDA_ERROR_OUT_OF_MEMORY;
        size_t size = (guard + bytes + guard + alignment - 1) / alignment * alignment;
        auto* start = static_cast<unsigned char*>(std::aligned_alloc(alignment, size));
        if (!start) return CUDA_ERROR_OUT_OF_MEMORY;
        paint(start, 0, guard);
        // NaNs reveal results that depend on uninitialised memory.
        std::memset(start + guard, 0xff, bytes);
        paint(start, guard + bytes, size);
        used += bytes;
        *pointer = reinterpret_cast<CUdeviceptr>(start + guard);
        buffers[*pointer] = {start, bytes, size};
        return CUDA_SUCCESS;
    }

    CUresult release(CUdeviceptr pointer) {
        if (pointer == 0) return CUDA_SUCCESS;
        auto found = buffers.find(pointer);
        if (found == buffers.end()) return CUDA_ERROR_INVALID_VALUE;
        check(found->second);
        used -= found->second.bytes;
        std::free(found->second.start);
        buffers.erase(found);
        return CUDA_SUCCESS;
    }

    void release_all() {
        while (!buffers.empty()) release(buffers.begin()->first);
    }

    // Variables of a module. They can be copied to and from, but belong to its library.
    void add_variable(CUdeviceptr pointer, size_t bytes) { variables[pointer] = bytes; }

    bool contains(CUdeviceptr pointer, size_t bytes) const {
        if (bytes == 0) return true;
        auto buffer = buffers.upper_bound(pointer);
        if (buffer != buffers.begin()) {
            --buffer;
            size_t offset = pointer - buffer->first;
            if (offset <= buffer->second.bytes && bytes <= buffer->second.bytes - offset)
                return true;
        }
        auto variable = variables.upper_bound(pointer);
        if (variable == variables.begin()) return false;
        --variable;
        size_t offset = pointer - variable->first;
        return offset <= variable->second && bytes <= variable->second - offset;
    }

    void check_all() const {
        for (const auto& entry : buffers) check(entry.second);
    }

private:
    struct Buffer {
        unsigned char* start;
        size_t bytes, size;
    };
    static constexpr size_t guard = 256, alignment = 256;
    std::map<CUdeviceptr, Buffer> buffers;
    std::map<CUdeviceptr, size_t> variables;

    // Guards read as NaNs too, in single and in double precision, but differ from those in fresh
    // memory.
    static unsigned char pattern(size_t k) { return k % 2 ? 0xff : 0xf5; }

    static void paint(unsigned char* start, size_t from, size_t to) {
        for (size_t k = from; k < to; ++k) start[k] = pattern(k);
    }

    void check(const Buffer& buffer) const {
        for (size_t k = 0; k < guard; ++k)
            if (buffer.start[k] != pattern(k)) broken(buffer, long(k) - long(guard));
        for (size_t k = guard + buffer.bytes; k < buffer.size; ++k)
            if (buffer.start[k] != pattern(k)) broken(buffer, long(k - guard));
    }

    [[noreturn]] void broken(const Buffer& buffer, long offset) const {
        std::fprintf(stderr,
                     "emulator: write outside a buffer of %zu bytes, at offset %ld "
                     "(kernel started last: %s)\n",
                     buffer.bytes, offset, last_kernel.c_str());
        std::abort();
    }
};

// An emulated device behind the binary interface of the CUDA driver, for machines without a GPU.
//
// The functions below are those that the `cudarc` crate calls for contexts, memory, modules,
// streams, events and graphs of one device. Kernels come from the `libnvrtc.so` next to this
// library: they are host code, see `threads.h` and `blocks.h`.
//
// The commands below build the libraries. The dynamic loader finds them if LD_LIBRARY_PATH of the
// process contains DIRECTORY.
//
//     g++ -O2 -std=c++17 -fPIC -shared -pthread driver.cpp -o DIRECTORY/libcuda.so -ldl
//     g++ -O2 -std=c++17 -fPIC -shared -pthread nvrtc.cpp -o DIRECTORY/libnvrtc.so -ldl
//     cp threads.h DIRECTORY
//
// Environment variables:
//
//     EMULATED_MEMORY   size of the memory of the device in bytes, 4 GiB unless given
//     EMULATED_ORDER    `reversed`: one host thread takes blocks and threads in reversed order
//     EMULATED_THREADS  number of host threads, at most 4
//     EMULATED_CHECKS   if set, guard zones are checked after each kernel
//     CXX               compiler for kernels
#include "device.h"
#include "work.h"

// Initialisation, device and context.

API cuInit(unsigned) {
    Device& d = device();
    std::lock_guard<std::mutex> lock(d.mutex);
    if (!d.initialised) {
        // Kernels refer to the indices and the barrier, so this library must be visible to them.
        Dl_info self;
        if (!dladdr(reinterpret_cast<void*>(&cuInit), &self) ||
            !dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL | RTLD_NODELETE))
            return CUDA_ERROR_UNKNOWN;
    }
    d.initialised = true;
    d.memory.read_environment();
    d.blocks.read_environment();
    return CUDA_SUCCESS;
}

API cuDriverGetVersion(int* version) { return give(version, 12080); }

API cuGetErrorName(int code, const char** name) {
    CUresult result = give(name, result_name(code));
    return report(result == CUDA_SUCCESS && *name, CUDA_ERROR_INVALID_VALUE);
}

API cuGetErrorString(int code, const char** text) {
    CUresult result = give(text, result_text(code));
    return report(result == CUDA_SUCCESS && *text, CUDA_ERROR_INVALID_VALUE);
}

API cuDeviceGetCount(int* count) {
    return initialised([&](Device&) { return give(count, 1); });
}

API cuDeviceGet(CUdevice* id, int ordinal) {
    return initialised([&](Device&) {
        return ordinal == 0 ? give(id, 0) : CUDA_ERROR_INVALID_DEVICE;
    });
}

API cuDeviceGetName(char* name, int length, CUdevice id) {
    if (id != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (!name || length < 1) return CUDA_ERROR_INVALID_VALUE;
    std::snprintf(name, length, "Emulated device");
    return CUDA_SUCCESS;
}

API cuDeviceGetUuid(char* uuid, CUdevice id) {
    if (id != 0) return CUDA_ERROR_INVALID_DEVICE;
    std::memcpy(uuid, "emulated device", 16);
    return CUDA_SUCCESS;
}

API cuDeviceGetUuid_v2(char* uuid, CUdevice id) { return cuDeviceGetUuid(uuid, id); }

API cuDeviceTotalMem_v2(size_t* bytes, CUdevice id) {
    return initialised([&](Device& d) {
        return id == 0 ? give(bytes, d.memory.total) : CUDA_ERROR_INVALID_DEVICE;
    });
}

API cuDeviceGetAttribute(int* value, int key, CUdevice id) {
    if (id != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (key < 1 || key > attribute_count) return CUDA_ERROR_INVALID_VALUE;
    return give(value, device_attribute(key));
}

API cuDevicePrimaryCtxRetain(Context** context, CUdevice id) {
    return initialised([&](Device& d) {
        if (id != 0) return CUDA_ERROR_INVALID_DEVICE;
        ++d.retained;
        return give(context, &d.primary);
    });
}

API cuDevicePrimaryCtxRelease_v2(CUdevice id) {
    return initialised([&](Device& d) {
        if (id != 0) return CUDA_ERROR_INVALID_DEVICE;
        if (d.retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
        d.memory.check_all();
        if (--d.retained == 0) d.memory.release_all();
        return CUDA_SUCCESS;
    });
}

API cuCtxDestroy_v2(Context*) {
    return within([](Device& d) {
        d.memory.check_all();
        return CUDA_SUCCESS;
    });
}

API cuCtxSetCurrent(Context* context) {
    return initialised([&](Device& d) {
        if (context && context != &d.primary) return CUDA_ERROR_INVALID_CONTEXT;
        current = context;
        return CUDA_SUCCESS;
    });
}

API cuCtxGetCurrent(Context** context) {
    return initialised([&](Device&) { return give(context, current); });
}

API cuCtxSynchronize() {
    return immediately([](Device& d) {
        d.memory.check_all();
        return CUDA_SUCCESS;
    });
}

API cuCtxSetFlags(unsigned) { return CUDA_SUCCESS; }
API cuCtxSetLimit(int, size_t) { return CUDA_SUCCESS; }
API cuCtxGetLimit(size_t* value, int) { return give(value, Stack::size); }
API cuCtxSetCacheConfig(int) { return CUDA_SUCCESS; }
API cuCtxGetCacheConfig(int* config) { return give(config, 0); }
API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = 0;
    return CUDA_SUCCESS;
}

// Memory.

API cuMemAlloc_v2(CUdeviceptr* pointer, size_t bytes) {
    return immediately([&](Device& d) {
        if (!pointer || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        return d.memory.allocate(bytes, pointer);
    });
}

API cuMemAllocManaged(CUdeviceptr* pointer, size_t bytes, unsigned) {
    return cuMemAlloc_v2(pointer, bytes);
}

// Allocations in graphs are not emulated. They are refused while the stream is capturing.
API cuMemAllocAsync(CUdeviceptr* pointer, size_t bytes, void* stream) {
    return within([&](Device& d) {
        CUresult result = d.streams.not_capturing(stream);
        if (result != CUDA_SUCCESS) return result;
        if (!pointer) return CUDA_ERROR_INVALID_VALUE;
        return bytes == 0 ? give(pointer, 0) : d.memory.allocate(bytes, pointer);
    });
}

API cuMemFree_v2(CUdeviceptr pointer) {
    return immediately([&](Device& d) { return d.memory.release(pointer); });
}

API cuMemFreeAsync(CUdeviceptr pointer, void* stream) {
    return within([&](Device& d) {
        CUresult result = d.streams.not_capturing(stream);
        return result == CUDA_SUCCESS ? d.memory.release(pointer) : result;
    });
}

API cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    return immediately([&](Device&) {
        CUresult result = give(pointer, std::malloc(bytes ? bytes : 1));
        return result != CUDA_SUCCESS || *pointer ? result : CUDA_ERROR_OUT_OF_MEMORY;
    });
}

API cuMemFreeHost(void* pointer) {
    std::free(pointer);
    return CUDA_SUCCESS;
}

API cuMemGetInfo_v2(size_t* free, size_t* total) {
    return within([&](Device& d) {
        if (!free || !total) return CUDA_ERROR_INVALID_VALUE;
        *total = d.memory.total;
        *free = *total - std::min(*total, d.memory.used);
        return CUDA_SUCCESS;
    });
}

API cuDeviceGetDefaultMemPool(void** pool, CUdevice) { return give(pool, &device().memory); }
API cuDeviceGetMemPool(void** pool, CUdevice) { return give(pool, &device().memory); }
API cuMemPoolTrimTo(void*, size_t) { return CUDA_SUCCESS; }
API cuMemPoolSetAttribute(void*, int, void*) { return CUDA_SUCCESS; }

// Copies and fills. The range is checked when the work is submitted, and again when it is done, since
// a graph may be replayed after its buffers were freed.

template <class F>
static Operation checked(CUdeviceptr pointer, size_t bytes, F work) {
    return [=] {
        if (!device().memory.contains(pointer, bytes)) return CUDA_ERROR_ILLEGAL_ADDRESS;
        if (bytes) work();
        return CUDA_SUCCESS;
    };
}

static void* at(CUdeviceptr pointer) { return reinterpret_cast<void*>(pointer); }

static Operation fill(CUdeviceptr to, unsigned char value, size_t bytes) {
    return checked(to, bytes, [=] { std::memset(at(to), value, bytes); });
}
static Operation copy_in(CUdeviceptr to, const void* from, size_t bytes) {
    return checked(to, bytes, [=] { std::memcpy(at(to), from, bytes); });
}
static Operation copy_out(void* to, CUdeviceptr from, size_t bytes) {
    return checked(from, bytes, [=] { std::memcpy(to, at(from), bytes); });
}
static Operation copy_over(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return [=] {
        return checked(from, bytes, [] {})() == CUDA_SUCCESS
                   ? checked(to, bytes, [=] { std::memmove(at(to), at(from), bytes); })()
                   : CUDA_ERROR_ILLEGAL_ADDRESS;
    };
}

static CUresult now(CUdeviceptr pointer, size_t bytes, Operation operation) {
    return immediately([&](Device& d) {
        if (!d.memory.contains(pointer, bytes)) return CUDA_ERROR_INVALID_VALUE;
        return operation();
    });
}

static CUresult later(CUdeviceptr pointer, size_t bytes, void* stream, Operation operation) {
    return within([&](Device& d) {
        if (!d.memory.contains(pointer, bytes)) return CUDA_ERROR_INVALID_VALUE;
        return d.streams.submit(stream, operation);
    });
}

API cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t n) {
    return now(to, n, fill(to, value, n));
}
API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t n, void* stream) {
    return later(to, n, stream, fill(to, value, n));
}
API cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t n) {
    return now(to, n, copy_in(to, from, n));
}
API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t n, void* stream) {
    return later(to, n, stream, copy_in(to, from, n));
}
API cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t n) {
    return now(from, n, copy_out(to, from, n));
}
API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t n, void* stream) {
    return later(from, n, stream, copy_out(to, from, n));
}
API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) {
    CUresult source = now(from, n, [] { return CUDA_SUCCESS; });
    return source == CUDA_SUCCESS ? now(to, n, copy_over(to, from, n)) : source;
}
API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, void* stream) {
    return within([&](Device& d) {
        bool known = d.memory.contains(to, n) && d.memory.contains(from, n);
        if (!known) return CUDA_ERROR_INVALID_VALUE;
        return d.streams.submit(stream, copy_over(to, from, n));
    });
}
API cuMemcpyPeerAsync(CUdeviceptr to, Context*, CUdeviceptr from, Context*, size_t n,
                      void* stream) {
    return cuMemcpyDtoDAsync_v2(to, from, n, stream);
}

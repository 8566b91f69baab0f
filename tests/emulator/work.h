// Entry points for modules, kernels, streams, events and graphs. Part of driver.cpp, the only file
// that includes it: the library is one translation unit, and one command builds it.
#pragma once

#include "device.h"

#include <elf.h>
#include <fstream>
#include <iterator>
#include <link.h>

// Modules.

// First line of an image from `libnvrtc.so`; the second line is the path of a library.
constexpr char module_mark[] = "// emulated device code\n";

static CUresult open_module(Device& d, Module** module, const char* image) {
    if (!module || !image) return CUDA_ERROR_INVALID_VALUE;
    size_t length = sizeof(module_mark) - 1;
    if (std::strncmp(image, module_mark, length) != 0) return CUDA_ERROR_INVALID_PTX;
    std::string path(image + length);
    path.resize(std::min(path.size(), path.find('\n')));
    // Never closed, since a graph may still refer to one of its kernels.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        std::fprintf(stderr, "emulator: %s\n", dlerror());
        return CUDA_ERROR_FILE_NOT_FOUND;
    }
    *module = d.modules.add(new Module{library, {}});
    return CUDA_SUCCESS;
}

API cuModuleLoadData(Module** module, const void* image) {
    return immediately([&](Device& d) {
        return open_module(d, module, static_cast<const char*>(image));
    });
}

API cuModuleLoad(Module** module, const char* path) {
    return immediately([&](Device& d) {
        std::ifstream file(path);
        if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
        std::string image{std::istreambuf_iterator<char>(file), {}};
        return open_module(d, module, image.c_str());
    });
}

API cuModuleUnload(Module* module) {
    return within([&](Device& d) {
        if (!d.modules.has(module)) return CUDA_ERROR_INVALID_HANDLE;
        for (auto& entry : module->functions) d.functions.erase(entry.second.get());
        d.modules.remove(module);
        return CUDA_SUCCESS;
    });
}

API cuModuleGetFunction(Function** function, Module* module, const char* name) {
    return within([&](Device& d) {
        if (!function || !name) return CUDA_ERROR_INVALID_VALUE;
        if (!d.modules.has(module)) return CUDA_ERROR_INVALID_HANDLE;
        std::unique_ptr<Function>& slot = module->functions[name];
        if (!slot) {
            std::string stem = name;
            void* run = dlsym(module->library, (stem + "__emulated").c_str());
            void* sizes = dlsym(module->library, (stem + "__sizes").c_str());
            if (!run || !sizes) return CUDA_ERROR_NOT_FOUND;
            auto* numbers = static_cast<const unsigned*>(sizes);
            slot.reset(new Function{stem, reinterpret_cast<void (*)(void**)>(run), numbers[0],
                                    numbers[1], numbers + 2});
            d.functions.insert(slot.get());
        }
        *function = slot.get();
        return CUDA_SUCCESS;
    });
}

API cuModuleGetGlobal_v2(CUdeviceptr* pointer, size_t* bytes, Module* module, const char* name) {
    return within([&](Device& d) {
        if (!d.modules.has(module)) return CUDA_ERROR_INVALID_HANDLE;
        void* variable = name ? dlsym(module->library, name) : nullptr;
        // Only the symbol table of the library contains the size of a variable.
        ElfW(Sym)* symbol = nullptr;
        Dl_info info;
        if (!variable || !dladdr1(variable, &info, reinterpret_cast<void**>(&symbol),
                                  RTLD_DL_SYMENT) || !symbol)
            return CUDA_ERROR_NOT_FOUND;
        d.memory.add_variable(reinterpret_cast<CUdeviceptr>(variable), symbol->st_size);
        if (bytes) *bytes = symbol->st_size;
        if (pointer) *pointer = reinterpret_cast<CUdeviceptr>(variable);
        return CUDA_SUCCESS;
    });
}

// Kernels.

static bool valid(const Function& function, Extent grid, Extent block, unsigned shared) {
    uint64_t threads = uint64_t(block.x) * block.y * block.z;
    if (grid.x < 1 || grid.y < 1 || grid.z < 1 || threads < 1) return false;
    if (grid.x > unsigned(device_attribute(5)) || grid.y > unsigned(device_attribute(6)) ||
        grid.z > unsigned(device_attribute(7)))
        return false;
    if (block.x > unsigned(device_attribute(2)) || block.y > unsigned(device_attribute(3)) ||
        block.z > unsigned(device_attribute(4)))
        return false;
    unsigned most = function.bound ? function.bound : device_attribute(1);
    return threads <= most && shared <= unsigned(device_attribute(8));
}

static CUresult start(const std::shared_ptr<Launch>& launch) {
    Device& d = device();
    d.memory.last_kernel = launch->function.name;
    d.blocks.run(*launch);
    static const bool always = std::getenv("EMULATED_CHECKS") != nullptr;
    if (always) d.memory.check_all();
    return CUDA_SUCCESS;
}

API cuLaunchKernel(Function* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                   unsigned by, unsigned bz, unsigned shared, void* stream, void** values,
                   void** extra) {
    return within([&](Device& d) {
        if (!d.functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
        Extent grid{gx, gy, gz}, block{bx, by, bz};
        if (extra || !valid(*function, grid, block, shared)) return CUDA_ERROR_INVALID_VALUE;
        if (function->count && !values) return CUDA_ERROR_INVALID_VALUE;
        for (unsigned k = 0; k < function->count; ++k)
            if (!values[k]) return CUDA_ERROR_INVALID_VALUE;
        auto launch = std::make_shared<Launch>(*function, grid, block, values);
        return d.streams.submit(stream, [launch] { return start(launch); });
    });
}

API cuFuncGetAttribute(int* value, int key, Function* function) {
    return within([&](Device& d) {
        if (!d.functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
        if (key == 0) return give(value, int(function->bound ? function->bound : 1024));
        // Attributes 5 and 6 are the versions of the code: that of the compute capability. Others
        // are not emulated.
        return give(value, key == 5 || key == 6 ? 90 : 0);
    });
}

API cuFuncSetAttribute(Function*, int, int) { return CUDA_SUCCESS; }
API cuFuncSetCacheConfig(Function*, int) { return CUDA_SUCCESS; }

API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, Function*, int threads,
                                                         size_t, unsigned) {
    if (threads < 1 || threads > 1024) return CUDA_ERROR_INVALID_VALUE;
    return give(blocks, std::min(32, 2048 / threads));
}

API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function* function, int threads,
                                                size_t shared) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared,
                                                                0);
}

API cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, Function* function, void*,
                                              size_t, int limit, unsigned) {
    int threads = function && function->bound ? int(function->bound) : 1024;
    if (limit > 0) threads = std::min(threads, limit);
    CUresult result = give(block, threads);
    return result == CUDA_SUCCESS ? give(grid, 4 * (2048 / threads)) : result;
}

API cuOccupancyMaxPotentialBlockSize(int* grid, int* block, Function* function, void* shared_of,
                                     size_t shared, int limit) {
    return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, shared_of, shared,
                                                     limit, 0);
}

// Streams.

API cuStreamCreateWithPriority(Stream** stream, unsigned, int) {
    return within([&](Device& d) {
        return stream ? give(stream, d.streams.streams.add(new Stream)) : CUDA_ERROR_INVALID_VALUE;
    });
}

API cuStreamCreate(Stream** stream, unsigned flags) {
    return cuStreamCreateWithPriority(stream, flags, 0);
}

API cuStreamDestroy_v2(Stream* stream) {
    return within([&](Device& d) {
        return report(d.streams.streams.remove(stream), CUDA_ERROR_INVALID_HANDLE);
    });
}

API cuStreamSynchronize(void* stream) {
    return within([&](Device& d) {
        CUresult result = d.streams.not_capturing(stream);
        if (result == CUDA_SUCCESS) d.memory.check_all();
        return result;
    });
}

API cuStreamQuery(void* stream) {
    return within([&](Device& d) { return d.streams.not_capturing(stream); });
}

API cuStreamWaitEvent(void* stream, Event* event, unsigned) {
    return within([&](Device& d) { return d.streams.wait(stream, event); });
}

API cuStreamBeginCapture_v2(void* stream, int mode) {
    return within([&](Device& d) { return d.streams.begin_capture(stream, mode); });
}

API cuStreamEndCapture(void* stream, Graph** graph) {
    return within([&](Device& d) {
        return graph ? d.streams.end_capture(stream, graph) : CUDA_ERROR_INVALID_VALUE;
    });
}

API cuStreamIsCapturing(void* handle, int* status) {
    return within([&](Device& d) {
        Stream* stream = d.streams.find(handle);
        return stream ? give(status, stream->status) : CUDA_ERROR_INVALID_HANDLE;
    });
}

// Events.

API cuEventCreate(Event** event, unsigned flags) {
    return within([&](Device& d) {
        if (!event) return CUDA_ERROR_INVALID_VALUE;
        *event = d.streams.events.add(new Event);
        (*event)->timed = !(flags & 2);
        return CUDA_SUCCESS;
    });
}

API cuEventDestroy_v2(Event* event) {
    return within([&](Device& d) {
        return report(d.streams.events.remove(event), CUDA_ERROR_INVALID_HANDLE);
    });
}

API cuEventRecord(Event* event, void* stream) {
    return within([&](Device& d) { return d.streams.record(event, stream); });
}

API cuEventQuery(Event* event) {
    return within([&](Device& d) {
        if (!d.streams.events.has(event)) return CUDA_ERROR_INVALID_HANDLE;
        return report(event->state != Event::CAPTURED, CUDA_ERROR_CAPTURED_EVENT);
    });
}

API cuEventSynchronize(Event* event) { return cuEventQuery(event); }

API cuEventElapsedTime(float* milliseconds, Event* from, Event* to) {
    return within([&](Device& d) {
        for (Event* event : {from, to}) {
            if (!d.streams.events.has(event) || !event->timed || event->state == Event::NEW)
                return CUDA_ERROR_INVALID_HANDLE;
            if (event->state == Event::CAPTURED) return CUDA_ERROR_CAPTURED_EVENT;
        }
        std::chrono::duration<float, std::milli> passed = to->time - from->time;
        return give(milliseconds, passed.count());
    });
}

API cuEventElapsedTime_v2(float* milliseconds, Event* from, Event* to) {
    return cuEventElapsedTime(milliseconds, from, to);
}

// Graphs.

API cuGraphInstantiateWithFlags(Executable** executable, Graph* graph, unsigned long long flags) {
    return within([&](Device& d) {
        if (!d.streams.graphs.has(graph)) return CUDA_ERROR_INVALID_HANDLE;
        if (!executable || flags > 15) return CUDA_ERROR_INVALID_VALUE;
        return give(executable, d.streams.executables.add(new Executable{graph->operations}));
    });
}

API cuGraphUpload(Executable* executable, void* stream) {
    return within([&](Device& d) {
        bool known = d.streams.executables.has(executable) && d.streams.find(stream);
        return report(known, CUDA_ERROR_INVALID_HANDLE);
    });
}

API cuGraphLaunch(Executable* executable, void* stream) {
    return within([&](Device& d) { return d.streams.launch(executable, stream); });
}

API cuGraphExecDestroy(Executable* executable) {
    return within([&](Device& d) {
        return report(d.streams.executables.remove(executable), CUDA_ERROR_INVALID_HANDLE);
    });
}

API cuGraphDestroy(Graph* graph) {
    return within([&](Device& d) {
        return report(d.streams.graphs.remove(graph), CUDA_ERROR_INVALID_HANDLE);
    });
}

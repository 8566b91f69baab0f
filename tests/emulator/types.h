// Emulated part of the driver's binary interface: result codes and attributes.
#pragma once

#include <cstddef>
#include <cstdint>

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;

// Name, value and description of each result code that the emulator returns.
#define EMULATOR_RESULTS(X)                                                                    \
    X(CUDA_SUCCESS, 0, "no error")                                                             \
    X(CUDA_ERROR_INVALID_VALUE, 1, "invalid argument")                                         \
    X(CUDA_ERROR_OUT_OF_MEMORY, 2, "out of memory")                                            \
    X(CUDA_ERROR_NOT_INITIALIZED, 3, "initialization error")                                   \
    X(CUDA_ERROR_INVALID_DEVICE, 101, "invalid device ordinal")                                \
    X(CUDA_ERROR_INVALID_CONTEXT, 201, "invalid device context")                               \
    X(CUDA_ERROR_INVALID_PTX, 218, "a PTX JIT compilation failed")                             \
    X(CUDA_ERROR_FILE_NOT_FOUND, 301, "file not found")                                        \
    X(CUDA_ERROR_INVALID_HANDLE, 400, "invalid resource handle")                               \
    X(CUDA_ERROR_ILLEGAL_STATE, 401, "the operation cannot be performed in the present state") \
    X(CUDA_ERROR_NOT_FOUND, 500, "named symbol not found")                                     \
    X(CUDA_ERROR_ILLEGAL_ADDRESS, 700, "an illegal memory access was encountered")             \
    X(CUDA_ERROR_LAUNCH_FAILED, 719, "unspecified launch failure")                             \
    X(CUDA_ERROR_NOT_SUPPORTED, 801, "operation not supported")                                \
    X(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, 900,                                              \
      "operation not permitted when stream is capturing")                                      \
    X(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 901,                                              \
      "operation failed due to a previous error during capture")                               \
    X(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, 905,                                                \
      "dependency created on uncaptured work in another stream")                               \
    X(CUDA_ERROR_CAPTURED_EVENT, 907,                                                          \
      "operation not permitted on an event last recorded in a capturing stream")               \
    X(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, 908,                                             \
      "attempt to terminate a thread-local capture sequence from another thread")              \
    X(CUDA_ERROR_UNKNOWN, 999, "unknown error")

enum CUresult {
#define EMULATOR_CODE(name, value, text) name = value,
    EMULATOR_RESULTS(EMULATOR_CODE)
#undef EMULATOR_CODE
};

inline const char* result_name(int code) {
    switch (code) {
#define EMULATOR_NAME(name, value, text)                                                       \
    case value: return #name;
        EMULATOR_RESULTS(EMULATOR_NAME)
#undef EMULATOR_NAME
    default: return nullptr;
    }
}

inline const char* result_text(int code) {
    switch (code) {
#define EMULATOR_TEXT(name, value, text)                                                       \
    case value: return text;
        EMULATOR_RESULTS(EMULATOR_TEXT)
#undef EMULATOR_TEXT
    default: return nullptr;
    }
}

struct Attribute { int key, value; };

// Attributes that are not in this list are reported as 0.
constexpr Attribute device_attributes[] = {
    {1, 1024},        // threads in a block
    {2, 1024},        // block size in x
    {3, 1024},        // block size in y
    {4, 64},          // block size in z
    {5, 2147483647},  // grid size in x
    {6, 65535},       // grid size in y
    {7, 65535},       // grid size in z
    {8, 49152},       // shared memory of a block
    {9, 65536},       // constant memory
    {10, 32},         // warp size
    {12, 65536},      // registers of a block
    {13, 1000000},    // clock rate, kHz
    {16, 4},          // multiprocessors
    {31, 1},          // concurrent kernels
    {36, 1000000},    // memory clock rate, kHz
    {37, 64},         // memory bus width, bits
    {38, 1 << 20},    // L2 cache
    {39, 2048},       // threads of a multiprocessor
    {40, 1},          // asynchronous engines
    {41, 1},          // unified addressing
    {75, 9},          // compute capability, major
    {76, 0},          // compute capability, minor
    {81, 49152},      // shared memory of a multiprocessor
    {82, 65536},      // registers of a multiprocessor
    {97, 49152},      // shared memory of a block, at most
    {106, 32},        // blocks of a multiprocessor
    {115, 1},         // memory pools
};

constexpr int attribute_count = 162;

constexpr int device_attribute(int key) {
    for (const Attribute& attribute : device_attributes)
        if (attribute.key == key) return attribute.value;
    return 0;
}

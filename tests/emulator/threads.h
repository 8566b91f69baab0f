// Prelude of the kernels for the emulated device: the keywords of CUDA, the indices of the running
// thread, barriers and mathematical functions.
//
// No other header is included, so that a program can define names such as `int64_t` or `min` as it
// can for a real device, and so that it compiles quickly.
#ifndef EMULATOR_THREADS_H
#define EMULATOR_THREADS_H

#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#ifndef __CUDA_ARCH__
#define __CUDA_ARCH__ 900
#endif

// The search for kernels looks at the preprocessed program, in which the keywords must remain.
#ifndef EMULATOR_SEARCH

typedef decltype(sizeof(0)) size_t;

#define __global__
#define __device__
#define __host__
#define __constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
// Blocks run one after another on a host thread, so that one copy per host thread suffices.
#define __shared__ static thread_local

#define EMULATOR_VECTORS(T, name, pair, quad)                                                  \
    struct __attribute__((aligned(pair))) name##2 { T x, y; };                                 \
    struct name##3 { T x, y, z; };                                                             \
    struct __attribute__((aligned(quad))) name##4 { T x, y, z, w; };                           \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                 \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                         \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATOR_VECTORS(int, int, 8, 16)
EMULATOR_VECTORS(unsigned, uint, 8, 16)
EMULATOR_VECTORS(float, float, 8, 16)
EMULATOR_VECTORS(double, double, 16, 16)
#undef EMULATOR_VECTORS

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// The driver holds one of these for each host thread; both sides must agree on the layout.
struct EmulatedIndices {
    uint3 thread, block, block_size, grid_size;
    unsigned next, total, reversed;
};
// In the static block of thread-local storage, since kernels read it all the time.
extern "C" __thread EmulatedIndices emulated_indices __attribute__((tls_model("initial-exec")));
extern "C" void emulated_barrier();

#define threadIdx (static_cast<const uint3&>(emulated_indices.thread))
#define blockIdx (static_cast<const uint3&>(emulated_indices.block))
#define blockDim (static_cast<const uint3&>(emulated_indices.block_size))
#define gridDim (static_cast<const uint3&>(emulated_indices.grid_size))
#define warpSize 32

inline void __syncthreads() { emulated_barrier(); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __threadfence(); }
inline void __trap() { __builtin_trap(); }
extern "C" int printf(const char*, ...);
#define assert(condition) ((condition) ? (void)0 : __builtin_trap())

namespace emulator {

// Makes the next thread of the block the current one; false when all have been started.
inline bool next_thread() {
    EmulatedIndices& at = emulated_indices;
    if (at.next == at.total) return false;
    unsigned k = at.reversed ? at.total - 1 - at.next : at.next;
    ++at.next;
    if (at.block_size.x == at.total) {
        at.thread = {k, 0, 0};
    } else {
        unsigned row = k / at.block_size.x;
        at.thread = {k % at.block_size.x, row % at.block_size.y, row / at.block_size.y};
    }
    return true;
}

template <unsigned N> struct Parameters { unsigned bound, count, size[N ? N : 1]; };

template <auto F> struct Kernel;
template <class... A, void (*F)(A...)> struct Kernel<F> {
    // Runs threads until none is left. If one of them waits at a barrier, the driver calls this
    // function again on another stack for the remaining ones.
    Kernel(A... arguments) {
        while (next_thread()) F(arguments...);
    }
    // Braces guarantee that the arguments are evaluated from left to right.
    static void run(void** values) { Kernel{*static_cast<A*>(*values++)...}; }
    static constexpr Parameters<sizeof...(A)> parameters(unsigned bound) {
        return {bound, unsigned(sizeof...(A)), {unsigned(sizeof(A))...}};
    }
};

template <class T> struct Integral {};
#define EMULATOR_INTEGRAL(T) template <> struct Integral<T> { typedef double real; };
EMULATOR_INTEGRAL(int) EMULATOR_INTEGRAL(unsigned)
EMULATOR_INTEGRAL(long) EMULATOR_INTEGRAL(unsigned long)
EMULATOR_INTEGRAL(long long) EMULATOR_INTEGRAL(unsigned long long)
#undef EMULATOR_INTEGRAL

template <class To, class From> inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "sizes differ");
    To to;
    __builtin_memcpy(&to, &from, sizeof(to));
    return to;
}

} // namespace emulator

// Mathematical functions, for double, float and (as double) integers.
#define EMULATOR_UNARY(name)                                                                   \
    inline double name(double x) { return __builtin_##name(x); }                               \
    inline float name(float x) { return __builtin_##name##f(x); }                              \
    inline float name##f(float x) { return __builtin_##name##f(x); }                           \
    template <class T> inline typename emulator::Integral<T>::real name(T x) {                 \
        return name(double(x));                                                                \
    }
#define EMULATOR_BINARY(name)                                                                  \
    inline double name(double x, double y) { return __builtin_##name(x, y); }                  \
    inline double name(double x, float y) { return __builtin_##name(x, y); }                   \
    inline double name(float x, double y) { return __builtin_##name(x, y); }                   \
    inline float name(float x, float y) { return __builtin_##name##f(x, y); }                  \
    inline float name##f(float x, float y) { return __builtin_##name##f(x, y); }               \
    template <class T> inline typename emulator::Integral<T>::real name(double x, T y) {       \
        return name(x, double(y));                                                             \
    }                                                                                          \
    template <class T> inline typename emulator::Integral<T>::real name(T x, double y) {       \
        return name(double(x), y);                                                             \
    }
EMULATOR_UNARY(sqrt) EMULATOR_UNARY(cbrt) EMULATOR_UNARY(fabs)
EMULATOR_UNARY(exp) EMULATOR_UNARY(exp2) EMULATOR_UNARY(expm1)
EMULATOR_UNARY(log) EMULATOR_UNARY(log2) EMULATOR_UNARY(log10) EMULATOR_UNARY(log1p)
EMULATOR_UNARY(sin) EMULATOR_UNARY(cos) EMULATOR_UNARY(tan)
EMULATOR_UNARY(asin) EMULATOR_UNARY(acos) EMULATOR_UNARY(atan)
EMULATOR_UNARY(sinh) EMULATOR_UNARY(cosh) EMULATOR_UNARY(tanh)
EMULATOR_UNARY(asinh) EMULATOR_UNARY(acosh) EMULATOR_UNARY(atanh)
EMULATOR_UNARY(floor) EMULATOR_UNARY(ceil) EMULATOR_UNARY(trunc)
EMULATOR_UNARY(round) EMULATOR_UNARY(rint) EMULATOR_UNARY(nearbyint)
EMULATOR_UNARY(erf) EMULATOR_UNARY(erfc) EMULATOR_UNARY(tgamma) EMULATOR_UNARY(lgamma)
EMULATOR_BINARY(pow) EMULATOR_BINARY(atan2) EMULATOR_BINARY(hypot)
EMULATOR_BINARY(fmin) EMULATOR_BINARY(fmax) EMULATOR_BINARY(fdim)
EMULATOR_BINARY(fmod) EMULATOR_BINARY(remainder) EMULATOR_BINARY(copysign)
EMULATOR_BINARY(nextafter)
#undef EMULATOR_UNARY
#undef EMULATOR_BINARY

#define EMULATOR_REAL(T, f)                                                                    \
    inline T fma##f(T x, T y, T z) { return __builtin_fma##f(x, y, z); }                       \
    inline T ldexp##f(T x, int e) { return __builtin_ldexp##f(x, e); }                         \
    inline T rsqrt##f(T x) { return T(1) / __builtin_sqrt##f(x); }                             \
    inline T frexp##f(T x, int* e) { return __builtin_frexp##f(x, e); }                        \
    inline T modf##f(T x, T* whole) { return __builtin_modf##f(x, whole); }                    \
    inline void sincos##f(T x, T* s, T* c) {                                                   \
        *s = __builtin_sin##f(x), *c = __builtin_cos##f(x);                                    \
    }                                                                                          \
    inline T abs(T x) { return __builtin_fabs##f(x); }                                         \
    inline bool isnan(T x) { return x != x; }                                                  \
    inline bool isinf(T x) { return __builtin_fabs##f(x) == __builtin_inf##f(); }              \
    inline bool isfinite(T x) { return __builtin_fabs##f(x) < __builtin_inf##f(); }            \
    inline bool signbit(T x) { return __builtin_signbit(x); }
EMULATOR_REAL(double, )
EMULATOR_REAL(float, f)
#undef EMULATOR_REAL
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float ldexp(float x, int e) { return __builtin_ldexpf(x, e); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline long abs(long x) { return x < 0 ? -x : x; }
inline long long abs(long long x) { return x < 0 ? -x : x; }

// As on the device, the result of a NaN and a number is the number.
#define EMULATOR_EXTREME(name, less)                                                           \
    template <class A, class B> inline decltype(true ? A() : B()) name(A a, B b) {             \
        decltype(true ? A() : B()) p = a, q = b;                                               \
        return q != q || p less q ? p : q;                                                     \
    }
EMULATOR_EXTREME(min, <)
EMULATOR_EXTREME(max, >)
#undef EMULATOR_EXTREME

#define EMULATOR_ROUNDED(T, prefix, f)                                                         \
    inline T __##prefix##add_rn(T x, T y) { return x + y; }                                    \
    inline T __##prefix##sub_rn(T x, T y) { return x - y; }                                    \
    inline T __##prefix##mul_rn(T x, T y) { return x * y; }                                    \
    inline T __##prefix##div_rn(T x, T y) { return x / y; }                                    \
    inline T __##prefix##rcp_rn(T x) { return T(1) / x; }                                      \
    inline T __##prefix##sqrt_rn(T x) { return __builtin_sqrt##f(x); }                         \
    inline T __fma##f##_rn(T x, T y, T z) { return __builtin_fma##f(x, y, z); }
EMULATOR_ROUNDED(double, d, )
EMULATOR_ROUNDED(float, f, f)
#undef EMULATOR_ROUNDED

template <class T> inline T __ldg(const T* at) { return *at; }
inline long long __double_as_longlong(double x) { return emulator::bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emulator::bits<double>(x); }
inline int __float_as_int(float x) { return emulator::bits<int>(x); }
inline float __int_as_float(int x) { return emulator::bits<float>(x); }
inline unsigned __float_as_uint(float x) { return emulator::bits<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return emulator::bits<float>(x); }
inline int __double2hiint(double x) { return int(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return int(__double_as_longlong(x)); }
inline double __hiloint2double(int hi, int lo) {
    return emulator::bits<double>((unsigned long long)(unsigned)hi << 32 | (unsigned)lo);
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

namespace emulator {
template <class T> struct Bits { typedef T type; };
template <> struct Bits<double> { typedef unsigned long long type; };
template <> struct Bits<float> { typedef unsigned type; };

// Replaces the value at an address by a function of it; returns the old one.
template <class T, class F> inline T exchange(T* at, F function) {
    typedef typename Bits<T>::type Word;
    Word* word = reinterpret_cast<Word*>(at);
    Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(word, &old, bits<Word>(T(function(bits<T>(old)))), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return bits<T>(old);
}
template <class T> struct Same { typedef T type; };
} // namespace emulator

#define EMULATOR_ATOMIC(name, value)                                                           \
    template <class T> inline T name(T* at, typename emulator::Same<T>::type b) {              \
        return emulator::exchange(at, [b](T a) { return value; });                             \
    }
EMULATOR_ATOMIC(atomicAdd, a + b)
EMULATOR_ATOMIC(atomicSub, a - b)
EMULATOR_ATOMIC(atomicMin, b < a ? b : a)
EMULATOR_ATOMIC(atomicMax, b > a ? b : a)
EMULATOR_ATOMIC(atomicAnd, a & b)
EMULATOR_ATOMIC(atomicOr, a | b)
EMULATOR_ATOMIC(atomicXor, a ^ b)
EMULATOR_ATOMIC(atomicExch, b)
#undef EMULATOR_ATOMIC
template <class T>
inline T atomicCAS(T* at, typename emulator::Same<T>::type expected,
                   typename emulator::Same<T>::type b) {
    return emulator::exchange(at, [=](T a) { return a == expected ? b : a; });
}

#endif // EMULATOR_SEARCH
#endif

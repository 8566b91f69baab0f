// Runtime compiler of the emulated device, behind the binary interface of NVRTC. It compiles a
// program to a library of host code with the C++ compiler of the machine.
//
// The libraries are cached next to this one under a hash of all their inputs, so that all processes
// together compile a program only once.
#include "kernels.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

enum nvrtcResult {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
};

struct Program {
    std::string text, name, image, log;
};

static bool read_file(const std::string& path, std::string& text) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return false;
    text.assign(std::istreambuf_iterator<char>(file), {});
    return true;
}

static bool write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    return bool(file);
}

static std::string quoted(const std::string& text) {
    std::string result = "'";
    for (char c : text) c == '\'' ? result += "'\\''" : result += c;
    return result + "'";
}

static std::string find_directory() {
    Dl_info self;
    if (!dladdr(reinterpret_cast<void*>(&find_directory), &self)) return ".";
    char* path = realpath(self.dli_fname, nullptr);
    std::string result = path ? path : self.dli_fname;
    std::free(path);
    return result.substr(0, result.find_last_of('/'));
}

// Directory of this library, of threads.h and of the cached programs. It is determined when the
// library is loaded, since its path may be relative to the working directory.
static const std::string directory = find_directory();

static std::string compiler() {
    const char* name = std::getenv("CXX");
    return name && *name ? name : "g++";
}

// FNV-1a hash of 128 bits, for which collisions can be neglected.
static std::string hash(const std::string& text) {
    unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
    unsigned __int128 value = (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
    for (unsigned char c : text) value = (value ^ c) * prime;
    char digits[33];
    std::snprintf(digits, sizeof digits, "%016llx%016llx", (unsigned long long)(value >> 64),
                  (unsigned long long)value);
    return digits;
}

// Runs a shell command and appends its output to the log.
static bool run(const std::string& command, std::string& log) {
    FILE* output = popen((command + " 2>&1").c_str(), "r");
    if (!output) return false;
    char part[4096];
    for (size_t n; (n = std::fread(part, 1, sizeof part, output)) > 0;) log.append(part, n);
    int status = pclose(output);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool starts_with(const std::string& text, const char* start) {
    return text.compare(0, std::strlen(start), start) == 0;
}

// Translates options for the C++ compiler. Options about floating point and registers are ignored.
// Returns false for an unknown option.
static bool translate(const std::vector<std::string>& options, std::string& flags) {
    static const char* const ignored[] = {
        "--fmad=", "-fmad=", "--ftz=", "-ftz=", "--prec-sqrt=", "-prec-sqrt=", "--prec-div=",
        "-prec-div=", "--maxrregcount=", "-maxrregcount=", "--use_fast_math", "-use_fast_math",
        "--extra-device-vectorization", "--std=", "-std=", "--device-debug", "-G",
        "--generate-line-info", "-lineinfo", "--device-as-default-execution-space",
        "-default-device", "--restrict", "-restrict", "--disable-warnings", "-w",
        "--ptxas-options", "--dopt", "-dopt", "--minimal", "-minimal", "--diag-suppress",
        "-diag-suppress"};
    static const char* const macros[] = {"--define-macro=", "-D"};
    static const char* const paths[] = {"--include-path=", "-I"};
    static const char* const targets[] = {"--gpu-architecture=", "-arch="};
    for (const std::string& option : options) {
        bool known = false;
        for (const char* start : ignored) known |= starts_with(option, start);
        for (const char* start : targets) {
            if (!starts_with(option, start)) continue;
            size_t digits = option.find_first_of("0123456789");
            if (digits == std::string::npos) return false;
            flags += " -D__CUDA_ARCH__=" + std::to_string(10 * std::atoi(&option[digits]));
            known = true;
        }
        for (const char* start : macros)
            if (!known && starts_with(option, start))
                flags += " -D" + quoted(option.substr(std::strlen(start))), known = true;
        for (const char* start : paths)
            if (!known && starts_with(option, start))
                flags += " -I" + quoted(option.substr(std::strlen(start))), known = true;
        if (!known) return false;
    }
    return true;
}

// Builds the library of a program. Intermediate files have unique names, and the library is renamed at
// the end, so that processes which compile the same program do not interfere.
static nvrtcResult build(Program& program, const std::string& flags, const std::string& library) {
    static std::atomic<unsigned> count{0};
    std::string stem = library + "." + std::to_string(getpid()) + "." + std::to_string(count++);
    std::string source = stem + ".cpp", object = stem + ".so";
    std::string text = "#include \"threads.h\"\n#line 1 \"" + program.name + "\"\n" +
                       program.text + "\n";
    std::string start = compiler() + " -x c++ -std=c++17 -I" + quoted(directory) + flags;
    bool success = write_file(source, text);
    if (success) {
        std::string preprocessed;
        success = run(start + " -w -E -P -DEMULATOR_SEARCH " + quoted(source), preprocessed);
        if (success)
            success = write_file(source, text + trampolines(find_kernels(preprocessed)));
        else
            program.log += preprocessed;
    }
    // -Bsymbolic: a symbol of the program must not be replaced by one of the C library.
    success = success && run(start + " -w -O2 -ffp-contract=off -fno-math-errno -fno-builtin -fPIC "
                                     "-fno-semantic-interposition -shared -Wl,-Bsymbolic " +
                                 quoted(source) + " -o " + quoted(object) + " -lm",
                             program.log);
    success = success && std::rename(object.c_str(), library.c_str()) == 0;
    std::remove(source.c_str());
    std::remove(object.c_str());
    return success ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}

static nvrtcResult compile(Program& program, const std::vector<std::string>& options) {
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    program.image.clear();
    program.log.clear();
    std::string flags, header;
    if (!translate(options, flags)) {
        program.log = "unrecognised option\n";
        return NVRTC_ERROR_INVALID_OPTION;
    }
    if (!read_file(directory + "/threads.h", header)) {
        program.log = "threads.h is not next to libnvrtc.so\n";
        return NVRTC_ERROR_INTERNAL_ERROR;
    }
    std::string key = hash(compiler() + '\0' + flags + '\0' + header + '\0' + program.name + '\0' +
                           program.text + '\0' + compiler_version);
    std::string library = directory + "/kernels-" + key + ".so";
    if (access(library.c_str(), R_OK) != 0) {
        nvrtcResult result = build(program, flags, library);
        if (result != NVRTC_SUCCESS) return result;
    }
    program.image = "// emulated device code\n" + library + "\n";
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcVersion(int* major, int* minor) {
    if (!major || !minor) return NVRTC_ERROR_INVALID_INPUT;
    *major = 12;
    *minor = 8;
    return NVRTC_SUCCESS;
}

API const char* nvrtcGetErrorString(int code) {
    switch (code) {
    case NVRTC_SUCCESS: return "NVRTC_SUCCESS";
    case NVRTC_ERROR_INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case NVRTC_ERROR_INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case NVRTC_ERROR_INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case NVRTC_ERROR_COMPILATION: return "NVRTC_ERROR_COMPILATION";
    case NVRTC_ERROR_INTERNAL_ERROR: return "NVRTC_ERROR_INTERNAL_ERROR";
    default: return "NVRTC_ERROR unknown";
    }
}

// Headers that are passed as text are not emulated.
API nvrtcResult nvrtcCreateProgram(Program** program, const char* text, const char* name,
                                   int headers, const char* const*, const char* const*) {
    if (!program || !text || headers != 0) return NVRTC_ERROR_INVALID_INPUT;
    *program = new Program{text, name && *name ? name : "default_program", "", ""};
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcDestroyProgram(Program** program) {
    if (!program || !*program) return NVRTC_ERROR_INVALID_PROGRAM;
    delete *program;
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    if (count < 0 || (count > 0 && !options)) return NVRTC_ERROR_INVALID_INPUT;
    return compile(*program, std::vector<std::string>(options, options + count));
}

static nvrtcResult size_of(const std::string& text, size_t* size) {
    if (!size) return NVRTC_ERROR_INVALID_INPUT;
    *size = text.size() + 1;
    return NVRTC_SUCCESS;
}

static nvrtcResult copy_of(const std::string& text, char* place) {
    if (!place) return NVRTC_ERROR_INVALID_INPUT;
    std::memcpy(place, text.c_str(), text.size() + 1);
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcGetProgramLogSize(Program* program, size_t* size) {
    return program ? size_of(program->log, size) : NVRTC_ERROR_INVALID_PROGRAM;
}

API nvrtcResult nvrtcGetProgramLog(Program* program, char* log) {
    return program ? copy_of(program->log, log) : NVRTC_ERROR_INVALID_PROGRAM;
}

API nvrtcResult nvrtcGetPTXSize(Program* program, size_t* size) {
    if (!program || program->image.empty()) return NVRTC_ERROR_INVALID_PROGRAM;
    return size_of(program->image, size);
}

API nvrtcResult nvrtcGetPTX(Program* program, char* image) {
    if (!program || program->image.empty()) return NVRTC_ERROR_INVALID_PROGRAM;
    return copy_of(program->image, image);
}

// The image also serves as machine code: the driver accepts it as PTX or as CUBIN.
API nvrtcResult nvrtcGetCUBINSize(Program* program, size_t* size) {
    return nvrtcGetPTXSize(program, size);
}

API nvrtcResult nvrtcGetCUBIN(Program* program, char* image) {
    return nvrtcGetPTX(program, image);
}

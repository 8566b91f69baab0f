// Finds the kernels of a program and generates the functions by which the driver calls them.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <vector>

// Version of the generated code. Raise it when the library of an unchanged program changes.
constexpr char compiler_version[] = "1";

struct KernelName {
    std::string name;
    // The first argument of __launch_bounds__, or 0.
    std::string bound;
};

// Tokens of a preprocessed text: words, numbers, strings and single characters.
inline std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> tokens;
    auto word = [](char c) { return std::isalnum((unsigned char)c) || c == '_'; };
    for (size_t k = 0; k < text.size();) {
        size_t end = k + 1;
        if (std::isspace((unsigned char)text[k])) {
            k = end;
            continue;
        }
        if (word(text[k])) {
            // An apostrophe between digits does not start a character.
            auto digits = [&](size_t at) {
                return std::isdigit((unsigned char)text[k]) && text[at] == '\'' &&
                       at + 1 < text.size() && word(text[at + 1]);
            };
            while (end < text.size() && (word(text[end]) || digits(end))) ++end;
        } else if (text[k] == '"' || text[k] == '\'') {
            while (end < text.size() && text[end] != text[k]) end += text[end] == '\\' ? 2 : 1;
            ++end;
        }
        tokens.push_back(text.substr(k, end - k));
        k = end;
    }
    return tokens;
}

// The text between the parenthesis at `at` and the comma or parenthesis that ends the first
// argument; `at` is moved past the closing parenthesis.
inline std::string first_argument(const std::vector<std::string>& tokens, size_t& at) {
    std::string argument;
    bool first = true;
    int depth = 0;
    for (; at < tokens.size(); ++at) {
        const std::string& token = tokens[at];
        if (token == ")" && --depth == 0) break;
        if (token == "," && depth == 1) first = false;
        if (depth > 0 && first) argument += token + " ";
        if (token == "(") ++depth;
    }
    ++at;
    return argument;
}

// Reads the declaration that follows `__global__`: optional launch bounds, and a name before a
// parenthesis. Leaves the name empty if there is none.
inline KernelName read_kernel(const std::vector<std::string>& tokens, size_t at) {
    KernelName kernel{"", "0"};
    while (at + 1 < tokens.size() && tokens[at] != ";" && tokens[at] != "{") {
        if (tokens[at] == "__launch_bounds__") {
            kernel.bound = first_argument(tokens, ++at);
        } else if (tokens[at + 1] == "(") {
            kernel.name = tokens[at];
            break;
        } else {
            ++at;
        }
    }
    return kernel;
}

// The kernels that a module finds by their name, as on a device: those with C linkage, which is
// declared either for the kernel itself or for an enclosing block.
inline std::vector<KernelName> find_kernels(const std::string& preprocessed) {
    std::vector<std::string> tokens = split(preprocessed);
    std::vector<KernelName> kernels;
    std::set<std::string> seen;
    // For each open brace, whether it belongs to a block of declarations with C linkage.
    std::vector<bool> braces;
    bool linkage = false;
    for (size_t k = 0; k < tokens.size(); ++k) {
        if (tokens[k] == "\"C\"" && k > 0 && tokens[k - 1] == "extern") {
            linkage = true;
        } else if (tokens[k] == "{") {
            braces.push_back(linkage && tokens[k - 1] == "\"C\"");
            linkage = false;
        } else if (tokens[k] == "}") {
            if (!braces.empty()) braces.pop_back();
            linkage = false;
        } else if (tokens[k] == ";") {
            linkage = false;
        } else if (tokens[k] == "__global__") {
            bool within = !braces.empty() && braces.back();
            KernelName kernel = read_kernel(tokens, k + 1);
            if ((linkage || within) && !kernel.name.empty() && seen.insert(kernel.name).second)
                kernels.push_back(kernel);
        }
    }
    return kernels;
}

// Generates for each kernel a function that takes pointers to the arguments, and a table of their
// sizes.
inline std::string trampolines(const std::vector<KernelName>& kernels) {
    std::string text = "#line 1 \"emulator\"\n";
    for (const KernelName& kernel : kernels) {
        std::string type = "emulator::Kernel<&" + kernel.name + ">";
        text += "extern \"C\" void " + kernel.name + "__emulated(void** values) { " + type +
                "::run(values); }\n";
        text += "extern \"C\" const auto " + kernel.name + "__sizes = " + type + "::parameters(" +
                kernel.bound + ");\n";
    }
    return text;
}

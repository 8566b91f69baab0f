#!/usr/bin/env bash
# Checks and measures the CUDA backend on a machine with an NVIDIA GPU, within 8 minutes, and prints a table for
# benches/RESULTS.md. Needs the driver, NVRTC (of a CUDA toolkit or of the wheel nvidia-cuda-nvrtc), and one of
#
#   cargo                       builds offline where a folder vendor/ is there
#   benches/prebuilt/           gpu: the bench; cuda-tests/: executables of tests. Takes precedence over cargo.
#
# Peers run where Python has CuPy, PyTorch, JAX or SciPy, and are skipped where not.
#
#   benches/gpu.sh              everything; exit 1 if a check or the bench failed, 3 without a GPU
#   benches/gpu.sh --pack DIR   on a machine with cargo: DIR for a machine that has none. There: cd DIR && benches/gpu.sh
#   benches/gpu.sh --dry        the peers alone, small and on the CPU, and the table of their lines
#
# PULLBACK_LIMIT   seconds for everything, 460            PULLBACK_NVRTC   folder with libnvrtc.so*
# PULLBACK_TESTS   tests to run, else those about CUDA    PULLBACK_OUT     folder for logs, out/gpu
# PULLBACK_SANITIZE  pattern of the tests' names that compute-sanitizer runs, "kernel|small"
# PYTHON           python3
#
# The bench prints, like the peers, lines "by,problem,cells along an axis,columns,iterations,seconds,seconds a
# column,residual"; by is pullback-cuda, pullback-cuda-single,
# pullback-cuda-corners, pullback-cuda-red-black (orders of the sweeps) or pullback-cpu; problems are adjoints, w2-laplacian, product,
# sweep, sweep-single, copy and what else it likes: sweeps that are launched kernel by kernel end in -launched, solves with
# columns that come from the memory of the processor in -to-and-fro. Whatever else it prints stays in its log.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=${PULLBACK_LIMIT:-460}
out=${PULLBACK_OUT:-out/gpu}
python=${PYTHON:-python3}
prebuilt=benches/prebuilt
failed=()
broken=0

part() { printf '\n== %s\n' "$1"; }
have() { command -v "$1" >/dev/null 2>&1; }
fail() {
    failed+=("$1")
    printf -- '-- FAILED: %s\n' "$1"
}

# Names of the programs with tests about CUDA: those of which a file speaks of it.
tests() {
    if [ -n "${PULLBACK_TESTS:-}" ]; then
        tr -s ' ' '\n' <<<"$PULLBACK_TESTS"
        return
    fi
    local program
    for program in tests/*/main.rs; do
        program=$(basename "$(dirname "$program")")
        if [ -n "$(modules "$program")" ]; then echo "$program"; fi
    done
}

# The modules of a program of tests that are about CUDA, as prefixes of the names of their tests.
modules() {
    local file
    grep -rli cuda "tests/$1" --include='*.rs' 2>/dev/null | sort | while read -r file; do
        file=${file#"tests/$1/"}
        file=${file%.rs}
        file=${file%/mod}
        if [ "$file" != main ]; then echo "${file//\//::}::"; fi
    done
}

# Runs cargo and prints the executables that it made; a build may take half of the time.
executables() {
    local offline=()
    if [ -d vendor ]; then
        offline=(--offline --config 'source.crates-io.replace-with="vendored-sources"'
            --config 'source.vendored-sources.directory="vendor"')
    fi
    timeout "$((limit / 2))" cargo "$1" --release --features cuda,internals --message-format=json-render-diagnostics \
        ${offline[@]+"${offline[@]}"} "${@:2}" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}

# Builds the bench and the tests into a folder.
build() {
    local to=$1 name path made arguments=()
    while read -r name; do
        if [ -n "$name" ]; then arguments+=(--test "$name"); fi
    done < <(tests)
    mkdir -p "$to/cuda-tests"
    made=$(executables build --bench gpu) || return 1
    cp "$made" "$to/gpu" || return 1
    # With those of the library, which hold every kernel against its twin.
    made=$(executables test --no-run --lib ${arguments[@]+"${arguments[@]}"}) || return 1
    while read -r path; do
        name=$(basename "$path")
        cp "$path" "$to/cuda-tests/${name%-*}" || return 1
    done <<<"$made"
}

pack() {
    local to=$1
    have cargo || { echo "packing needs cargo"; return 1; }
    mkdir -p "$to/benches/peers" "$to/$prebuilt"
    build "$to/$prebuilt" || { echo "the build failed"; return 1; }
    if have strip; then strip "$to/$prebuilt/gpu" "$to/$prebuilt"/cuda-tests/* || true; fi
    cp benches/gpu.sh "$to/benches/"
    cp benches/peers/problems.py benches/peers/gpu_* "$to/benches/peers/"
    # Tests read some of their sources and tables from where they run.
    cp -r src tests Cargo.toml "$to/"
    { git rev-parse --short HEAD 2>/dev/null || echo unknown; } >"$to/$prebuilt/commit"
    du -sh "$to"
    echo "there: cd $(basename "$to") && benches/gpu.sh"
}

# step NAME SECONDS COMMAND...: runs it with a log, within its time and what is left of the whole.
step() {
    local name=$1 most=$2 left=$((limit - SECONDS)) begin=$SECONDS status=0
    shift 2
    if [ "$left" -lt 5 ]; then
        fail "$name: no time was left"
        return 1
    fi
    if [ "$most" -gt "$left" ]; then most=$left; fi
    part "$name"
    timeout -k 5 "$most" "$@" 2>&1 </dev/null | tee "$out/${name// /-}.log" || status=${PIPESTATUS[0]}
    if [ "$status" -eq 0 ]; then
        echo "-- $((SECONDS - begin)) s"
    elif [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        fail "$name: stopped after $most s"
        return 1
    else
        fail "$name: exit status $status"
        return 1
    fi
}

# Prints a file of NVRTC.
nvrtc() {
    local folder file wheels=""
    if have "$python"; then
        wheels=$("$python" -c 'import glob, nvidia
for place in nvidia.__path__: print("\n".join(glob.glob(place + "/*/lib")))' 2>/dev/null || true)
    fi
    while read -r folder; do
        [ -n "$folder" ] || continue
        for file in "$folder"/libnvrtc.so*; do
            case $file in *alt*) continue ;; esac
            if [ -e "$file" ]; then
                echo "$file"
                return
            fi
        done
    done < <(printf '%s\n' "${PULLBACK_NVRTC:-}" "${CUDA_HOME:+$CUDA_HOME/lib64}" "${CUDA_PATH:+$CUDA_PATH/lib64}" \
        /usr/local/cuda/lib64 /usr/local/cuda-*/lib64 /usr/local/cuda*/targets/*/lib /usr/lib/*-linux-gnu "$wheels")
}

machine() {
    part "machine"
    uname -srm
    grep -m1 'model name' /proc/cpuinfo 2>/dev/null || true
    echo "$(nproc) cores"
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || true
    if have nvcc; then nvcc --version | grep release; else echo "no nvcc on the PATH"; fi
    local file
    file=$(nvrtc)
    if [ -z "$file" ]; then
        echo "NVRTC: not found; install a CUDA toolkit or the wheel nvidia-cuda-nvrtc, or set PULLBACK_NVRTC"
        return
    fi
    echo "NVRTC: $(basename "$(readlink -f "$file")")"
    "$python" - "$file" 2>/dev/null <<'PYTHON' || true
import ctypes, sys
major, minor = ctypes.c_int(), ctypes.c_int()
ctypes.CDLL(sys.argv[1]).nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
print(f"NVRTC says that it is {major.value}.{minor.value}")
PYTHON
    # Whatever its version, also by its plain name. Peers bring libraries of their own and do not get this path.
    ln -sf "$(readlink -f "$file")" "$scratch/libnvrtc.so"
    library_path=$scratch:$(dirname "$(readlink -f "$file")")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    if [ -d /usr/local/nvidia/lib64 ]; then library_path=$library_path:/usr/local/nvidia/lib64; fi
}

# Sets what our executables are started with.
ours() { ours=(env "LD_LIBRARY_PATH=$library_path" PULLBACK_REQUIRE_GPU=1); }

# Which tests of an executable are meant, all of them or those whose names contain this. None are those on an emulated
# device, which take minutes and say nothing about this one.
meant() {
    local program module
    program=$(basename "$1")
    only=(--skip emulated)
    if [ "$program" = pullback ]; then
        only+=(linalg::cuda::tests)
    elif [ "$program" != cuda ]; then
        while read -r module; do only+=("$module"); done < <(modules "$program")
    fi
}

# The small tests under compute-sanitizer, each executable once.
sanitize() {
    local test names name only arguments found=0 status=0
    for test in "$bin"/cuda-tests/*; do
        meant "$test"
        names=$("${ours[@]}" "$test" --list "${only[@]}" 2>/dev/null | sed -n 's/: test$//p' |
            grep -E "${PULLBACK_SANITIZE:-kernel|small}" || true)
        [ -n "$names" ] || continue
        found=1
        arguments=()
        while read -r name; do arguments+=("$name"); done <<<"$names"
        "${ours[@]}" compute-sanitizer --tool memcheck --error-exitcode 9 "$test" --exact --test-threads=1 "${arguments[@]}" ||
            status=$?
    done
    if [ "$found" -eq 0 ]; then echo "no test has a name like ${PULLBACK_SANITIZE:-kernel|small}"; fi
    return "$status"
}

checks() {
    local test only spent=$SECONDS left some=0
    for test in "$bin"/cuda-tests/*; do
        [ -x "$test" ] || continue
        some=1
        left=$((110 - (SECONDS - spent)))
        if [ "$left" -lt 5 ]; then left=5; fi
        meant "$test"
        step "check $(basename "$test")" "$left" "${ours[@]}" "$test" "${only[@]}" || broken=1
    done
    if [ "$some" -eq 0 ]; then
        fail "checks: there is no executable of tests"
        broken=1
    elif have compute-sanitizer; then
        if ! step "compute-sanitizer" 45 bash benches/gpu.sh --sanitize "$bin" "$library_path"; then
            if grep -q 'Device not supported' "$out/compute-sanitizer.log"; then
                echo "-- that is the machine's doing: compute-sanitizer does not support its device"
            else
                broken=1
            fi
        fi
    else
        echo "compute-sanitizer is not installed: skipped"
    fi
}

peers() {
    if ! have "$python"; then
        echo "no $python: no peers"
        return
    fi
    export PYTHONUNBUFFERED=1
    step "peer cupy" 75 "$python" benches/peers/gpu_cupy_bicgstab.py "$@" || true
    step "peer spmm" 30 "$python" benches/peers/gpu_spmm.py "$@" || true
    step "peer splu" 60 "$python" benches/peers/gpu_splu.py "$@" || true
    step "peer jax" 75 "$python" benches/peers/gpu_jax_bicgstab.py "$@" || true
}

# Lines of measurements as Markdown. Rates count 16 + 56/m bytes an unknown and column for products, 24 + 56/m for sweeps.
summary() {
    part "for benches/RESULTS.md"
    local commit gpu
    commit=$(cat $prebuilt/commit 2>/dev/null || git rev-parse --short HEAD 2>/dev/null || echo unknown)
    gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
    echo "${gpu:-no GPU}; $(nproc) cores; $(date -u +%F); commit \`$commit\`; \`benches/gpu.sh\`."
    echo
    { grep -hE '^[a-z0-9-]+,[a-z0-9-]+(,[0-9]+){3},[0-9.eE+-]+,[0-9.eE+-]+,([0-9.eE+-]+|[+-]?nan|inf)$' "$out"/*.log || true; } |
        awk -F, '
        function bytes(problem, m) {
            sub(/-launched$/, "", problem)
            if (problem == "copy") return 16
            if (problem == "product") return 16 + 56 / m
            if (problem == "sweep") return 24 + 56 / m
            if (problem == "sweep-red-black") return 24 + 112 / m
            if (problem == "sweep-single") return 12 + 28 / m
            return 0
        }
        function rate(i) { return 1e-9 * bytes($2, $4) * $3 * $3 * $3 * $4 / $6 }
        {
            line[NR] = $0
            key = $2 "," $3 "," $4
            if (!(key in first)) { first[key] = 1; order[++keys] = key }
            if ($1 == "pullback-cuda") mine[key] = $7
            if ($2 == "copy" && rate() > copy) copy = rate()
        }
        END {
            print "| problem | cells along an axis | columns | by | iterations | seconds | ms a column | residual | GB/s | beside ours |"
            print "|---|---|---|---|---|---|---|---|---|---|"
            for (k = 1; k <= keys; k++) for (i = 1; i <= NR; i++) {
                $0 = line[i]
                if ($2 "," $3 "," $4 != order[k]) continue
                solve = bytes($2, $4) == 0
                missed = ($2 == "adjoints" || $2 == "w2-laplacian") && !($8 ~ /^[0-9]/ && $8 + 0 <= 2e-8)
                speed = ""
                if (!solve) {
                    speed = sprintf("%.0f", rate())
                    if ($2 != "copy" && copy > 0) speed = speed sprintf(", %.0f %% of the copy", 100 * rate() / copy)
                }
                beside = ""
                if ($1 != "pullback-cuda" && (order[k] in mine) && mine[order[k]] > 0)
                    beside = (missed ? "> " : "") sprintf("%.3g ×", $7 / mine[order[k]])
                printf "| %s | %s | %s | %s | %s | %.4g | %.4g | %s | %s | %s |\n", $2, $3, $4, $1, ($5 > 0 ? $5 : ""), $6,
                    1e3 * $7, $8 (missed ? ", **not solved**" : ""), speed, beside
            }
            if (NR == 0) print "| nothing was measured | | | | | | | | | |"
        }'
    if [ ${#failed[@]} -gt 0 ]; then
        printf '\nFailed:\n'
        printf -- '- %s\n' "${failed[@]}"
    fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library_path=${LD_LIBRARY_PATH:-}
bin=$prebuilt

case ${1:-} in
    --pack)
        [ $# -eq 2 ] || { echo "usage: benches/gpu.sh --pack DIR"; exit 2; }
        pack "$2"
        exit
        ;;
    --sanitize) # of this script itself
        bin=$2 library_path=$3
        ours
        sanitize
        exit
        ;;
    --dry)
        mkdir -p "$out"
        rm -f "$out"/*.log
        machine
        peers --dry
        summary
        [ ${#failed[@]} -eq 0 ]
        exit
        ;;
    "") ;;
    *)
        echo "usage: benches/gpu.sh [--pack DIR | --dry]"
        exit 2
        ;;
esac

PATH=$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin
if [[ $(nvidia-smi -L 2>/dev/null || true) != *GPU* ]]; then
    echo "There is no NVIDIA GPU here: nvidia-smi lists none. Try benches/gpu.sh --dry, or --pack DIR for a machine that has one."
    exit 3
fi
mkdir -p "$out"
rm -f "$out"/*.log
machine
ours

if [ -x "$prebuilt/gpu" ]; then
    echo "prebuilt executables of commit $(cat $prebuilt/commit 2>/dev/null || echo unknown)"
elif have cargo; then
    part "build"
    bin=$scratch/built
    if ! build "$bin"; then
        fail "build"
        broken=1
    fi
    echo "-- $SECONDS s"
else
    fail "build: neither $prebuilt/gpu nor cargo is here"
    broken=1
fi
checks
if [ -x "$bin/gpu" ]; then
    step "bench" 110 "${ours[@]}" "$bin/gpu" --bench || broken=1
fi
peers
summary
printf '\n%s s\n' "$SECONDS"
exit "$broken"

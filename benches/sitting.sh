#!/usr/bin/env bash
# Times all flagship runs and their peers in one sitting of less than ten minutes, and prints the table of ratios.
#
#   benches/sitting.sh           everything; lines and logs in out/sitting
#   benches/sitting.sh RUN...    these runs (names: cargo bench --bench flagships -- --list)
#
# Peers run where they are installed: `pip install numpy 'scipy' 'scikit-sparse<0.5' pypardiso pyamg` (scikit-sparse needs
# libsuitesparse-dev of Debian), and cargo for the crate levenberg-marquardt. PYTHON chooses the interpreter, python3 otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${PULLBACK_OUT:-out/sitting}
python=${PYTHON:-python3}
threads=$(nproc)
mkdir -p "$out"
lines=$out/lines.csv
: >"$lines"
export OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_NUM_THREADS=1 CARGO_TERM_COLOR=never

bench=$(cargo bench --no-run --features cuda --bench flagships --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)

# Appends the lines that a program prints, under the name of its threads.
collect() {
    local threads=$1 && shift
    "$@" 2>>"$out/log" | tee -a "$out/log" | sed -n 's/^\([a-z0-9-]*,[^,]*,[^,]*\),\([0-9][0-9.e+-]*\).*/\1,\2/p' |
        sed "s/,pullback,/,pullback on $threads,/" | tee -a "$lines" >&2 || echo "skipped: $*" >&2
}

mapfile -t runs < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else "$bench" --list; fi)
for run in "${runs[@]}"; do
    for count in 1 "$threads"; do
        RAYON_NUM_THREADS=$count collect "$count" "$bench" "$run"
    done
    for solver in splu cholmod pardiso minpack; do
        SOLVER=$solver collect 1 "$python" benches/peers/flagships.py "$run"
    done
    if [[ $run == fits-* ]]; then
        collect 1 cargo run --quiet --release --target-dir target/peers --manifest-path benches/peers/levenberg_marquardt/Cargo.toml -- "$run"
    fi
done

# One row per run and quantity: ours on one thread and on all, every peer, and how many times as fast as the best peer we are.
awk -F, -v threads="$threads" '
    function unit(s) { return s < 1e-3 ? sprintf("%.3g µs", 1e6 * s) : s < 1 ? sprintf("%.3g ms", 1e3 * s) : sprintf("%.3g s", s) }
    {
        key = $1 "," $2
        if (!(key in seen)) { seen[key] = ++rows; name[rows] = key }
        if ($3 == "pullback on 1") one[key] = $4
        if ($3 == "pullback on " threads) all[key] = $4
        if ($3 !~ /^pullback/) {
            peers[key] = peers[key] (peers[key] ? ", " : "") $3 " " unit($4)
            if (!(key in best) || $4 + 0 < best[key]) best[key] = $4 + 0
        }
    }
    END {
        print "| run | | one thread | " threads " threads | gain | peers on one thread | beside the best |"
        print "|---|---|---|---|---|---|---|"
        for (r = 1; r <= rows; r++) {
            key = name[r]; split(key, part, ",")
            ratio = (key in best) ? sprintf("%.2g ×", best[key] / one[key]) : ""
            print "| " part[1] " | " part[2] " | " unit(one[key]) " | " unit(all[key]) " | " sprintf("%.2f", one[key] / all[key]) \
                " | " peers[key] " | " ratio " |"
        }
    }' "$lines" | tee "$out/table.md"

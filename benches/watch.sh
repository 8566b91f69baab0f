#!/usr/bin/env bash
# Compares the work and the instructions of five flagship runs with benches/pinned.csv, so that a slower commit is seen.
#
#   benches/watch.sh         exit 1 if work is not what is pinned, or if instructions differ by more than 3 %
#   benches/watch.sh --pin   writes the file
#
# Work is counted by the library. Instructions are counted by valgrind (callgrind), on one thread, and skipped where it is
# missing. They are compared only between programs of the same compiler and the same processor architecture.
set -euo pipefail
cd "$(dirname "$0")/.."

pinned=benches/pinned.csv
runs=(darcy-64 w2-84 lorenz-16 lotka-volterra fits-10)
tolerance=3
export RAYON_NUM_THREADS=1 CARGO_TERM_COLOR=never

bench=$(cargo bench --no-run --features cuda --bench flagships --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The sums of the work of a run, one per count.
work() {
    "$bench" --once "$1" 2>"$scratch/log" >"$scratch/rows" || { cat "$scratch/log" >&2; return 1; }
    awk -F, 'NR > 1 { for (i = 5; i <= 8; i++) sum[i] += $i }
        END { print sum[5] + 0 "," sum[6] + 0 "," sum[7] + 0 "," sum[8] + 0 }' "$scratch/rows"
}

# The instructions of a run; nothing without valgrind.
instructions() {
    command -v valgrind >/dev/null || return 0
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" "$bench" --once "$1" 2>&1 >/dev/null |
        sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

compiler="$(rustc --version | cut -d' ' -f1,2) on $(uname -m)"
found=$scratch/found
{
    echo "# $compiler; written by benches/watch.sh --pin"
    echo "run,steps,solves,factorisations,iterations,instructions"
    for run in "${runs[@]}"; do
        counts=$(work "$run")
        count=$(instructions "$run")
        echo "$run,$counts,$count"
    done
} >"$found"

if [ "${1:-}" = --pin ]; then
    command -v valgrind >/dev/null || { echo "pinning needs valgrind"; exit 1; }
    cp "$found" "$pinned"
    cat "$pinned"
    exit
fi

comparable=yes
if ! command -v valgrind >/dev/null; then
    echo "instructions: skipped, because valgrind is not installed"
    comparable=no
elif [ "$(head -n 1 "$pinned")" != "$(head -n 1 "$found")" ]; then
    echo "instructions: skipped, because they are pinned for another compiler or processor: $(head -n 1 "$pinned")"
    comparable=no
fi
awk -F, -v comparable="$comparable" -v tolerance="$tolerance" '
    /^#/ || /^run,/ { next }
    NR == FNR { for (i = 2; i <= 6; i++) pinned[$1, i] = $i; next }
    {
        work = ""; before = ""
        for (i = 2; i <= 5; i++) { work = work " " $i; before = before " " pinned[$1, i] }
        line = sprintf("%-15s steps, solves, factorisations, iterations%s", $1, work)
        if (work != before) { line = line ", pinned" before; failed = 1 }
        if (comparable == "yes") {
            change = 100 * ($6 / pinned[$1, 6] - 1)
            line = line sprintf("; %.1f million instructions, %+.2f %%", $6 / 1e6, change)
            if (change > tolerance || change < -tolerance) { line = line " <- beyond " tolerance " %"; failed = 1 }
        }
        print line
    }
    END {
        if (failed) print "If this is meant, run benches/watch.sh --pin and commit benches/pinned.csv with the reason."
        exit failed
    }' "$pinned" "$found"

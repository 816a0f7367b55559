#!/usr/bin/env bash
# All that needs a GPU, in parts of under five minutes each. Run from a checkout:
#     Testing/benchmarks/gpu.sh OUTPUT [DEVICE] [PART ...]
# Without parts all are run, in this order:
#     smoke       whether everything imports and one step of everything runs, within a minute
#     tests       the tests that need a GPU
#     forward     benchmark: one slice through the network, by runtime and precision
#     latency     benchmark: the slider
#     volume      benchmark: a whole volume
#     training    benchmark: training steps, plain, folded and recorded as a CUDA graph
#     train       short trainings in each precision, from simulated patients
#     pieces      a training by recipe in pieces of a minute, packed and gone on with
#     panel       the slider of the panel
# JSON and logs go into OUTPUT, one of each a part, and steps.tsv says how each part ended; a part that is run again
# replaces its own. DEVICE is cuda unless given; with cpu, it shows that the script itself works. PYTHON names the
# interpreter to use. Needs PyTorch, numpy, scipy, SimpleITK, safetensors, filelock, lightning-fabric, nilearn and
# nibabel, and pytest and pytorch-msssim for the tests.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
output=${1:?"name a folder for the results"}
device=${2:-cuda}
shift $(( $# < 2 ? $# : 2 ))
all=(smoke tests forward latency volume training train pieces panel)
parts=("$@")
if [ ${#parts[@]} = 0 ]; then parts=("${all[@]}"); fi
for part in "${parts[@]}"; do
    case " ${all[*]} " in *" $part "*) ;; *) echo "Unknown part '$part': choose from ${all[*]}." >&2; exit 2 ;; esac
done
python=${PYTHON:-.venv/bin/python}
"$python" -c 'import torch, numpy' || { echo "PYTHON=$python lacks PyTorch or numpy" >&2; exit 2; }
if [ "${device%%:*}" = cuda ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "PyTorch finds no CUDA GPU here: with cpu as DEVICE, this script shows only that it works." >&2
    exit 2
fi
mkdir -p "$output" || exit 2
output=$(cd "$output" && pwd)
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" TQDM_DISABLE=1 PYTHONUNBUFFERED=1
#: A part that takes longer is ended, and its results so far are kept.
limit=${LIMIT:-290}
if [ "$device" = cpu ]; then
    benchmark=(--quick)
    precisions=(bf16-mixed)
    moves=2
else
    benchmark=(--runtime pytorch cuda-graphs)
    precisions=(32-true bf16-mixed 16-mixed)
    moves=30
fi
failed=0
[ -f "$output/steps.tsv" ] || printf 'part\tresult\tseconds\n' >"$output/steps.tsv"

note() {
    # The part's line of an earlier run makes way.
    grep -v "^$1	" "$output/steps.tsv" >"$output/.steps.tsv"
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$output/.steps.tsv"
    mv "$output/.steps.tsv" "$output/steps.tsv"
}

run_tests() {
    "$python" -m pytest -q -rs -p no:cacheprovider -n0 Testing/core/engine/test_engine.py \
        Testing/core/research/test_training_processes.py Testing/core/research/test_device_steps.py -k "cuda or gpu" \
        --junitxml "$output/tests.xml" || return
    # Tests that all skip would otherwise look as if they had passed.
    [ "$device" = cpu ] || ! grep -q "needs a CUDA GPU\|there is no CUDA GPU" "$output/tests.xml"
}

run_benchmark() {
    "$python" -m inference_core benchmark --device "$device" --parts "$1" "${benchmark[@]}" --output "$output/$1.json"
}

run_train() {
    local precision
    for precision in "${precisions[@]}"; do
        # A run's folder would be resumed from.
        rm -rf "$output/train-$precision"
        "$python" -m inference_core.train --device "$device" --precision "$precision" --simulated 1 --slices 2 \
            --validation 0 --steps 3 --batch-size 2 --critic-steps 1 --output "$output/train-$precision" || return
    done
}

run_pieces() {
    local run="$output/pieces" piece
    rm -rf "$run"
    for piece in 1 2 3; do
        "$python" -m inference_core.train --device "$device" --recipe Testing/benchmarks/pieces.toml \
            --cache "$output/pieces-cache" --output "$run" --for "$([ "$device" = cpu ] && echo 10s || echo 60s)" || return
        du -sh "$run" && ls -l "$run" "$run/state" 2>/dev/null
        if [ -f "$run/weights.safetensors" ]; then break; fi
    done
    [ -f "$run/weights.safetensors" ] || [ -f "$run/state/part-1" ]
}

run_part() {
    case $1 in
    smoke) "$python" Testing/benchmarks/gpu_smoke.py --device "$device" --output "$output/smoke.json" ;;
    tests) run_tests ;;
    forward | latency | volume | training) run_benchmark "$1" ;;
    train) run_train ;;
    pieces) run_pieces ;;
    panel) "$python" Testing/benchmarks/slider_latency.py --moves "$moves" --output "$output/panel.json" ;;
    esac
}

declare -A needed=([tests]=pytest [panel]=PySide6)
for part in "${parts[@]}"; do
    package=${needed[$part]:-}
    echo "== $part"
    if [ -n "$package" ] && ! "$python" -c "import $package" 2>/dev/null; then
        echo "left out: $package is not installed"
        note "$part" "left out: $package is not installed" 0
        continue
    fi
    start=$SECONDS result=done
    # Each in a process group of its own, so that what it started ends with it.
    set -m
    run_part "$part" >"$output/$part.log" 2>&1 &
    worker=$!
    ( sleep "$limit" && kill -- "-$worker" ) 2>/dev/null &
    watch=$!
    set +m
    wait "$worker" || { result="failed ($?)"; failed=1; }
    kill -- "-$watch" 2>/dev/null
    tail -n 40 "$output/$part.log"
    note "$part" "$result" $((SECONDS - start))
done
echo "== results in $output"
cat "$output/steps.tsv"
exit $failed

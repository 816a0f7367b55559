#!/usr/bin/env bash
# All that needs a GPU, in one go: tests, benchmark, short trainings, the panel. Run from a checkout:
#     Testing/benchmarks/gpu.sh OUTPUT [DEVICE]
# JSON, logs and steps.tsv, which says how each step ended, go into the folder OUTPUT. DEVICE is cuda unless given; with
# cpu, it shows that the script itself works. PYTHON names the interpreter to use.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
output=${1:?"name a folder for the results"}
device=${2:-cuda}
python=${PYTHON:-.venv/bin/python}
"$python" -c 'import inference_core.networks.weights_io' || { echo "PYTHON=$python can't import the package" >&2; exit 2; }
if [ "${device%%:*}" = cuda ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "PyTorch finds no CUDA GPU here: with cpu as DEVICE, this script shows only that it works." >&2
    exit 2
fi
mkdir -p "$output" || exit 2
output=$(cd "$output" && pwd)
if [ "$device" = cpu ]; then
    benchmark=(--quick)
    precisions=(bf16-mixed)
    moves=2
else
    benchmark=(--runtime pytorch cuda-graphs compiled)
    precisions=(32-true bf16-mixed 16-mixed)
    moves=30
fi
failed=0
printf 'step\tresult\tseconds\n' >"$output/steps.tsv"

note() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$output/steps.tsv"; }

# A step that fails must not cost the results of the others.
step() {
    local name=$1 result=done start=$SECONDS
    shift
    echo "== $name"
    "$@" >"$output/$name.log" 2>&1 || { result="failed ($?)"; failed=1; }
    tail -n 40 "$output/$name.log"
    note "$name" "$result" $((SECONDS - start))
}

# A step that needs a package which not everybody has.
step_with() {
    local package=$1 name=$2
    if "$python" -c "import $package" 2>/dev/null; then
        step "${@:2}"
    else
        echo "== $name: left out, $package is not installed"
        note "$name" "left out: $package is not installed" 0
    fi
}

# Tests that all skip would otherwise look as if they had passed.
run_tests() {
    "$python" -m pytest -q -rs Testing/core/engine/test_engine.py Testing/core/research/test_training_processes.py -k "cuda or gpu" \
        --junitxml "$output/tests.xml" || return
    [ "$device" = cpu ] || ! grep -q "needs a CUDA GPU\|there is no CUDA GPU" "$output/tests.xml"
}

run_nvidia_smi() { nvidia-smi && nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv; }

if command -v nvidia-smi >/dev/null; then step nvidia-smi run_nvidia_smi; fi
step packages "$python" -m pip list
step_with pytest tests run_tests
step benchmark "$python" -m inference_core benchmark --device "$device" "${benchmark[@]}" \
    --output "$output/benchmark.json"
for precision in "${precisions[@]}"; do
    # A run's folder would be resumed from.
    rm -rf "$output/train-$precision"
    step_with nilearn "train-$precision" "$python" -m inference_core.train --device "$device" \
        --precision "$precision" --simulated 1 --slices 2 --validation 0 --steps 3 --batch-size 2 --critic-steps 1 \
        --output "$output/train-$precision"
done
step_with PySide6 panel "$python" Testing/benchmarks/slider_latency.py --moves "$moves" --output "$output/panel.json"
echo "== results in $output"
cat "$output/steps.tsv"
exit $failed

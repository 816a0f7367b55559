#!/usr/bin/env bash
# All that needs a GPU, in one go: tests, benchmark, short trainings. Run from a checkout; results go into a folder.
#     Testing/benchmarks/gpu.sh OUTPUT [DEVICE]
# DEVICE is cuda unless given; with cpu, it shows that the script itself works. PYTHON names the interpreter to use.
set -uo pipefail
cd "$(dirname "$0")/../.."
output=${1:?"name a folder for the results"}
device=${2:-cuda}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$output" || exit 2
quick=()
precisions=(bf16-mixed)
if [ "$device" = cpu ]; then quick=(--quick); else precisions+=(16-mixed); fi
failed=0

# A step that fails must not cost the results of the others.
step() {
    local name=$1
    shift
    echo "== $name"
    "$@" >"$output/$name.log" 2>&1 || { echo "   failed: see $output/$name.log"; failed=1; }
    tail -n 25 "$output/$name.log"
}

step machine bash -c "nvidia-smi || true; $python -c 'import torch; print(torch.__version__, torch.cuda.is_available())'"
step tests "$python" -m pytest -q -n0 -rs Testing/core -k "cuda or gpu"
step benchmark "$python" -m inference_core.cli benchmark --device "$device" "${quick[@]}" --output "$output/benchmark.json"
for precision in 32-true "${precisions[@]}"; do
    step "train-$precision" "$python" -m inference_core.train --device "$device" --precision "$precision" \
        --simulated 2 --slices 2 --validation 0 --steps 3 --batch-size 2 --critic-steps 1 --output "$output/train-$precision"
done
exit $failed

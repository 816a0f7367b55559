"""Whether everything imports and one step of everything runs, within a minute: the first part of gpu.sh.

    python Testing/benchmarks/gpu_smoke.py --device cuda --output smoke.json

Exit status 1 if something does not; the others are tried all the same.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "core")]
#: All that a machine with a GPU must have beside PyTorch; what else a module imports is imported where it is used.
PACKAGES = (
    "numpy", "scipy", "SimpleITK", "safetensors", "filelock", "lightning_fabric", "nilearn", "nibabel",
)  # fmt: skip


def _import_packages(device: str) -> str:
    import torch

    versions = {name: getattr(importlib.import_module(name), "__version__", "?") for name in PACKAGES}
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else "no GPU"
    return f"Python {sys.version.split()[0]}, PyTorch {torch.__version__}, {gpu}, {versions}"


def _import_modules(device: str) -> str:
    rooms = ("networks", "engine", "inference", "imaging", "research/training", "research/data", "research/phantom")
    rooms += ("research/benchmarking", "research/reproduction", "commands")
    names = []
    for room in rooms:
        for path in sorted((ROOT / "inference_core" / room).glob("*.py")):
            names.append(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    for name in names:
        importlib.import_module(name)
    return f"{len(names)} modules"


def _super_resolve(runtime: str | None, precision: str | None) -> Callable[[str], str]:
    def step(device: str) -> str:
        import numpy as np

        from inference_core.inference.super_resolver import SuperResolver
        from inference_core.research.benchmarking.patient import benchmark_patient

        resolver = SuperResolver.load(device=device, runtime=runtime, precision=precision)
        prepared = resolver.prepare(*benchmark_patient(2))
        for metabolite in ("tCho", "NAA"):
            result = resolver.super_resolve(prepared, metabolite, 0.02)
            assert np.isfinite(result).all()
            assert result.any()
        return f"{resolver.runtime}, {resolver.precision}"

    return step


def _train(adversarial: bool, precision: str, streamed: bool = False) -> Callable[[str], str]:
    def step(device: str) -> str:
        import torch
        from training_samples import RandomPatient, random_slices

        from inference_core.networks import create_network
        from inference_core.research.data import example_source
        from inference_core.research.data.batch_options import MriOptions, PointSpreadOptions
        from inference_core.research.data.cohort import open_stored, store_on_disk
        from inference_core.research.data.training_batches import TrainingBatches
        from inference_core.research.training.launch import make_fabric
        from inference_core.research.training.settings import TrainingSettings
        from inference_core.research.training.trainer import Trainer

        settings = TrainingSettings(
            steps=3 if device.startswith("cuda") else 1,
            batch_size=1,
            adversarial=adversarial,
            critic_steps=1,
            precision=precision,
            averaging=0.9,
            gradient_clip=1.0,
            redrawn=0.5,
            point_spread=PointSpreadOptions(share=0.75),
            baseline=(0.0, 0.3),
            varied_masks=True,
            mri=MriOptions(changed=0.67),
            noise=(0.01, 0.1),
        )
        with tempfile.TemporaryDirectory() as folder:
            slices = random_slices(2)
            fits = example_source.fits
            if streamed:
                patients = [RandomPatient(0)]
                store_on_disk(patients, Path(folder) / "cache", processes=1)
                slices = open_stored(patients, Path(folder) / "cache")
                example_source.fits = lambda *arguments: False
            try:
                batches = TrainingBatches(slices, 1, 0, settings, settings.resolutions)
                fabric = make_fabric(device, precision=precision)[0]
                records = []
                on_device = None if device.startswith("cuda") else True
                trainer = Trainer(
                    create_network(settings.network), batches, settings, Path(folder), fabric, on_device=on_device
                )
                trainer.run(progress=records.append)
            finally:
                example_source.fits = fits
        assert all(torch.isfinite(torch.tensor(record["loss"])) for record in records)
        return json.dumps(records[-1])

    return step


def _simulate(device: str) -> str:
    from inference_core.research.phantom import simulate_patient

    stack = simulate_patient(3, varied=True).slices(1)
    assert stack.t1.max() == 1
    return str(stack.t1.shape)


def steps(device: str) -> dict[str, Callable[[str], str]]:
    """All that is tried, by name."""
    cuda = device.startswith("cuda")
    found: dict[str, Callable[[str], str]] = {
        "packages": _import_packages,
        "modules": _import_modules,
        "super-resolve, as it comes": _super_resolve(None, None),
        "super-resolve, pytorch": _super_resolve("pytorch", "float32"),
    }
    if cuda:
        found |= {
            f"super-resolve, cuda-graphs, {name}": _super_resolve("cuda-graphs", name)
            for name in ("float32", "float16", "bfloat16")
        }
    found |= {"train": _train(False, "32-true"), "train, streamed": _train(False, "32-true", streamed=True)}
    found |= {"train against the critic": _train(True, "32-true")}
    if cuda:
        found |= {f"train against the critic, {name}": _train(True, name) for name in ("bf16-mixed", "16-mixed")}
    return found | {"simulate": _simulate}


def main() -> int:
    """Try everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    results, failed = [], 0
    for name, step in steps(arguments.device).items():
        start = time.perf_counter()
        try:
            said, worked = step(arguments.device), True
        except Exception:
            said, worked = traceback.format_exc(), False
            failed += 1
        seconds = time.perf_counter() - start
        results.append({"step": name, "worked": worked, "seconds": seconds, "said": said})
        print(f"{'ok    ' if worked else 'FAILED'} {seconds:6.1f} s  {name}: {said}", flush=True)
        # What was found so far is worth having if the rest takes too long.
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

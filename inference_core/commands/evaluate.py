"""Measure a network against methods that need no training: `mrsi-superres evaluate`."""

import argparse
from pathlib import Path

#: Seeds of simulated patients that neither train nor validate.
_TEST_SEEDS = 2_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--data", type=Path, help="folder of patients, as `mrsi-superres phantom` writes them")
    data.add_argument("--simulated", type=int, default=12, metavar="N", help="measure on N simulated patients (12)")
    parser.add_argument(
        "--first-seed", type=int, default=_TEST_SEEDS, help=f"of the simulated patients ({_TEST_SEEDS})"
    )
    parser.add_argument("--slices", type=int, default=4, help="slices of each simulated patient (4)")
    parser.add_argument(
        "--n", type=int, nargs="+", default=[16, 20, 24, 28, 32], help="input resolutions (16 20 ... 32)"
    )
    parser.add_argument("--sharpness", type=float, nargs="+", default=[0.0], help="lambdas to measure (0)")
    parser.add_argument("--weights", type=Path, help="weights instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")


def run(arguments: argparse.Namespace) -> int:
    """Print tables by n and by metabolite, and write the figures as JSON if asked to."""
    from inference_core.commands.progress import progress_bar
    from inference_core.engine.devices import choose_device
    from inference_core.engine.folded_network import FoldedNetwork
    from inference_core.files.folders import check_folder
    from inference_core.files.inputs import check_not_inputs
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS, load_weights
    from inference_core.research.evaluation.anatomical import anatomical_regularisation
    from inference_core.research.evaluation.comparison import compare, mean_by
    from inference_core.research.evaluation.methods import Timed, bicubic, network_method, zero_filling
    from inference_core.terms.conditions import METABOLITES, check_sharpness

    if arguments.output:
        check_folder(arguments.output.parent)
        inputs = [("weights", arguments.weights or DEFAULT_WEIGHTS), ("data", arguments.data)]
        check_not_inputs([arguments.output], inputs)
    sharpness = [check_sharpness(value) for value in arguments.sharpness]
    device, reason = choose_device(arguments.device)
    print(f"Device: {device} ({reason})")
    network, info = load_weights(arguments.weights)
    network = FoldedNetwork(network.to(device))
    methods = {"zero-filling": zero_filling, "bicubic": bicubic, "anatomical": anatomical_regularisation}
    methods |= {f"lambda = {value:g}": network_method(network, value) for value in sharpness}
    methods = {name: Timed(method) for name, method in methods.items()}
    slices = _slices(arguments)
    scores = compare(
        methods, slices, arguments.n, progress=lambda jobs: progress_bar(jobs, desc="Measuring", unit="batch")
    )
    print(f"{len(slices)} slices, mean PSNR (dB) / SSIM / energy of fine detail relative to the truth's")
    figures = {"weights": info.path.name, "sha256": info.sha256, "slices": len(slices)}
    for key, values in (("n", arguments.n), ("metabolite", METABOLITES), ("all", ["all"])):
        means = (
            mean_by(scores, "method", key)
            if key != "all"
            else {(method, "all"): mean for (method,), mean in mean_by(scores, "method").items()}
        )
        print(_table(key, values, list(methods), means))
        figures[key] = {str(v): {m: means[m, v] for m in methods if (m, v) in means} for v in values}
    seconds = {name: method.seconds / method.maps for name, method in methods.items()}
    print("\nSeconds a slice:", ", ".join(f"{name} {value:.3f}" for name, value in seconds.items()))
    figures["seconds a slice"] = seconds
    if not arguments.data:
        figures["details"] = _details(arguments, methods, slices)
    if arguments.output:
        _write_json(arguments.output, figures)
    return 0


def _details(arguments: argparse.Namespace, methods: dict, slices) -> list[dict]:
    """Whether details are true, which is known of simulated patients only; printed, too."""
    from inference_core.commands.progress import progress_bar
    from inference_core.research.data.simulated import SimulatedSlices
    from inference_core.research.evaluation.detail_scores import detail_scores, together

    seeds = range(arguments.first_seed, arguments.first_seed + arguments.simulated)
    lesions = together(SimulatedSlices(seed, arguments.slices).lesions() for seed in seeds)
    found = detail_scores(
        methods, slices, lesions, arguments.n, progress=lambda parts: progress_bar(parts, desc="Details", unit="batch")
    )
    print(
        "\nShare of true contrast in tumours; in spots that MRI does not show, raised and lowered; spots invented a map"
    )
    for own in found:
        shares = " ".join(f"{own[f'{kind} recovered']:8.3f}" for kind in ("tumour", "raised", "lowered"))
        print(f"{own['method']:16} {shares} {own['invented'] / own['maps']:8.3f}")
    return found


def _slices(arguments: argparse.Namespace):
    from inference_core.commands.progress import progress_bar

    if arguments.data:
        from inference_core.research.data.study import read_patients

        return read_patients(arguments.data, progress_bar)
    from inference_core.research.data.simulated import simulate_cohort

    seeds = range(arguments.first_seed, arguments.first_seed + arguments.simulated)
    return simulate_cohort(
        seeds, arguments.slices, progress=lambda p: progress_bar(p, total=len(seeds), desc="Simulating")
    )


def _table(key: str, values: list, methods: list[str], means: dict) -> str:
    """A Markdown table: a row a value, a column a method."""
    lines = ["", f"| {key} | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for value in values:
        cells = [
            "{:.2f} / {:.3f} / {:.2f}".format(*means[method, value]) if (method, value) in means else "-"
            for method in methods
        ]
        lines.append(f"| {value} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _write_json(path: Path, figures: dict) -> None:
    import json

    from inference_core.files.atomic import write_file

    write_file(path, json.dumps(figures, indent=2) + "\n")

"""Super-resolve the bundled simulated patient and draw what came of it: `mrsi-superres demo`."""

import argparse
from pathlib import Path

#: The rows of the figure: metabolite and input resolution, as in the paper's Fig. 3.
_ROWS = (("tCho", 24), ("Gln", 20), ("Ins", 16))
_SHARPNESS = (0.0, 0.03, 0.06, 0.09)
#: The figures, and whether the maps lie over FLAIR.
_FIGURES = {"comparison": False, "overlay": True}
_SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "SamplePatient"
_NOTE = "Simulated patient; weights trained on simulated patients. For research, not for diagnosis."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for maps and figures (demo)")
    parser.add_argument("--patient", type=Path, default=_SAMPLE, help="patient with anat/ and mrsi/ (the bundled one)")
    parser.add_argument("--weights", type=Path, help="weights instead of the default ones (.safetensors)")
    parser.add_argument("--device", help="cpu, cuda or mps (the fastest there is)")


def run(arguments: argparse.Namespace) -> int:
    """Write super-resolved maps, `comparison.png` and `overlay.png` into the output folder."""
    import time

    from inference_core.errors import InputError
    from inference_core.files.folders import make_folder
    from inference_core.files.inputs import check_not_inputs
    from inference_core.files.own_outputs import check_replaceable, is_own_figure
    from inference_core.imaging.writing import check_output, is_own_result, sidecar_path
    from inference_core.inference.super_resolver import SuperResolver
    from inference_core.research.evaluation.figures import maps_figure, save_figure

    if not arguments.patient.is_dir():
        raise InputError(
            f"The patient '{arguments.patient}' does not exist: run the demo from a checkout, which brings a simulated "
            "one, or name one with --patient."
        )
    output = make_folder(arguments.output)
    maps = [output / f"{_name(metabolite, n, value)}.nii.gz" for metabolite, n in _ROWS for value in _SHARPNESS]
    figures = [output / f"{name}.png" for name in _FIGURES]
    check_not_inputs([*maps, *figures], [("patient", arguments.patient), ("weights", arguments.weights)])

    def is_own_map(path: Path) -> bool:
        # A kill may have left a map of an earlier run without its sidecar; that run's figures tell whose it is.
        return is_own_result(path) or (not sidecar_path(path).exists() and is_own_figure(figures[0]))

    check_replaceable([*((path, is_own_map) for path in maps), *((path, is_own_figure) for path in figures)])
    for path in maps:
        check_output(path)
    resolver = SuperResolver.load(arguments.weights, arguments.device)
    print(f"Device: {resolver.device} ({resolver.device_reason})")
    start = time.perf_counter()
    rows = [_row(resolver, arguments.patient, metabolite, n, output) for metabolite, n in _ROWS]
    seconds = time.perf_counter() - start
    for name, over_flair in _FIGURES.items():
        save_figure(maps_figure(rows, _NOTE, over_flair), output / f"{name}.png")
        print(f"{output / f'{name}.png'}")
    print(f"Super-resolved {len(_ROWS)} maps at {len(_SHARPNESS)} sharpness settings in {seconds:.1f} s.")
    return 0


def _name(metabolite: str, n: int, sharpness: float) -> str:
    return f"{metabolite}_n{n}_sharpness-{sharpness:g}"


def _row(resolver, patient: Path, metabolite: str, n: int, output: Path):
    """Super-resolve one map at all sharpness settings, write the results, and make the figures' row."""
    import SimpleITK as sitk
    import torch

    from inference_core.imaging.geometry import super_resolved_image
    from inference_core.imaging.reading import read_image
    from inference_core.imaging.writing import write_result
    from inference_core.networks.kspace import zero_filled
    from inference_core.research.data.study import single_file
    from inference_core.research.evaluation.figures import Panel, Row, colour_window

    low, t1, flair = (
        read_image(single_file(patient, pattern), role)
        for pattern, role in (
            (f"mrsi/*_res-n{n}_desc-acquired_{metabolite}.nii.gz", "map"),
            ("anat/*_T1w.nii.gz", "T1"),
            ("anat/*_FLAIR.nii.gz", "FLAIR"),
        )
    )
    truth = sitk.GetArrayFromImage(
        read_image(single_file(patient, f"mrsi/*_res-high_desc-truth_{metabolite}.nii.gz"), "ground truth")
    )
    prepared = resolver.prepare(low, t1, flair)
    maps = {"zero-filled": zero_filled(torch.from_numpy(prepared.low_resolution), truth.shape[1:]).numpy()}
    for sharpness in _SHARPNESS:
        result = resolver.super_resolve(prepared, metabolite, sharpness)
        maps[f"λ = {sharpness:g}"] = result
        path = output / f"{_name(metabolite, n, sharpness)}.nii.gz"
        write_result(
            super_resolved_image(result, prepared.grid),
            path,
            {"Metabolite": metabolite, "InputResolution": n, "Sharpness": sharpness, "Note": _NOTE},
        )
    index = len(truth) // 2
    brain, truth_slice = prepared.brain[index], truth[index]
    panels = [_scored(name, array[index] * brain, truth_slice * brain) for name, array in maps.items()]
    flair_slice = prepared.flair[index, :, :, 1]
    panels += [Panel("ground truth", truth_slice * brain, "PSNR / SSIM"), Panel("FLAIR", flair_slice, grey=True)]
    return Row(f"{metabolite}, n = {n}", panels, brain, colour_window(truth_slice, brain), flair=flair_slice)


def _scored(title: str, image, truth):
    from inference_core.research.evaluation.figures import Panel
    from inference_core.research.evaluation.metrics import psnr, ssim

    return Panel(title, image, f"{psnr(image, truth):.2f} / {ssim(image, truth):.3f}")

"""A benchmark's settings, checked before anything is measured."""

from argparse import Namespace
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

from inference_core.errors import InputError

#: What can be measured, in the order in which it is.
PARTS = ("machine", "forward", "latency", "volume", "growth", "training")
#: What training needs beside what super-resolving needs.
_TRAINING_PACKAGES = ("lightning_fabric",)


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure, and how.

    Attributes:
        device: as torch names it.
        runtimes: what runs the network.
        precisions: of the network.
        parts: of `PARTS`.
        slices: of the volume.
        batch: slices of a training step.
        rounds: turns of each candidate.
        quick: whether to do as little as shows that it works.
        named: runtimes that the user asked for, whose failure is the benchmark's.
        left_out: why something is not measured, by name.
    """

    device: str
    runtimes: tuple[str, ...]
    precisions: tuple[str, ...]
    parts: tuple[str, ...] = PARTS
    slices: int = 39
    batch: int = 8
    rounds: int = 8
    quick: bool = False
    named: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """For JSON, without what stands elsewhere."""
        return {name: value for name, value in asdict(self).items() if name not in ("left_out", "named")}


def check_settings(arguments: Namespace) -> BenchmarkSettings:
    """The command's arguments as settings.

    Raises:
        InputError: for what is unknown, not a count, not available on this machine, or nowhere to write.
    """
    from inference_core.engine.devices import choose_device

    parts = _parts(arguments.parts)
    for name in ("threads", "slices", "batch", "rounds"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}: it must be 1 or more.")
    if arguments.output is not None:
        _check_output(arguments.output)
    device, _ = choose_device(arguments.device)
    left_out: dict[str, str] = {}
    runtimes, precisions = _runtimes(arguments, device, left_out), _precisions(arguments, device, left_out)
    missing = [package for package in _TRAINING_PACKAGES if find_spec(package) is None]
    if "training" in parts and missing:
        sentence = f"needs the packages that training needs, of which {', '.join(missing)} is missing"
        if arguments.parts is not None:
            raise InputError(f"Part training {sentence}: install mrsi-superres[train].")
        parts = tuple(part for part in parts if part != "training")
        left_out["training"] = sentence
    quick = arguments.quick
    return BenchmarkSettings(
        device=device,
        runtimes=runtimes,
        precisions=precisions,
        parts=parts,
        slices=min(arguments.slices, 2) if quick else arguments.slices,
        batch=1 if quick else arguments.batch,
        # Calls on a GPU are so short that more of them cost nothing.
        rounds=1 if quick else arguments.rounds or (8 if device == "cpu" else 30),
        quick=quick,
        named=tuple(arguments.runtime or ()),
        left_out=left_out,
    )


def _parts(asked: list[str] | None) -> tuple[str, ...]:
    for part in asked or ():
        if part not in PARTS:
            raise InputError(f"Unknown part '{part}': choose from {', '.join(PARTS)}.")
    return PARTS if asked is None else tuple(part for part in PARTS if part in ("machine", *asked))


def _check_output(path: Path) -> None:
    from inference_core.files.folders import check_folder
    from inference_core.files.inputs import check_not_inputs
    from inference_core.networks.weights_io import DEFAULT_WEIGHTS

    check_folder(path.absolute().parent)
    if path.is_dir():
        raise InputError(f"'{path}' is a folder: name a file to write, such as benchmark.json.")
    check_not_inputs([path], [("weights", DEFAULT_WEIGHTS)])


def _runtimes(arguments: Namespace, device: str, left_out: dict[str, str]) -> tuple[str, ...]:
    from inference_core.engine.runtimes import RUNTIMES, check_runtime

    if arguments.runtime:
        for runtime in arguments.runtime:
            check_runtime(runtime, "float32", device)
        return tuple(dict.fromkeys(arguments.runtime))
    # PyTorch's compiler takes a minute before it is any faster.
    left_out["compiled"] = "compiles for a minute first, so it has to be asked for: --runtime pytorch compiled"
    possible = []
    for runtime in RUNTIMES:
        try:
            if runtime not in left_out:
                possible.append(check_runtime(runtime, "float32", device))
        except InputError as error:
            left_out[runtime] = str(error)
    return tuple(possible)


def _precisions(arguments: Namespace, device: str, left_out: dict[str, str]) -> tuple[str, ...]:
    from inference_core.engine.runtimes import PRECISIONS, check_runtime

    if arguments.precision:
        for precision in arguments.precision:
            check_runtime(None, precision, device)
        return tuple(dict.fromkeys(arguments.precision))
    possible = []
    for precision in PRECISIONS:
        try:
            check_runtime(None, precision, device)
        except InputError as error:
            left_out[precision] = str(error)
        else:
            possible.append(precision)
    return tuple(possible)

"""Which images of a patient's maps were not used, and why."""

from collections.abc import Sequence
from pathlib import Path

from inference_core.imaging.absent import absent_content
from inference_core.study.map_sources import PatientMaps
from inference_core.study.metabolite_names import PART_BESIDE, named_signal, quality_role
from inference_core.study.patient_files import UnusedFile
from inference_core.terms.naming import NamedSignal, why_no_metabolite_map


def unused_images(paths: Sequence[Path], maps: Sequence[PatientMaps], others: bool) -> list[UnusedFile]:
    """The images that none of the maps was read from; qualities go with the amount that they are about.

    Args:
        paths: of all images that are named for a signal or a quality of its fit.
        maps: what was read.
        others: whether the maps of signals that the network does not know are kept.
    """
    taken = [own for one in maps for own in (*one.metabolites.values(), *(one.others.values() if others else ()))]
    used = {path for own in taken for path in own.files}
    signals = {path: named_signal(path.name) for path in paths}
    amounts = {signal.name for path, signal in signals.items() if signal and not quality_role(path.name)}
    unused = []
    for path, signal in signals.items():
        if path in used:
            continue
        if absent := absent_content(path):
            unused.append(UnusedFile(path, absent))
        elif not quality_role(path.name):
            unused.append(UnusedFile(path, _why_amount(path, signal, maps, amounts)))
        elif signal is None or signal.name not in amounts:
            about = f"the fit of {signal.name}" if signal else "the fit"
            unused.append(UnusedFile(path, f"it tells the quality of {about}, of which there is no map on its grid"))
    return unused


def _why_amount(path: Path, signal: NamedSignal, maps: Sequence[PatientMaps], amounts: set[str]) -> str:
    """Why an amount was not taken."""
    if reason := why_no_metabolite_map(path.name):
        return f"{reason}; --others keeps it"
    chosen = next((one.metabolites[signal.metabolite] for one in maps if signal.metabolite in one.metabolites), None)
    if chosen is not None and chosen.source != path and chosen.name != signal.name:
        return f"{signal.metabolite} is taken from '{chosen.source.name}'"
    whole = PART_BESIDE.get(signal.name.casefold())
    if whole in {name.casefold() for name in amounts}:
        other = next(name for name in amounts if name.casefold() == whole)
        return (
            f"beside {other} it is a part of {signal.metabolite}: let the fit give their sum (fsl_mrsi: --combine "
            f"{signal.name} {other})"
        )
    return "it could not be read; the warnings say why"

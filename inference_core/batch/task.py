"""One output of a batch, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from inference_core.study.patient_files import PatientFiles, UnusedFile
from inference_core.terms.ratios import Ratio
from inference_core.terms.reference import Reference


@dataclass(frozen=True)
class BatchRow:
    """What became of one output.

    Attributes:
        patient: the folder's path within the study.
        metabolite: its paper name, or a ratio's; "" for a patient without maps, and for a file that is not used.
        sharpness: lambda; None likewise.
        n: the input resolution; None where it is not known.
        status: "done", "skipped" because it was complete, "failed", or "unused" for a file that looks like a map and
            is none.
        seconds: what it took, reading and preparing included.
        output: the image, "" if there is none.
        message: why it failed or is not used, or warnings.
        self_check: the share of held-back measured detail that the result explains, the least of a ratio's maps; None
            where that was not checked.
    """

    patient: str
    metabolite: str
    sharpness: float | None
    n: int | None
    status: Literal["done", "skipped", "failed", "unused"]
    seconds: float
    output: str
    message: str
    self_check: float | None = None


@dataclass(frozen=True)
class Task:
    """One output to be.

    Attributes:
        patient: whose.
        map: what to super-resolve; None for a ratio, and for a patient without maps, as are the next three.
        metabolite: of the map, or the ratio's name.
        sharpness: lambda.
        output: the image to write.
        conflicting_sources: all maps whose result would be written there; there should be one.
        ratio: of several maps, or None.
        maps: a ratio's, by metabolite; there should be one each.
        reference: the tissue that a ratio is compared with, or None.
        labels: the label images that this names; there should be one.
        uncertainty: whether the result has its uncertainty beside it.
        unused: a file that is not used, of which a row is all that there is to do; None for every other task.
        self_check: whether its maps are checked against their own measurement.
    """

    patient: PatientFiles
    map: Path | None = None
    metabolite: str = ""
    sharpness: float | None = None
    output: Path | None = None
    conflicting_sources: set[Path] = field(default_factory=set)
    ratio: Ratio | None = None
    maps: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    reference: Reference | None = None
    labels: tuple[Path, ...] = ()
    uncertainty: bool = False
    unused: UnusedFile | None = None
    self_check: bool = True

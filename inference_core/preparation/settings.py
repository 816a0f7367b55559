"""How a study is to be prepared."""

from dataclasses import dataclass, field
from typing import Any

from inference_core.preparation.quality_filter import QualityThresholds
from inference_core.preparation.slice_selection import SliceSelection
from inference_core.study.geometry_sources import GeometryOptions


@dataclass(frozen=True)
class PreparationSettings:
    """The same for all patients.

    Attributes:
        thresholds: of the quality filter.
        slices: what a slice needs.
        geometry: what the user gives of it, for maps without a header.
        frequency: of the transmitter, MHz, for linewidths in Hz; None if it is not known.
        register: whether to register at all.
        fill_holes: whether to fill what the filter left out in the brain, except in maps of full resolution.
        others: whether to keep the maps of metabolites that the network does not know.
    """

    thresholds: QualityThresholds = field(default_factory=QualityThresholds)
    slices: SliceSelection = field(default_factory=SliceSelection)
    geometry: GeometryOptions = field(default_factory=GeometryOptions)
    frequency: float | None = None
    register: bool = True
    fill_holes: bool = False
    others: bool = False

    def check(self) -> None:
        """Check that all values are possible.

        Raises:
            InputError: if one is not.
        """
        self.thresholds.check()
        self.slices.check()
        self.geometry.check()

    def describe(self) -> dict[str, Any]:
        """What a sidecar says of the filter."""
        return {
            "Thresholds": {
                "LeastSNR": self.thresholds.snr,
                "LargestFWHM_ppm": self.thresholds.fwhm,
                "LargestCRLB_percent": self.thresholds.crlb,
                "DistanceFromSkull_mm": self.thresholds.skull_mm,
                "LargestMultipleOfMedian": self.thresholds.outlier,
                "SliceShare": self.slices.share,
                "SliceVoxels": self.slices.voxels,
            }
        }

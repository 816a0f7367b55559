"""Which normal tissue a ratio is compared with, as users say it."""

from dataclasses import dataclass

from inference_core.errors import InputError

#: The whole brain, instead of a label image.
BRAIN = "brain"


@dataclass(frozen=True)
class Reference:
    """Which tissue: a ratio is given in multiples of its median there.

    Attributes:
        region: "brain", or a label image, all regions of which count: its file, or in a study a pattern that finds
            each patient's.
        mirror: whether the same place on the brain's other side is meant.
    """

    region: str = BRAIN
    mirror: bool = False

    @property
    def labelled(self) -> bool:
        """Whether there is a label image."""
        return self.region != BRAIN

    @property
    def label(self) -> str:
        """For names of files, after a ratio's label."""
        return "RelativeTo" + ("OtherSide" if self.mirror else "Region" if self.labelled else "Brain")

    @property
    def name(self) -> str:
        """For sidecars: "median in the brain", "median in labels.nii.gz, the other side of it"."""
        where = self.region if self.labelled else "the brain"
        return f"median in {where}{', the other side of it' if self.mirror else ''}"


def parse_reference(region: str | None, mirror: bool, of_ratios: bool) -> Reference | None:
    """What a user's arguments say; None if ratios are wanted as they are.

    Args:
        region: see `Reference`.
        mirror: likewise.
        of_ratios: whether there are any ratios.

    Raises:
        InputError: for arguments that make no sense together.
    """
    if region and not of_ratios:
        raise InputError(
            "A reference is for ratios, a metabolite keeps its own units: ask for a ratio, or leave it out."
        )
    if mirror and region in (None, BRAIN):
        raise InputError("The other side needs a region to be opposite of: name a label image as the reference.")
    return Reference(str(region), mirror) if region else None

"""What can be asked for of a patient: a metabolite, or a ratio of some."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference_core.terms.conditions import resolve_metabolite
from inference_core.terms.ratios import Ratio
from inference_core.terms.reference import Reference

#: What stands for a segmentation's segments in the place of a label image.
SEGMENTS = "segments"
#: What a ratio's name ends with if it is in multiples of its median in some tissue.
TISSUES = {
    "of the brain's": Reference(),
    "of the segments'": Reference(SEGMENTS),
    "of the other side's": Reference(SEGMENTS, mirror=True),
}
_ENDINGS = {reference: f" {words}" for words, reference in TISSUES.items()}


@dataclass(frozen=True)
class Quantity:
    """A metabolite or a ratio.

    Attributes:
        metabolites: whose maps it needs, by their paper names.
        ratio: of these, or None for the metabolite itself.
        reference: the tissue in multiples of whose median the ratio is, or None.
    """

    metabolites: tuple[str, ...]
    ratio: Ratio | None = None
    reference: Reference | None = None

    @classmethod
    def parse(cls, text: str, reference: Reference | None = None) -> "Quantity":
        """What a text such as "NAA" or "tCho/NAA" names; aliases are understood, and names of quantities.

        Args:
            text: what the user wrote.
            reference: the tissue in multiples of whose median a ratio is wanted, unless the name says that.

        Raises:
            InputError: for anything else.
        """
        if "/" in text:
            for own, ending in _ENDINGS.items():
                if text.endswith(ending):
                    text, reference = text.removesuffix(ending), own
            ratio = Ratio.parse(text)
            return cls(ratio.metabolites, ratio, reference)
        return cls((resolve_metabolite(text),))

    @property
    def name(self) -> str:
        """For the user: "NAA", "tCho/NAA", "tCho/NAA of the brain's"."""
        name = self.ratio.name if self.ratio else self.metabolites[0]
        if self.reference is None:
            return name
        return name + _ENDINGS.get(self.reference, f" in multiples of its {self.reference.name}")

    @property
    def label(self) -> str:
        """For names of nodes and files: "NAA", "tChoOverNAA", "tChoOverNAARelativeToBrain"."""
        label = self.ratio.label if self.ratio else self.metabolites[0]
        return label + self.reference.label if self.reference else label

    @property
    def needs_segments(self) -> bool:
        """Whether it is in multiples of what is in segments, or opposite of them."""
        return self.reference is not None and self.reference.labelled

    def choose(self, found: Mapping[str, object]) -> dict[str, object]:
        """Of what there is by metabolite, what it needs.

        Raises:
            InputError: if something is missing.
        """
        if self.ratio:
            self.ratio.require(found)
        return {name: found[name] for name in self.metabolites}

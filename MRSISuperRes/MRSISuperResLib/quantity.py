"""What the panel can show: a metabolite, or a ratio of some."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference_core.conditions import resolve_metabolite
from inference_core.ratios import Ratio

#: What marks a ratio in multiples of its median in the brain.
_RELATIVE = " of the brain's"


@dataclass(frozen=True)
class Quantity:
    """A metabolite or a ratio.

    Attributes:
        metabolites: whose maps it needs, by their paper names.
        ratio: of these, or None for the metabolite itself.
        relative: whether the ratio is in multiples of its median in the brain.
    """

    metabolites: tuple[str, ...]
    ratio: Ratio | None = None
    relative: bool = False

    @classmethod
    def parse(cls, text: str, relative: bool = False) -> "Quantity":
        """What a text such as "NAA" or "tCho/NAA" names; aliases are understood, and names of quantities.

        Args:
            text: what the user wrote.
            relative: whether a ratio is wanted in multiples of its median in the brain.

        Raises:
            InputError: for anything else.
        """
        if "/" in text:
            ratio = Ratio.parse(text.removesuffix(_RELATIVE))
            return cls(ratio.metabolites, ratio, relative or text.endswith(_RELATIVE))
        return cls((resolve_metabolite(text),))

    @property
    def name(self) -> str:
        """For the user: "NAA", "tCho/NAA", "tCho/NAA of the brain's"."""
        name = self.ratio.name if self.ratio else self.metabolites[0]
        return name + _RELATIVE if self.relative else name

    @property
    def label(self) -> str:
        """For names of nodes and files: "NAA", "tChoOverNAA", "tChoOverNAARelative"."""
        label = self.ratio.label if self.ratio else self.metabolites[0]
        return f"{label}Relative" if self.relative else label

    def choose(self, found: Mapping[str, object]) -> dict[str, object]:
        """Of what there is by metabolite, what it needs.

        Raises:
            InputError: if something is missing.
        """
        if self.ratio:
            self.ratio.require(found)
        return {name: found[name] for name in self.metabolites}

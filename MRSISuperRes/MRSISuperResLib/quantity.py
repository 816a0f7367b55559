"""What the panel can show: a metabolite, or a ratio of some."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference_core.conditions import resolve_metabolite
from inference_core.ratios import Ratio


@dataclass(frozen=True)
class Quantity:
    """A metabolite or a ratio.

    Attributes:
        metabolites: whose maps it needs, by their paper names.
        ratio: of these, or None for the metabolite itself.
    """

    metabolites: tuple[str, ...]
    ratio: Ratio | None = None

    @classmethod
    def parse(cls, text: str) -> "Quantity":
        """What a text such as "NAA" or "tCho/NAA" names; aliases are understood.

        Raises:
            InputError: for anything else.
        """
        if "/" in text:
            ratio = Ratio.parse(text)
            return cls(ratio.metabolites, ratio)
        return cls((resolve_metabolite(text),))

    @property
    def name(self) -> str:
        """For the user: "NAA", "tCho/NAA"."""
        return self.ratio.name if self.ratio else self.metabolites[0]

    @property
    def label(self) -> str:
        """For names of nodes and files: "NAA", "tChoOverNAA"."""
        return self.ratio.label if self.ratio else self.metabolites[0]

    def choose(self, found: Mapping[str, object]) -> dict[str, object]:
        """Of what there is by metabolite, what it needs.

        Raises:
            InputError: if something is missing.
        """
        if self.ratio:
            self.ratio.require(found)
        return {name: found[name] for name in self.metabolites}

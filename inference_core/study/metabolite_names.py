"""Which of the names in a fit's output stand for the paper's metabolites, and what a file's name says of quality.

Several names may mean one metabolite: LCModel gives NAA and NAA+NAAG, Cr and Cr+PCr. The paper's is NAA without NAAG
where it was fitted alone, and the sum elsewhere; a part of a sum, such as Cr beside PCr, is no metabolite of the paper.
"""

import re
from collections.abc import Iterable
from typing import Literal

from inference_core.terms.conditions import METABOLITE_ALIASES, METABOLITES
from inference_core.terms.naming import NamedSignal, named_signals, shows_something_else, stem

#: For each metabolite its names, the one that is taken first.
_CHOICE = {
    metabolite: [metabolite, *(alias for alias, name in METABOLITE_ALIASES.items() if name == metabolite)]
    for metabolite in METABOLITES
}
#: Names, without regard to case, that mean something else once another is there: the part of a sum.
PART_BESIDE = {"cr": "pcr", "cho": "gpc"}

_QUALITIES = {
    "crlb": r"crlbs?|crbs?|%sd|sd|stdev|uncertainty|uncertainties",
    "snr": r"snr",
    "fwhm": r"fwhm|linewidth|lw",
}
_DESCRIBED = r"(?:desc-)?(?:quality[_-]?)?"
#: A word for a quality, with what may stand before it, ending where letters do or camel case says so.
_WORDS = {
    role: re.compile(rf"(?<![A-Za-z]){_DESCRIBED}(?i:{words})(?![a-z])|(?<=[a-z])(?:{words.upper()})(?![A-Za-z])")
    for role, words in _QUALITIES.items()
}


def chosen_names(names: Iterable[str]) -> dict[str, str]:
    """For each of the paper's metabolites that is there, the name that stands for it.

    Args:
        names: LCModel's, or any that `conditions.METABOLITE_ALIASES` has, in any case.
    """
    by_folded = {name.casefold(): name for name in names}
    chosen = {}
    for metabolite, choice in _CHOICE.items():
        for name in choice:
            folded = name.casefold()
            if folded in by_folded and PART_BESIDE.get(folded) not in by_folded:
                chosen[metabolite] = by_folded[folded]
                break
    return chosen


def quality_role(name: str) -> Literal["crlb", "snr", "fwhm"] | None:
    """What an image of a fit's quality shows, by its name: "K_01_sd_NAA", "NAA_snr.nii.gz"; None for other images."""
    found = [role for role, word in _WORDS.items() if word.search(stem(name))]
    return found[0] if len(found) == 1 else None


def named_signal(name: str) -> NamedSignal | None:
    """The signal that an image is about, be it its amount or a quality of its fit.

    Returns:
        The signal, in the spelling that says most where several say the same; None if none is named, or several that
        differ, or the image shows something else, such as a ratio or a mask.
    """
    text, role = stem(name), quality_role(name)
    if role:
        text = _WORDS[role].sub("", text)
    signals = named_signals(text)
    meanings = {signal.metabolite or signal.name for signal in signals}
    if len(meanings) != 1 or shows_something_else(text):
        return None
    return max(signals, key=lambda signal: len(signal.name))

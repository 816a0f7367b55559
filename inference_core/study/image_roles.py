"""What an image of a patient's folder is, by its name: T1, FLAIR, mask, metabolite map, or a quality of the fit."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference_core.imaging.absent import absent_content
from inference_core.study.metabolite_names import named_signal, quality_role
from inference_core.terms.naming import guess_mri, named_signals, stem, why_no_metabolite_map

_RESULT = re.compile("superres", re.IGNORECASE)
#: What this program's own folders hold beside maps.
_COMPANION = re.compile(r"(?:^|_)desc-(?:truth|valid|tumour|quality)(?:_|$)", re.IGNORECASE)
_MASK = re.compile(r"(?<![a-z])(?:brain[ _\-]?|bet[ _\-]?|t1[ _\-]?)?mask(?![a-z])")
_NO_BRAIN = re.compile(r"tumou?r|lesion|gtv|edema|oedema|csf|white|gr[ae]y|wm|gm|skull|head|desc-valid|water")
#: BIDS's suffixes of spectra.
_SPECTRA = re.compile(r"(?:^|_)(?:svs|mrsi|mrsref|unloc)$", re.IGNORECASE)
#: Words of images that are nothing of spectroscopy.
_OTHER_MRI = re.compile(
    r"(?<![a-z])(?:t[12]|flair|mp2?rage|pdw?|dwi|dti|fa|md|adc|swi|swan|asl|cbf|cbv|dsc|dce|bold|epi|mra|tof|ct|pet|"
    r"[a-z]*mask|seg|segmentation|dseg|probseg|labels?|lesions?|tumou?r|tissue|pve|brain|head|warp|xfm|fieldmap|"
    r"phasediff|localizer|scout)(?![a-z])|(?<![a-z])t[12][a-z]+"
)


@dataclass(frozen=True)
class ImageRole:
    """What an image is.

    Attributes:
        kind: "T1", "FLAIR", "mask" of the brain, "map" of a signal's amount, "quality" of a fit, "result" of this
            program, "companion" of its own maps, "other".
        reason: why it is no map of one of the network's metabolites, a clause; "" for those that are, and for what
            does not look like a map.
    """

    kind: Literal["T1", "FLAIR", "mask", "map", "quality", "result", "companion", "other"]
    reason: str = ""


def image_role(path: Path, spectroscopy: bool = True) -> ImageRole:
    """What an image is, by its name.

    Args:
        path: of the image.
        spectroscopy: whether its folder is one of spectroscopy, so that an unknown name looks like a map.
    """
    name = stem(path.name)
    folded = name.casefold()
    if mri := guess_mri(path.name):
        return ImageRole(mri)
    if _RESULT.search(name):
        return ImageRole("result")
    if _MASK.search(folded):
        return ImageRole("mask" if not _NO_BRAIN.search(folded) else "other")
    if _COMPANION.search(name):
        return ImageRole("companion")
    reason = why_no_metabolite_map(path.name)
    signal, quality = named_signal(path.name), quality_role(path.name)
    if quality and (signal or not named_signals(name)):
        return ImageRole("quality", reason)
    if signal:
        return ImageRole("map", reason)
    if named_signals(name):
        return ImageRole("other", reason)
    if not spectroscopy and _OTHER_MRI.search(folded):
        return ImageRole("other")
    if absent := absent_content(path):
        return ImageRole("other", absent)
    if _SPECTRA.search(name):
        return ImageRole("other", "by its name it holds spectra, not a map of concentrations: fit them first")
    return ImageRole("other", reason)

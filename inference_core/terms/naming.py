"""What an image shows, guessed from the name of its file or node: which metabolite, or which MRI contrast."""

import re
from dataclasses import dataclass

from inference_core.terms.conditions import METABOLITE_ALIASES, METABOLITES

#: Endings of image files that are read; of two-part formats, that of the header.
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr.gz", ".hdr", ".mnc", ".gipl.gz", ".gipl")
#: Endings of images in formats that are not read, and of arrays.
_OTHER_IMAGES = (
    *(".mgz", ".mgh", ".nii.bz2", ".nii.xz", ".nii.zst", ".brik", ".brik.gz", ".vtk", ".vti", ".dcm", ".ima"),
    *(".img", ".img.gz", ".tif", ".tiff", ".npy"),
)
_ARRAYS = (".mat", ".npz")

#: Spellings in files beside LCModel's, of signals that stand for the paper's metabolites: words, and sums that lost
#: their plus sign or name phosphocholine as FSL-MRS does.
_SPELLINGS = {
    "choline": "tCho",
    "GPCPCh": "GPC+PCh",
    "PChGPC": "GPC+PCh",
    "GPCPCho": "GPC+PCh",
    "PChoGPC": "GPC+PCh",
    "PCh+GPC": "GPC+PCh",
    "GPC+PCho": "GPC+PCh",
    "PCho+GPC": "GPC+PCh",
    "creatine": "tCr",
    "CrPCr": "Cr+PCr",
    "PCrCr": "Cr+PCr",
    "PCr+Cr": "Cr+PCr",
    "NAANAAG": "NAA+NAAG",
    "NAAG+NAA": "NAA+NAAG",
    "NAAGNAA": "NAA+NAAG",
    "N-acetylaspartate": "NAA",
    "glycine": "Gly",
    "glutamine": "Gln",
    "glutamate": "Glu",
    "inositol": "Ins",
    "myoinositol": "Ins",
    "myo-inositol": "Ins",
    "myo_Ins": "myo-Ins",
    "myoIns": "myo-Ins",
}
#: Signals that the network was not trained on, parts of sums included, with their other spellings.
_OTHERS = {
    "NAAG": ("N-acetylaspartylglutamate",),
    "GPC": ("glycerophosphocholine",),
    "PCh": ("PCho", "phosphocholine", "phosphorylcholine"),
    "PCr": ("phosphocreatine",),
    "Glx": ("Glu+Gln", "Gln+Glu", "GluGln", "GlnGlu"),
    "GABA": (),
    "GSH": ("glutathione",),
    "Lac": ("lactate",),
    "Tau": ("taurine",),
    "Asp": ("aspartate",),
    "Ala": ("alanine",),
    "Asc": ("ascorbate",),
    "Glc": ("glucose",),
    "2HG": (),
    "Lip": ("lipid", "lipids"),
    "Scyllo": ("scyllo-Ins", "scylloIns", "scyllo-inositol", "sIns"),
}
#: Pairs whose sum is one of ours.
_SUMS = {
    frozenset({"gpc", "pch"}): "GPC+PCh",
    frozenset({"gpc", "pcho"}): "GPC+PCh",
    frozenset({"cr", "pcr"}): "Cr+PCr",
    frozenset({"naa", "naag"}): "NAA+NAAG",
}
#: The signals that a total is made of.
PARTS_OF_SUMS = {"GPC+PCh": ("GPC", "PCh"), "Cr+PCr": ("Cr", "PCr"), "NAA+NAAG": ("NAA", "NAAG")}
#: Words for images that hold something else than the amount of what they name, and what that is.
_NOT_AMOUNTS = {
    "a ratio": ("ratio", "ratios", "over"),
    "a Cramer-Rao bound or another error": (
        *("crlb", "crlbs", "crb", "sd", "std", "stdev", "err", "error", "uncertainty", "uncertainties"),
    ),
    "a linewidth": ("fwhm", "linewidth", "lw"),
    "a signal-to-noise ratio": ("snr",),
    "a quality of the fit": ("quality", "qc"),
    "a mask or label image": ("mask", "valid", "seg", "label"),
    "a part of the spectrum": ("residual", "baseline"),
    "a z-score": ("zscore", "zscores"),
}
_WORD_MEANINGS = {word: meaning for meaning, words in _NOT_AMOUNTS.items() for word in words}

#: The signals that stand for one of the paper's metabolites.
_MEANINGS = dict(zip(METABOLITES, METABOLITES, strict=True)) | METABOLITE_ALIASES
#: Every spelling, without regard to case, and the signal that it means.
_KNOWN = (
    {name.casefold(): name for name in (*_MEANINGS, *_OTHERS)}
    | {spelling.casefold(): name for name, spellings in _OTHERS.items() for spelling in spellings}
    | {spelling.casefold(): name for spelling, name in _SPELLINGS.items()}
)

# A name begins and ends where letters do, or where camel case says so; "map" and the like may follow at once.
_BEGIN = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
_END = r"(?=$|[^A-Za-z]|[A-Z][a-z]|(?i:map|conc|image|img|amp)(?![a-z]))"
_MENTION = re.compile(f"{_BEGIN}(?i:{'|'.join(re.escape(n) for n in sorted(_KNOWN, key=len, reverse=True))}){_END}")
#: What may stand between the parts of a sum.
_PLUS = re.compile(r"\s*\+\s*|[_\- ]|[_ ]?plus[_ ]?")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Whose data it is, which of several or where it lies, not what it shows.
_ELSEWHERE = re.compile(r"(?:^|(?<=_))(?:sub|ses|space|run)-[A-Za-z0-9]+(?:_|$)")

# "sT1W_3D_TFE" and "3DT1" are scanners' names, UNIT1 is BIDS's of an MP2RAGE's uniform image, t1n and t2f BraTS's.
_T1 = re.compile(
    r"(?<![a-z])(?:(?:uni|s?(?:3d)?)t1(?:w|n|weighted)?(?:3d)?|(?:me|t1)?mp-?rage|(?:ir)?-?f?spgr|bravo)(?![a-z0-9])"
)
_FLAIR = re.compile(r"(?<![a-z])(?:s?(?:3d)?(?:t2)?flair(?:3d)?|t2f|dark-?fluid|da-?fl)(?![a-z])")
#: Words for contrast agent, maps of T1, masks, and the inversions that an MP2RAGE is made of.
_NOT_PLAIN_T1 = re.compile(
    r"(?<![a-z])(?:t1(?:c|ce|gd|gad|km|post|map|rho)|c|ce|gd|gad|gado|gadolinium|km|post|postcontrast|map|inv-?[0-9]"
    r"|(?<!pre[ _\-])(?<!non[ _\-])(?<!no[ _\-])contrast)(?![a-z])"
)
_NOT_MRI = re.compile(r"(?<![a-z])(?:[a-z]*mask|seg|segmentation|label|labels|labelmap|lesion|lesions)(?![a-z])")
#: "FLAIR_to_T1" is a FLAIR, registered.
_REGISTERED = re.compile(r"[ _\-](?:to|in|on|2|reg)[ _\-].*$|(?<=flair)2.*$|(?<=t1)2.*$|(?<=t1w)2.*$")

#: BIDS's first entity, at the beginning of a name.
_SUBJECT = re.compile(r"(?:(?<=[/\\])|^)sub-[A-Za-z0-9]+(?=_)")


def stem(name: str) -> str:
    """A file's name without its folder and ending, in any case; any other name as it is."""
    for ending in IMAGE_ENDINGS:
        if name.casefold().endswith(ending):
            return re.split(r"[/\\]", name[: -len(ending)])[-1]
    return name


def is_image(name: str) -> bool:
    """Whether a file's name ends as an image's does."""
    return name.casefold().endswith(IMAGE_ENDINGS)


def is_unread_image(name: str) -> bool:
    """Whether a file is named as a T1, a FLAIR or a metabolite's map, in a format that is not read.

    Of a pair such as NAA.hdr and NAA.img, the latter is one, too.
    """
    folded = name.casefold()
    if folded.endswith(_OTHER_IMAGES) and guess_mri(name):
        return True
    return folded.endswith((*_OTHER_IMAGES, *_ARRAYS)) and bool(named_signals(name))


@dataclass(frozen=True)
class NamedSignal:
    """A signal of a spectrum that an image's name mentions.

    Attributes:
        name: in LCModel's spelling, such as "NAA", "GPC+PCh", "PCr" or "Glx".
        metabolite: the paper's name of it, None where it is none of `conditions.METABOLITES`.
    """

    name: str
    metabolite: str | None


def named_signals(name: str) -> list[NamedSignal]:
    """The signals that a name mentions, each once, in order; sums count as one.

    Args:
        name: of a file or node, such as "sub-01_GPC+PCh.nii.gz" or "K01 Cho map". LCModel's names are understood, and
            those of FSL-MRS, SIVIC, Osprey and MIDAS; the plus sign of a sum may also be "_" or "-".
    """
    text = _ELSEWHERE.sub("", stem(name))
    mentions = list(_MENTION.finditer(text))
    found, index = [], 0
    while index < len(mentions):
        pair = mentions[index : index + 2]
        total = _SUMS.get(frozenset(mention.group().casefold() for mention in pair))
        if total and _PLUS.fullmatch(text, pair[0].end(), pair[1].start()):
            found.append(total)
            index += 2
        else:
            found.append(_KNOWN[mentions[index].group().casefold()])
            index += 1
    return [NamedSignal(signal, _MEANINGS.get(signal)) for signal in dict.fromkeys(found)]


def guess_metabolite(name: str) -> str | None:
    """The metabolite whose amount an image shows, by the paper's name.

    Args:
        name: see `named_signals`.

    Returns:
        One of `conditions.METABOLITES`. None if none is named, two different ones are, or the image shows something
        else about it: a ratio, a Cramér-Rao bound, a linewidth, a mask.
    """
    found = {signal.metabolite for signal in named_signals(name)}
    return found.pop() if len(found) == 1 and not shows_something_else(name) else None


def why_no_metabolite_map(name: str) -> str:
    """Why an image is not taken for the map of one of the paper's metabolites, a clause for the user; "" if it is."""
    if guess_metabolite(name):
        return ""
    what = shows_something_else(name)
    if what:
        return f"by its name it shows {what}"
    signals = named_signals(name)
    if not signals:
        return "its name contains no metabolite"
    if len(signals) > 1:
        listed = " and ".join(signal.name for signal in signals)
        return f"its name contains {listed}, which may be a ratio: give each metabolite a map of its own"
    (signal,) = signals
    total = next((total for total, parts in PARTS_OF_SUMS.items() if signal.name in parts), None)
    part = f" but a part of {total}" if total else ""
    return f"{signal.name} is none of the network's metabolites{part}"


def shows_something_else(name: str) -> str:
    """What an image shows that is not an amount, by its name; "" if nothing says so."""
    text = _ELSEWHERE.sub("", stem(name))
    if any(text[mention.end() :].lstrip().startswith("/") for mention in _MENTION.finditer(text)):
        return "a ratio"
    if "%" in text:
        return "a percentage"
    words = [word.casefold() for word in _WORD.findall(text)]
    # "qmask", "brainmask" and the like.
    words = ["mask" if word.endswith("mask") else word for word in words]
    return next((_WORD_MEANINGS[word] for word in words if word in _WORD_MEANINGS), "")


def guess_mri(name: str) -> str | None:
    """Whether an image is a T1 without contrast agent or a FLAIR.

    Args:
        name: of a file or node, such as "sub-01_T1w.nii.gz" or "T2-FLAIR".

    Returns:
        "T1", "FLAIR", or None: neither or both are named, or it is a mask, a map of T1, or a T1 with contrast agent.
    """
    name = _REGISTERED.sub("", _ELSEWHERE.sub("", stem(name)).casefold())
    if _NOT_MRI.search(name):
        return None
    t1, flair = _T1.search(name), _FLAIR.search(name)
    if t1 and flair:
        return None
    if flair:
        return "FLAIR"
    return "T1" if t1 and not _NOT_PLAIN_T1.search(name) else None


def subject_of(name: str) -> str | None:
    """The patient that a file or node is named for, as BIDS has it: "sub-01" of "sub-01_NAA.nii.gz"; else None."""
    found = _SUBJECT.search(name)
    return found.group() if found else None

"""What an image shows, guessed from the name of its file or node: which metabolite, or which MRI contrast."""

import re

from inference_core.terms.conditions import METABOLITE_ALIASES, METABOLITES

#: Endings of image files that SimpleITK reads; of two-part formats, that of the header.
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".mnc", ".gipl.gz", ".gipl")

#: Names in files beside those of `METABOLITE_ALIASES`: words, and sums that lost their plus sign.
_MORE_NAMES = {
    "choline": "tCho",
    "GPCPCh": "tCho",
    "PChGPC": "tCho",
    "creatine": "tCr",
    "CrPCr": "tCr",
    "PCrCr": "tCr",
    "NAANAAG": "NAA",
    "N-acetylaspartate": "NAA",
    "glycine": "Gly",
    "glutamine": "Gln",
    "glutamate": "Glu",
    "inositol": "Ins",
    "myoinositol": "Ins",
    "myo-inositol": "Ins",
    "myo_Ins": "Ins",
    "myoIns": "Ins",
}
#: Metabolites that the network was not trained on, parts of sums included.
_OTHERS = (
    *("NAAG", "GPC", "PCh", "PCr", "Glx", "GABA", "GSH", "Lac", "Tau", "Asp", "Ala", "Glc", "2HG", "Lip"),
    *("phosphocreatine", "phosphocholine", "glycerophosphocholine", "scyllo", "scyllo-Ins", "scylloIns", "sIns"),
)
#: Pairs whose sum is one of ours.
_SUMS = {frozenset({"gpc", "pch"}): "tCho", frozenset({"cr", "pcr"}): "tCr", frozenset({"naa", "naag"}): "NAA"}
#: Words for maps that hold something else than the amount of the metabolite that they name.
_NOT_AMOUNTS = {
    *("ratio", "ratios", "over", "crlb", "crlbs", "crb", "sd", "std", "stdev", "err", "error", "uncertainty"),
    *("fwhm", "linewidth", "lw", "snr", "quality", "qc", "mask", "valid", "seg", "label", "residual", "baseline"),
}

#: Every name, without regard to case, and which of ours it means; None for the others.
_KNOWN = {
    alias.casefold(): name
    for alias, name in (dict(zip(METABOLITES, METABOLITES, strict=True)) | METABOLITE_ALIASES | _MORE_NAMES).items()
} | {name.casefold(): None for name in _OTHERS}

# A name begins and ends where letters do, or where camel case says so; "map" and the like may follow at once.
_BEGIN = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
_END = r"(?=$|[^A-Za-z]|[A-Z][a-z]|(?i:map|conc|image|img|amp)(?![a-z]))"
_MENTION = re.compile(f"{_BEGIN}(?i:{'|'.join(re.escape(n) for n in sorted(_KNOWN, key=len, reverse=True))}){_END}")
#: What may stand between the parts of a sum.
_PLUS = re.compile(r"\s*\+\s*|[_\- ]|[_ ]?plus[_ ]?")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Whose data it is, which of several or where it lies, not what it shows.
_ELSEWHERE = re.compile(r"(?:^|(?<=_))(?:sub|ses|space|run)-[A-Za-z0-9]+(?:_|$)")

_T1 = re.compile(r"(?<![a-z])(?:t1(?:w|weighted)?|(?:me|t1)?mp-?rage|spgr|bravo)(?![a-z0-9])")
_FLAIR = re.compile(r"(?<![a-z])(?:(?:t2)?flair|dark-?fluid|da-?fl)(?![a-z])")
#: Words for contrast agent, maps of T1 and masks.
_NOT_PLAIN_T1 = re.compile(
    r"(?<![a-z])(?:t1(?:c|ce|gd|gad|km|post|map|rho)|c|ce|gd|gad|gado|gadolinium|km|post|postcontrast|map"
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


def guess_metabolite(name: str) -> str | None:
    """The metabolite whose amount an image shows, by the paper's name.

    Args:
        name: of a file or node, such as "sub-01_GPC+PCh.nii.gz" or "K01 Cho map". LCModel's names are understood;
            the plus sign of a sum may also be "_" or "-".

    Returns:
        One of `conditions.METABOLITES`. None if none is named, two different ones are, or the image shows something
        else about it: a ratio, a Cramér-Rao bound, a linewidth, a mask.
    """
    name = _ELSEWHERE.sub("", stem(name))
    if "%" in name or _NOT_AMOUNTS & {word.casefold() for word in _WORD.findall(name)}:
        return None
    mentions = list(_MENTION.finditer(name))
    if any(name[mention.end() :].lstrip().startswith("/") for mention in mentions):
        return None
    found: set[str | None] = set()
    index = 0
    while index < len(mentions):
        pair = mentions[index : index + 2]
        total = _SUMS.get(frozenset(mention.group().casefold() for mention in pair))
        if total and _PLUS.fullmatch(name, pair[0].end(), pair[1].start()):
            found.add(total)
            index += 2
        else:
            found.add(_KNOWN[mentions[index].group().casefold()])
            index += 1
    return found.pop() if len(found) == 1 else None


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

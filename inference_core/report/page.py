"""The page itself: A4 landscape; its pictures fill the space that the text leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from inference_core.report.markup import document, element

_STYLE = Path(__file__).with_name("page.css")


@dataclass(frozen=True)
class Page:
    """What the page says.

    Attributes:
        patient: what to call the patient.
        made: when.
        sharpness: lambda.
        shown: which slices.
        notices: what must not be overlooked; the first is the most important.
        figures: from `figures.figures`.
        numbers: from `region_numbers.numbers_table`.
        notes: how to read figures and numbers.
        sources: names of files or nodes, by what they are.
        facts: how all was made, by what to call it.
        warnings: of the input; for none, the page says so.
        further: regions that the page has no room for, as another table, or None.
    """

    patient: str
    made: datetime
    sharpness: float
    shown: str
    notices: Sequence[str]
    figures: Element
    numbers: Element
    notes: Sequence[str]
    sources: Mapping[str, str]
    facts: Mapping[str, str]
    warnings: Sequence[str]
    further: Element | None


def html(page: Page) -> str:
    """The page as an HTML document that needs no other file."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", f"{page.patient}: super-resolved MRSI"),
        element("style", _STYLE.read_text(encoding="utf-8")),
    )
    sheets = [element("section", _header(page), page.figures, page.numbers, _foot(page), class_="sheet")]
    if page.further is not None:
        title = element("h2", f"{page.patient}: further regions")
        sheets.append(element("section", _notices(page), title, page.further, class_="sheet"))
    return document(element("html", head, element("body", sheets), lang="en"))


def _header(page: Page) -> list[Element]:
    made = page.made.strftime("%Y-%m-%d %H:%M")
    line = element(
        "header",
        element("h1", page.patient),
        element("p", "metabolite maps from MRSI, super-resolved, ", element("b", f"λ = {page.sharpness:g}")),
        element("p", page.shown),
        element("p", f"made on {made}", class_="made"),
    )
    return [line, _notices(page)]


def _notices(page: Page) -> Element:
    first, *rest = page.notices
    return element("p", element("b", first), [f" {sentence}" for sentence in rest], class_="notices")


def _foot(page: Page) -> Element:
    warnings = [element("li", sentence) for sentence in page.warnings] or [element("li", "none")]
    kind = "warnings some" if page.warnings else "warnings"
    return element(
        "footer",
        element("div", element("h2", "Warnings"), element("ul", warnings), class_=kind),
        element("h2", "How it was made"),
        _list(page.facts),
        element("h2", "Inputs"),
        _list(page.sources),
        element("h2", "How to read it"),
        element("p", " ".join(page.notes)),
    )


def _list(entries: Mapping[str, str]) -> Element:
    entry = [element("p", element("i", f"{name}: "), text) for name, text in entries.items()]
    return element("div", entry, class_="list")

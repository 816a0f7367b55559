"""HTML pages of text, tables and figures that need no other file: quality pages, the report on the paper's results."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from inference_core.report.markup import Content, document, element

_STYLE = Path(__file__).with_name("article.css")


def article(title: str, *content: Content, heading: str | None = None) -> str:
    """A page as an HTML document.

    Args:
        title: of the window.
        content: text and elements, in order.
        heading: on the page; None for the title.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", title),
        element("style", _STYLE.read_text(encoding="utf-8")),
    )
    body = element("body", element("h1", title if heading is None else heading), content)
    return document(element("html", head, body, lang="en"))


def notice(*content: Content, failed: bool = False) -> Element:
    """A paragraph that must not be overlooked."""
    return element("p", content, class_="failed" if failed else "notice")


def table(rows: Iterable[Sequence[Content]], header: Sequence[Content] = (), muted: int = 0) -> Element:
    """A table.

    Args:
        rows: of cells.
        header: cells of the first row; none if empty.
        muted: how many of the last columns are grey, since they are not our own.
    """

    def row(tag: str, cells: Sequence[Content]) -> Element:
        own = len(cells) - muted
        return element("tr", [element(tag, cell, class_="muted" if i >= own else None) for i, cell in enumerate(cells)])

    return element("table", row("th", header) if header else None, [row("td", cells) for cells in rows])


def figure(title: str, png: bytes, caption: str | None = None) -> Element:
    """A picture.

    Args:
        title: what it shows, for those who can't see it.
        png: the file's content.
        caption: below it.
    """
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    below = element("figcaption", caption) if caption else None
    return element("figure", element("img", alt=title, src=source), below)

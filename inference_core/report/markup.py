"""HTML as a tree of elements, so that whatever names hold is escaped by construction."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

#: What an element may hold; None is nothing.
Content = str | Element | None | Iterable["Content"]


def element(tag: str, *content: Content, **attributes: str | float | None) -> Element:
    """An HTML or SVG element.

    Args:
        tag: its name.
        content: text and elements, in order.
        attributes: by name; `class_` is class, and other underscores are hyphens. None leaves one out.
    """
    names = {name: "class" if name == "class_" else name.replace("_", "-") for name in attributes}
    made = Element(tag, {names[name]: str(value) for name, value in attributes.items() if value is not None})
    _append(made, content)
    return made


def _append(parent: Element, content: Content) -> None:
    if content is None:
        return
    if isinstance(content, Element):
        parent.append(content)
    elif not isinstance(content, str):
        for part in content:
            _append(parent, part)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + content
    else:
        parent.text = (parent.text or "") + content


def document(root: Element) -> str:
    """A whole HTML document of its root element."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"

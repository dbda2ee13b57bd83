"""Mark-up by functions. Text is escaped here and nowhere else: what is not Html already, is text.

The result is both HTML and well-formed XML: every element is closed, every attribute quoted.
"""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset(("br", "hr", "img", "link", "meta"))  # have no end tag in HTML


class Html(str):
    """Mark-up, made by the functions of this module."""

    __slots__ = ()


Part: TypeAlias = "str | int | Iterable[Part] | None"  # a child: mark-up, text, nothing, or several of these
Attribute: TypeAlias = "str | int | float | bool | None"


def join(*parts: Part) -> Html:
    """These parts one after another; plain text is escaped."""
    return Html("".join(_flat(parts)))


def tag(name: str, /, *parts: Part, **attributes: Attribute) -> Html:
    """One element. In the name of an attribute `_` stands for `-`, and one at its end is dropped (`class_`).

    An attribute of None or False is left out; True gives its own name as value.
    """
    start = f"{name}{_written(attributes)}"
    if name in _VOID:
        return Html(f"<{start}/>")
    return Html(f"<{start}>{join(*parts)}</{name}>")


def _flat(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        if isinstance(part, Html):
            yield part
        elif isinstance(part, str):
            yield escape(part)
        elif isinstance(part, int):
            yield str(part)
        elif part is not None:
            yield from _flat(part)


def _written(attributes: dict[str, Attribute]) -> str:
    written = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        shown = name.rstrip("_").replace("_", "-")
        text = shown if value is True else f"{value:.10g}" if isinstance(value, float) else str(value)
        written.append(f' {shown}="{escape(text)}"')
    return "".join(written)


def table(caption: str, heads: Iterable[Part], rows: Iterable[Html], *, class_: str | None = None) -> Html:
    """A table whose columns have headers, in a region of its own that scrolls sideways when it must."""
    return tag("div", tag(
        "table", tag("caption", caption),
        tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads])),
        tag("tbody", rows), class_=class_,
    ), class_="wide", role="region", aria_label=caption, tabindex=0)


def row(head: Part, *cells: Part) -> Html:
    """A row of a table, with the header that names it."""
    return tag("tr", tag("th", head, scope="row"), [tag("td", cell) for cell in cells])

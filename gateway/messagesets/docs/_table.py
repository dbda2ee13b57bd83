"""An element's table on the page: its parts by depth, how often, of what type, and what the schema says of them."""

from collections.abc import Callable, Iterable

from gateway.messagesets.docs._elements import Row
from gateway.messagesets.docs._html import Html, Part, join, row, table, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._simple import Simple, Value

_FEW = 6  # more values than this are folded
_DEEPEST = 9  # the style sheet indents as far
_KINDS = {
    "string": ("tekst", "text"), "normalizedString": ("tekst op één regel", "text on one line"),
    "token": ("tekst op één regel", "text on one line"), "boolean": ("ja of nee (true, false)",
                                                                     "yes or no (true, false)"),
    "date": ("datum", "date"), "dateTime": ("datum en tijd", "date and time"), "time": ("tijd", "time"),
    "gYear": ("jaar", "year"), "gYearMonth": ("jaar en maand", "year and month"), "gMonth": ("maand", "month"),
    "duration": ("tijdsduur", "duration"), "decimal": ("getal", "number"), "integer": ("geheel getal", "whole number"),
    "int": ("geheel getal", "whole number"), "long": ("geheel getal", "whole number"),
    "short": ("geheel getal", "whole number"), "nonNegativeInteger": ("geheel getal vanaf 0", "whole number from 0"),
    "positiveInteger": ("geheel getal vanaf 1", "whole number from 1"), "anyURI": ("adres (URI)", "address (URI)"),
    "base64Binary": ("bestand in base64", "file in base64"), "hexBinary": ("octetten in hex", "octets in hex"),
    "language": ("taalcode", "language code"), "union": ("een van meer typen", "one of several types"),
    "list": ("lijst, gescheiden door spaties", "list, separated by spaces"), "anyType": ("vrij", "free"),
}
_FACETS = {
    "length": ("precies {} {}", "exactly {} {}"), "minLength": ("ten minste {} {}", "at least {} {}"),
    "maxLength": ("ten hoogste {} {}", "at most {} {}"), "minInclusive": ("ten minste {}", "at least {}"),
    "maxInclusive": ("ten hoogste {}", "at most {}"), "minExclusive": ("meer dan {}", "more than {}"),
    "maxExclusive": ("minder dan {}", "less than {}"), "totalDigits": ("ten hoogste {} cijfers", "at most {} digits"),
    "fractionDigits": ("ten hoogste {} decimalen", "at most {} decimals"),
}
_RANGES = (
    (("minLength", "maxLength"), "{} tot en met {} {}", "{} to {} {}"),
    (("minInclusive", "maxInclusive"), "{} tot en met {}", "{} to {}"),
)


def element_table(rows: Iterable[Row], lang: Lang, caption: str, link: Callable[[str], str], basis: str) -> Html:
    """The table; `link` gives the page of a global element (Clark name), `basis` the address of the legend."""
    shown = [one for one in rows if one.depth]
    if not shown:
        return tag("p", lang("Dit element heeft geen inhoud.", "This element has no content."))
    heads = (lang("Element", "Element"), lang("Aantal", "Occurs"), lang("Type en waarden", "Type and values"),
             lang("Uitleg", "Explanation"), tag("a", lang("Grond", "Basis"), href=basis))
    return table(caption, heads, [_row(one, lang, link) for one in shown], class_="elements")


def _row(one: Row, lang: Lang, link: Callable[[str], str]) -> Html:
    depth = one.depth - 1
    level = tag("span", lang(f"niveau {one.depth}: ", f"level {one.depth}: "), class_="vh") if depth else None
    name = tag("span", level, _name(one, lang), class_=f"d{min(depth, _DEEPEST)}" if depth else None)
    often = tag("span", _often(one), class_="must" if one.lowest else None)
    return row(name, often, _type(one, lang, link), lang.dutch(one.words.text),
               tag("span", lang.dutch(one.words.basis), class_="basis"))


def _name(one: Row, lang: Lang) -> Part:
    if one.kind == "choice":
        return tag("em", lang("keuze uit:", "one of:"))
    if one.kind == "sequence":
        return tag("em", lang("samen:", "together:"))
    if one.kind == "any":
        return tag("em", lang("een element uit een andere namespace", "an element of another namespace"))
    return tag("code", f"@{one.name}" if one.kind == "attribute" else one.name)


def _often(one: Row) -> str:
    highest = "∞" if one.highest is None else str(one.highest)
    return highest if str(one.lowest) == highest else f"{one.lowest}–{highest}"


def _type(one: Row, lang: Lang, link: Callable[[str], str]) -> Part:
    if one.elsewhere:
        return tag("a", lang("eigen pagina", "page of its own"), href=link(one.elsewhere))
    name = tag("code", one.type_name, class_="quiet") if one.type_name else None
    if one.simple is not None:
        return join(_described(one.simple, lang), tag("div", name) if name else None, _folded(one.simple, lang))
    if one.repeated:
        return join(name, lang(": dezelfde onderdelen als hierboven", ": the same parts as above"))
    return name


def _described(simple: Simple, lang: Lang) -> Html:
    """A simple type in words, or its values."""
    if simple.values:
        return _values(simple.values, lang)
    unit = lang("octetten", "octets") if simple.base.endswith("Binary") else lang("tekens", "characters")
    kind = lang(*_KINDS[simple.base]) if simple.base in _KINDS else simple.base
    facets = dict(simple.facets)
    words = [kind]
    for pair, nl, en in _RANGES:
        if all(name in facets for name in pair):
            words.append(lang(nl, en).format(*(facets.pop(name) for name in pair), unit))
    words += [lang(*_FACETS[name]).format(value, unit) for name, value in facets.items() if name in _FACETS]
    return join(", ".join(words))


def _values(values: tuple[Value, ...], lang: Lang) -> Html:
    items = tag("ul", [tag("li", tag("code", one.value), join(" ", lang.dutch(one.text)) if one.text else None)
                       for one in values])
    if len(values) <= _FEW:
        return items
    return tag("details", tag("summary", lang(f"{len(values)} waarden", f"{len(values)} values")), items)


def _folded(simple: Simple, lang: Lang) -> Part:
    if simple.values or not simple.patterns:
        return None
    return tag("details", tag("summary", lang("patroon", "pattern")),
               [tag("div", tag("code", pattern)) for pattern in simple.patterns])

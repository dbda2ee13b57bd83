"""Writing XML in its own exclusive canonical form, so that what is written is what is digested.

Canonical XML 1.0 §2.3, Exclusive XML Canonicalization 1.0 §3: no empty-element tags, attributes in double quotes,
namespace declarations where they are first visibly used, sorted; these escapes and no others.
"""

from datetime import UTC, datetime

from gateway.names import PREFIXES


def text(value: str) -> str:
    """Character data in canonical form."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def attribute(value: str) -> str:
    """An attribute's value in canonical form."""
    return (
        value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        .replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
    )


def declare(*prefixes: str) -> str:
    """Namespace declarations for these prefixes of names.PREFIXES, in canonical order."""
    return "".join(f' xmlns:{prefix}="{PREFIXES[prefix]}"' for prefix in sorted(prefixes))


def leaf(name: str, value: str | None) -> str:
    """`<name>value</name>`; nothing at all when the value is None."""
    return "" if value is None else f"<{name}>{text(value)}</{name}>"


def stamp(moment: datetime) -> str:
    """A UTC time as the wire has it: milliseconds and Z (BSP R3217, R3220)."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:23] + "Z"

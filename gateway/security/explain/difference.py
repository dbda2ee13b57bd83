"""Two strings of octets side by side, from the first that differs. For who explains own messages; never for a fault."""

_AROUND = 40


def difference(part: str, signed: bytes, seen: bytes) -> list[str]:
    """What the sender says it signed and what the hub digests, around the first difference; none when equal."""
    if signed == seen:
        return []
    at = next((index for index, pair in enumerate(zip(signed, seen, strict=False)) if pair[0] != pair[1]),
              min(len(signed), len(seen)))
    return [
        f"{part}: octet {at} (signed {len(signed)}, here {len(seen)})",
        f"  signed: {_around(signed, at)}",
        f"  here:   {_around(seen, at)}",
        f"          {' ' * _width(signed, at)}^",
    ]


def _around(octets: bytes, at: int) -> str:
    start = max(0, at - _AROUND)
    return ("…" if start else "") + _shown(octets[start:at + _AROUND]) + ("…" if at + _AROUND < len(octets) else "")


def _width(octets: bytes, at: int) -> int:
    start = max(0, at - _AROUND)
    return (1 if start else 0) + len(_shown(octets[start:at]))


def _shown(octets: bytes) -> str:
    """Every octet visible: white space by name, the rest as text or \\x."""
    text = octets.decode("utf-8", "backslashreplace")
    names = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\ufeff": "\\ufeff"}
    return "".join(names.get(one, one if one.isprintable() else f"\\x{ord(one):02x}") for one in text)

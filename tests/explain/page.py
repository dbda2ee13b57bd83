"""docs/explain.md: its list of diagnoses is written from the words in the code, by `python -m tests.explain`."""

from pathlib import Path

from gateway.security.explain import TITLES, _words_certificate, _words_envelope, _words_security, _words_signature

PAGE = Path(__file__).parent.parent.parent / "docs" / "explain.md"
START = "<!-- from here on written by: python -m tests.explain -->\n"
_SECTIONS = (
    ("The envelope, its addressing and the operation", _words_envelope.WORDS),
    ("Security header, algorithms, References, Timestamp", _words_security.WORDS),
    ("Digests and SignatureValue", _words_signature.WORDS),
    ("Certificate and identities", _words_certificate.WORDS),
)


def written() -> str:
    """The part of the page that is written."""
    checks = ", ".join(f"`{name}` {title[1]}" for name, title in TITLES.items())
    lines = [f"Checks, in this order: {checks}.\n"]
    for title, words in _SECTIONS:
        lines += [f"\n### {title}\n", "| id | oorzaak | oplossing | cause | remedy |", "|---|---|---|---|---|"]
        lines += [f"| `{name}` | {_cell(cause)} | {_cell(remedy)} | {_cell(cause_en)} | {_cell(remedy_en)} |"
                  for name, (cause, cause_en, remedy, remedy_en) in words.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.format_map(_Dots()).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


class _Dots(dict[str, str]):
    """What a diagnosis fills in."""

    def __missing__(self, name: str) -> str:
        return f"*{name}*"

"""The two languages of the pages."""

from enum import StrEnum

from gateway.messagesets.docs._html import Html, tag


class Lang(StrEnum):
    """A language, and the choice between a text in Dutch and the same in English."""

    NL = "nl"
    EN = "en"

    def __call__(self, nl: str, en: str) -> str:
        return nl if self is Lang.NL else en

    @property
    def other(self) -> "Lang":
        return Lang.EN if self is Lang.NL else Lang.NL

    def dutch(self, text: str) -> str | Html:
        """A text that exists in Dutch only; on an English page it says so."""
        return text if self is Lang.NL or not text else tag("span", text, lang="nl")

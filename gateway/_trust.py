"""The table [trust] of gateway.toml: whose certificates are believed, and how their revocation is known."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway._toml import Table

TRUST_KEYS: Final = ("anchors", "crls", "crl_max_age_hours", "crl_alarm_hours", "ocsp", "ocsp_answers", "refused",
                     "policies")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """One revocation list: its file, and what keeps it current (docs/decisions/0012)."""

    file: Path
    url: str | None = None  # where the hub fetches it; None: somebody else renews the file
    kept_fresh: bool = False  # its age counts from the last fetch or change of the file, not from the last reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Where an issuer answers questions about its certificates (OCSP)."""

    issuer: Path
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose certificates are believed."""

    anchors: tuple[Path, ...]
    lists: tuple[ListSource, ...]
    crl_max_age: timedelta
    crl_alarm: timedelta  # how long before a list lapses the alarm goes
    ocsp: tuple[Responder, ...]
    ocsp_answers: Path  # folder
    refused: tuple[Path, ...]  # CAs whose certificates are refused, wherever they lead
    policies: frozenset[str]  # of which a certificate must name one; empty: any

    @property
    def crls(self) -> tuple[Path, ...]:
        """The files of the revocation lists."""
        return tuple(one.file for one in self.lists)

    @property
    def kept_fresh(self) -> tuple[Path, ...]:
        """The files whose age counts from their last fetch or change."""
        return tuple(one.file for one in self.lists if one.kept_fresh)


def read_trust(table: Table) -> Trust:
    """Raises Misconfigured."""
    anchors = table.several("anchors", ("pki/ca.pem",))
    if not anchors:
        table.refuse("anchors", "'anchors' in [trust] is empty", "name at least one CA certificate")
    lists = tuple(_list(table, one) for one in table.entries("crls", ("file", "url"), ("pki/ca.crl",)))
    if not lists:  # without a list nothing could ever be found revoked, which nobody may get by leaving it out
        table.refuse("crls", "'crls' in [trust] is empty", "name the revocation list of each CA")
    if len({one.file for one in lists}) != len(lists):
        table.refuse("crls", "'crls' in [trust] names something twice", "name each once")
    return Trust(
        anchors=anchors,
        lists=lists,
        crl_max_age=timedelta(hours=table.number("crl_max_age_hours", 4, minimum=1, maximum=168)),
        crl_alarm=timedelta(hours=table.number("crl_alarm_hours", 24, minimum=1, maximum=720)),
        ocsp=tuple(Responder(issuer=one.existing("issuer", None), url=_fetchable(one))
                   for one in table.tables("ocsp", ("issuer", "url"))),
        ocsp_answers=table.path("ocsp_answers", "ocsp"),
        refused=table.several("refused"),
        policies=frozenset(table.matching("policies", table.texts("policies"), r"[0-2](\.[0-9]+)+",
                                          "object identifiers such as 2.16.528.1.1003.1.2.5.6")),
    )


def _list(table: Table, entry: str | Table) -> ListSource:
    if isinstance(entry, str):
        return ListSource(file=table.existing_file("crls", entry))
    if "url" in entry:  # the first fetch makes the file
        return ListSource(file=entry.path("file", None), url=_fetchable(entry), kept_fresh=True)
    return ListSource(file=entry.existing_file("file", entry.text("file")), kept_fresh=True)


def _fetchable(table: Table) -> str:
    """An absolute http or https URL without user and fragment: lists and answers are signed, so http will do."""
    text = table.text("url")
    parts = urlsplit(text)
    try:
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    if not sound or parts.username is not None or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        table.refuse("url", f"'url' in {table.title} is no http or https URL",
                     "use http://host/path as the CA states it")
    return text

"""The certificates that parties.toml names: pins, and the rollover from one certificate to the next."""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway._toml import Table
from gateway.values import Purpose, Registered, Rollover

ROLLOVER_KEYS: Final = ("purpose", "old", "new", "accepted", "preferred", "retired")
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_DIGEST: Final = re.compile("[0-9a-f]{64}")


def first_certificate(table: Table, key: str, path: Path) -> bytes:
    """DER of the first certificate in a PEM file: by custom the party's own, with its issuers after it."""
    block = _PEM.search(path.read_bytes())
    try:
        der = base64.b64decode(b"".join(block[1].split()), validate=True) if block else b""
    except binascii.Error:
        der = b""
    if not der.startswith(b"\x30"):  # an ASN.1 SEQUENCE
        table.refuse(key, f"{path.name} of '{key}' in {table.title} holds no certificate",
                     "use a PEM file that begins with -----BEGIN CERTIFICATE-----")
    return der


def rollovers(party: Table) -> tuple[Rollover, ...]:
    """The `[[party.rollover]]` tables of one party. Raises Misconfigured, also for dates out of order."""
    tables = party.tables("rollover", ROLLOVER_KEYS)
    found = tuple(_rollover(table) for table in tables)
    _check_sequence(tables, found)
    return found


def _rollover(table: Table) -> Rollover:
    purpose = Purpose(table.matching("purpose", (table.text("purpose"),), "|".join(Purpose),
                                     ", ".join(f'"{one}"' for one in Purpose))[0])
    old, new = (_registered(table, key, purpose) for key in ("old", "new"))
    if old.sha256 == new.sha256:
        table.refuse("new", f"'new' in {table.title} is the certificate of 'old'", "name the next certificate")
    accepted, preferred, retired = (table.moment(key) for key in ("accepted", "preferred", "retired"))
    if preferred < accepted:
        _out_of_order(table, "preferred", "comes before 'accepted'")
    if retired <= preferred:
        _out_of_order(table, "retired", "does not come after 'preferred'")
    return Rollover(purpose=purpose, old=old, new=new, accepted=accepted, preferred=preferred, retired=retired)


def _out_of_order(table: Table, key: str, cause: str) -> None:
    table.refuse(key, f"'{key}' in {table.title} {cause}",
                 "the order is: accepted, preferred (the same day or later), retired (later)")


def registered(table: Table, key: str) -> Registered:
    """The first certificate of the file that `key` names."""
    text = table.text(key)
    der = first_certificate(table, key, table.existing(key, text))
    return Registered(name=text, sha256=hashlib.sha256(der).hexdigest(), der=der)


def _registered(table: Table, key: str, purpose: Purpose) -> Registered:
    text = table.text(key)
    if _DIGEST.fullmatch(text):
        if purpose is Purpose.ENCRYPTION:
            table.refuse(key, f"'{key}' in {table.title} is a digest", "name the file: one encrypts to a certificate")
        return Registered(name=text, sha256=text)
    return registered(table, key)


def _check_sequence(tables: Sequence[Table], found: Sequence[Rollover]) -> None:
    """Of one purpose each rollover begins with the certificate of the one before, and not before it is used."""
    latest: dict[Purpose, Rollover] = {}
    for table, one in zip(tables, found, strict=True):
        before = latest.get(one.purpose)
        if before is not None:
            if one.old.sha256 != before.new.sha256:
                table.refuse("old", f"'old' in {table.title} is not the 'new' of the {one.purpose} rollover before it",
                             "let each rollover begin where the one before ends")
            if one.preferred < before.preferred or one.retired < before.retired:
                _out_of_order(table, "preferred" if one.preferred < before.preferred else "retired",
                              f"comes before that of the {one.purpose} rollover before it")
        latest[one.purpose] = one


def rollover_words(rollover: Rollover, now: datetime | None) -> str:
    """A rollover in words, for plan and show; with its state where the moment is given."""
    dates = ", ".join(f"{key} {getattr(rollover, key):%Y-%m-%dT%H:%M:%SZ}" for key in ROLLOVER_KEYS[3:])
    state = f" (now: {rollover.state(now)})" if now is not None else ""
    return f"{rollover.purpose} {rollover.old.name} to {rollover.new.name}, {dates}{state}"

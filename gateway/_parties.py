"""The address book as a file: reading parties.toml, writing it, and saying in words what a new one would change."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from gateway._certificates import first_certificate, registered, rollover_words, rollovers
from gateway._routes import ROUTE_KEYS, read_routes
from gateway._toml import Table, TomlFile
from gateway.set_values import NOTIFICATIONS
from gateway.values import AGREEMENTS, Party, Registered, Rollover

OIN: Final = r"[0-9A-Z]{20}"
OIN_WORDS: Final = "an OIN of 20 digits or capitals"
_KEYS = ("id", "slug", "name", "oin", "roles", "subtype", "mag_bsn", "requires", "modules", "delivery", "certificates",
         "pins", "rollover", "encryption", "profiles", "gemeentecodes", "routing", "acts_for", "limits", "agreements",
         "notifications", "kvk", "vestigingen", "active", "from", "until")
ALLOWANCE: Final = {"requests_per_second": (1, 100_000), "burst": (1, 1_000_000), "connections": (1, 100_000)}  # bounds
_SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"


def load_parties(path: Path, *, folder: Path | None = None) -> tuple[Party, ...]:
    """The parties of a parties.toml, in the file's order.

    Takes   the file; `folder`, from which relative certificate paths count (default: the file's own folder).
    Raises  Misconfigured, with file, line, cause and remedy.
    """
    file = TomlFile(path, folder if folder is not None else path.parent)
    root = file.root(("party", "route"))
    tables = root.tables("party", _KEYS)
    parties = tuple(_party(table) for table in tables)
    _check_unique(tables, parties)
    read_routes(root.tables("route", ROUTE_KEYS), parties)
    return parties


def named_certificates(path: Path) -> Mapping[str, tuple[Path, ...]]:
    """By party's id, the files that its `certificates` names. Raises Misconfigured."""
    tables = TomlFile(path, path.parent).root(("party", "route")).tables("party", _KEYS)
    return {party_id(table, "id"): table.several("certificates") for table in tables}


def party_id(table: Table, key: str) -> str:
    """A UUID other than nil, in the lower case of the wire."""
    text = table.text(key)
    try:
        value = UUID(text)
    except ValueError:
        value = UUID(int=0)
    if value.int == 0 or str(value) != text.lower():
        table.refuse(key, f"'{key}' in {table.title} is no UUID, or the nil UUID", "make one with: uuidgen")
    return str(value)


def oin(table: Table, key: str) -> str:
    """An OIN: 20 digits or capitals, compared as a string."""
    return table.matching(key, (table.text(key),), OIN, OIN_WORDS)[0]


def https_url(table: Table, key: str, text: str) -> str:
    """An absolute https URL without user, query or fragment."""
    parts = urlsplit(text)
    try:
        sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    if not sound or parts.username is not None or parts.query or parts.fragment or re.search(r"\s", text):
        table.refuse(key, f"'{key}' in {table.title} is no https URL", "use https://host:port/path")
    return text


def _party(table: Table) -> Party:
    name = table.text("name")
    slug = table.text("slug", default_slug(name) or "-")
    roles = table.texts("roles")
    if not roles:
        table.refuse("roles", f"'roles' in {table.title} is missing or empty", 'add roles = ["SHV"] or another role')
    since, until = table.day("from"), table.day("until")
    if since is not None and until is not None and since >= until:
        table.refuse("until", f"'until' in {table.title} does not come after 'from'",
                     "until is the first day on which the party takes no part any more")
    push, mtom = _push(table)
    return Party(
        id=party_id(table, "id"),
        slug=table.matching("slug", (slug,), _SLUG, "lower-case letters, digits and single hyphens")[0],
        name=name,
        oin=oin(table, "oin"),
        roles=frozenset(table.matching("roles", roles, r"[A-Z][A-Z0-9_]*", "upper case: SHV, SE, DEURWAARDER …")),
        subtype=table.text("subtype") if "subtype" in table else None,
        mag_bsn=table.flag("mag_bsn", False),
        requires=frozenset(table.texts("requires")),
        modules=_modules(table),
        push=push,
        mtom=mtom,
        pins=frozenset(table.matching("pins", table.texts("pins"), "[0-9a-f]{64}", "SHA-256 in lower-case hex"))
        | frozenset(_pin(table, one) for one in table.several("certificates")),
        rollovers=rollovers(table),
        encryption=registered(table, "encryption") if "encryption" in table else None,
        profiles=_profiles(table),
        gemeentecodes=frozenset(table.matching(
            "gemeentecodes", table.texts("gemeentecodes"), "[0-9]{4}", "the four digits of the CBS code")),
        routing=_routing(table),
        acts_for=frozenset(table.matching("acts_for", table.texts("acts_for"), OIN, OIN_WORDS)),
        limits=_limits(table),
        agreements=frozenset(table.matching(
            "agreements", table.texts("agreements"), "|".join(AGREEMENTS), f"one of: {', '.join(AGREEMENTS)}")),
        notifications=frozenset(table.matching(
            "notifications", table.texts("notifications"), "|".join(NOTIFICATIONS),
            f"one of: {', '.join(NOTIFICATIONS)}")),
        kvk=table.matching("kvk", (table.text("kvk"),), "[0-9]{8}", "eight digits")[0] if "kvk" in table else None,
        vestigingen=frozenset(table.matching(
            "vestigingen", table.texts("vestigingen"), "[0-9]{12}", "twelve digits each")),
        active=table.flag("active", True),
        since=since,
        until=until,
    )


def default_slug(name: str) -> str:
    """The short name made from a name: ASCII, lower case, hyphens for the rest; may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))


def _modules(table: Table) -> Mapping[str, tuple[str, ...]]:
    raw = table.raw("modules") or {}
    inner = table.table("modules", tuple(raw) if isinstance(raw, dict) else ())
    modules = {}
    for name in raw if isinstance(raw, dict) else ():
        inner.matching(name, (name,), r"[a-z]+(?:-[a-z]+)*", "the module's folder name")
        versions = inner.matching(name, inner.texts(name), r"[0-9]+(?:\.[0-9]+)+", 'versions such as "1.1"')
        if not versions:
            inner.refuse(name, f"module '{name}' has no versions", f'write {name} = ["1.0"], or leave it out')
        modules[name] = versions
    return MappingProxyType(modules)


def _limits(table: Table) -> Mapping[str, int]:
    """What differs from the hub's own limits: limits = { requests_per_second = 50, burst = 100, connections = 20 }."""
    inner = table.table("limits", tuple(ALLOWANCE))
    return MappingProxyType({
        key: inner.number(key, low, minimum=low, maximum=high) for key, (low, high) in ALLOWANCE.items() if key in inner
    })


def _profiles(table: Table) -> Mapping[str, str]:
    """What the party agrees on beyond what a set asks of all: profiles = { schuldregeling = "2W-be-SE" }.

    The names are modules and services of the hub; whether there are such is for who knows the message sets.
    """
    raw = table.raw("profiles") or {}
    inner = table.table("profiles", tuple(raw) if isinstance(raw, dict) else ())
    return MappingProxyType({
        name: inner.matching(name, (inner.text(name),), "2W-be-SE?", '"2W-be-S" or "2W-be-SE"')[0]
        for name in (raw if isinstance(raw, dict) else ())
    })


def _routing(table: Table) -> Mapping[str, frozenset[str]]:
    """Routing keys other than gemeentecodes: routing = { RECHTBANK = ["…"], BRON = ["…"] }."""
    raw = table.raw("routing") or {}
    inner = table.table("routing", ("RECHTBANK", "BRON"))
    return MappingProxyType({
        kind: frozenset(inner.matching(kind, inner.texts(kind), r"\S{1,20}", "keys of 1 to 20 characters"))
        for kind in (raw if isinstance(raw, dict) else ())
    })


def _push(table: Table) -> tuple[str | None, bool]:
    """The registered address, None to collect; does it take files as parts of their own?"""
    raw = table.raw("delivery")
    if raw is None or raw == "pull":
        return None, False
    if not isinstance(raw, dict):
        table.refuse("delivery", f"'delivery' in {table.title} is neither of its two forms",
                     'write "pull" or { push = "https://host:port/path" }')
    inner = table.table("delivery", ("push", "mtom"))
    return https_url(inner, "push", inner.text("push")), inner.flag("mtom", False)


def _pin(table: Table, path: Path) -> str:
    return hashlib.sha256(first_certificate(table, "certificates", path)).hexdigest()


def _check_unique(tables: Sequence[Table], parties: Sequence[Party]) -> None:
    for key in ("id", "oin", "slug"):
        seen: dict[str, str] = {}
        for table, party in zip(tables, parties, strict=True):
            value: str = getattr(party, key)
            if value in seen:
                place = key if key in table else "name"  # a slug made from the name
                table.refuse(place, f"'{key}' in {table.title} is that of '{seen[value]}' too",
                             f"give it {'an' if key != 'slug' else 'a'} {key} of its own")
            seen[value] = party.slug


# --- writing ---------------------------------------------------------------------------------------------------


def dump_parties(parties: Iterable[Party], *, certificates: Mapping[str, Sequence[str]] | None = None) -> str:
    """The text of a parties.toml that reads back as these parties; the same parties give the same text.

    Pins are written as digests, except for the parties (by slug) for which `certificates` names the files.
    """
    files = certificates or {}
    return "\n".join(_block(party, tuple(files.get(party.slug, ()))) for party in parties)


def _block(party: Party, files: tuple[str, ...]) -> str:
    values: dict[str, object] = {
        "id": party.id, "slug": party.slug, "name": party.name, "oin": party.oin, "roles": party.roles,
        "subtype": party.subtype, "mag_bsn": party.mag_bsn, "requires": party.requires, "modules": party.modules,
        "delivery": delivery_of(party),
        "certificates": files, "pins": frozenset() if files else party.pins,
        "rollover": tuple(_rollover_values(one) for one in party.rollovers),
        "encryption": party.encryption.name if party.encryption else None, "profiles": party.profiles or None,
        "gemeentecodes": party.gemeentecodes, "routing": party.routing or None, "acts_for": party.acts_for,
        "limits": party.limits or None, "agreements": party.agreements,
        "notifications": party.notifications, "kvk": party.kvk,
        "vestigingen": party.vestigingen,
        "active": None if party.active else False, "from": party.since, "until": party.until,
    }
    written = (f"{key} = {_toml(value)}\n" for key, value in values.items()
               if value is not None and value not in (frozenset(), ()))
    return "[[party]]\n" + "".join(written)


def delivery_of(party: Party) -> object:
    """How a party gets its messages, as parties.toml says it."""
    if party.push is None:
        return "pull"
    return {"push": party.push, **({"mtom": True} if party.mtom else {})}


def _rollover_values(rollover: Rollover) -> dict[str, object]:
    return {"purpose": str(rollover.purpose), "old": rollover.old.name, "new": rollover.new.name,
            "accepted": rollover.accepted, "preferred": rollover.preferred, "retired": rollover.retired}


def _toml(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case str():  # JSON's escapes are TOML's, but for DEL
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            inner = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case frozenset():
            return _toml(tuple(sorted(value)))
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return str(value)


# --- plan and apply ----------------------------------------------------------------------------------------------


class ChangeKind(StrEnum):
    """What happens to a party."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two address books; `str()` says it in words."""

    kind: ChangeKind
    slug: str
    field: str | None = None  # a key of parties.toml, for CHANGE
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        if self.kind is ChangeKind.CHANGE:
            return f"change {self.slug}: {self.field} from {self.old or 'nothing'} to {self.new or 'nothing'}"
        return f"{self.kind} {self.slug}: {self.new or self.old}"


_FIELDS: Final = {
    "slug": "slug", "name": "name", "oin": "oin", "roles": "roles", "subtype": "subtype", "mag_bsn": "mag_bsn",
    "requires": "requires", "modules": "modules", "push": "delivery", "mtom": "delivery mtom", "pins": "certificates",
    "rollovers": "rollover", "encryption": "encryption", "profiles": "profiles",
    "gemeentecodes": "gemeentecodes", "routing": "routing", "acts_for": "acts_for", "limits": "limits",
    "agreements": "agreements", "notifications": "notifications", "kvk": "kvk", "vestigingen": "vestigingen",
    "active": "active", "since": "from", "until": "until",
}


def plan(current: Iterable[Party], wanted: Iterable[Party], *, now: datetime | None = None) -> list[Change]:
    """What must happen to the current parties to get the wanted ones; empty when they say the same.

    A party is the same while its id is: the id is what stands on the wire. With `now` (aware UTC) the words about a
    rollover of certificates say its state.
    """
    before = {party.id: party for party in current}
    after = {party.id: party for party in wanted}
    changes = [Change(kind=ChangeKind.REMOVE, slug=old.slug, old=f"{old.name}, OIN {old.oin}")
               for key, old in before.items() if key not in after]
    for key, new in after.items():
        if key not in before:
            changes.append(Change(kind=ChangeKind.ADD, slug=new.slug, new=f"{new.name}, OIN {new.oin}"))
        else:
            changes.extend(_differences(before[key], new, now))
    return changes


def _differences(old: Party, new: Party, now: datetime | None) -> list[Change]:
    return [
        Change(kind=ChangeKind.CHANGE, slug=old.slug, field=key,
               old=_words(field, getattr(old, field), now), new=_words(field, getattr(new, field), now))
        for field, key in _FIELDS.items() if getattr(old, field) != getattr(new, field)
    ]


def _words(field: str, value: object, now: datetime | None) -> str:
    if field == "push":
        return f"push {value}" if value else "pull"
    match value:
        case Registered():
            return f"{value.name} ({value.sha256})"
        case tuple():
            return "; ".join(rollover_words(one, now) for one in value)
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return "; ".join(f"{key} {one if isinstance(one, str | int) else ', '.join(one)}"
                             for key, one in sorted(value.items()))
        case frozenset():
            return ", ".join(sorted(value))
        case None:
            return ""
        case _:
            return str(value)

"""The dated routing table of parties.toml: reading `[[route]]`, and saying in words what a new one would change.

A row stands beside what parties register themselves and goes before it (routing/register.py): so a municipal merger is
one row with a date, whoever changes his own entry when.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Final

from gateway._toml import Table, TomlFile
from gateway.values import Party, Route

ROUTE_KEYS: Final = ("kind", "value", "module", "party", "from", "until", "fallback")
_FORMS: Final = {  # kind → what a key of it looks like, and that in words
    "GEMEENTECODE": (r"[0-9]{4}", "the four digits of the CBS code"),
    "RECHTBANK": (r"\S{1,20}", "a key of 1 to 20 characters"),
    "BRON": (r"\S{1,20}", "a key of 1 to 20 characters"),
}
_ONE_OF_A_ROLE: Final = ("GEMEENTECODE", "RECHTBANK")  # who asks by such a key wants one addressee; a BRON may be many


def read_routes(tables: Sequence[Table], parties: Sequence[Party]) -> tuple[Route, ...]:
    """The rows of these tables, in the file's order. Raises Misconfigured, with file, line, cause and remedy."""
    routes = tuple(_route(table, parties) for table in tables)
    roles = {party.id: party.roles for party in parties}
    for (row, one), (later, other) in combinations(zip(tables, routes, strict=True), 2):
        if _place(one) == _place(other) and _overlap(one, other):
            _check_together(one, other, row, later, roles)
    return routes


def load_routes(path: Path, parties: Sequence[Party]) -> tuple[Route, ...]:
    """The routing table of a parties.toml of which these are the parties. Raises Misconfigured."""
    return read_routes(TomlFile(path, path.parent).root(("party", "route")).tables("route", ROUTE_KEYS), parties)


def _route(table: Table, parties: Sequence[Party]) -> Route:
    kind = table.matching("kind", (table.text("kind"),), "|".join(_FORMS), f"one of: {', '.join(_FORMS)}")[0]
    pattern, form = _FORMS[kind]
    since, until = table.day("from"), table.day("until")
    if since is not None and until is not None and since >= until:
        table.refuse("until", f"'until' in {table.title} does not come after 'from'",
                     "until is the first day on which the row no longer counts")
    module = (table.matching("module", (table.text("module"),), r"[a-z]+(?:-[a-z]+)*", "the module's folder name")[0]
              if "module" in table else None)
    return Route(kind=kind, value=table.matching("value", (table.text("value"),), pattern, form)[0], module=module,
                 party=_party(table, parties).id, since=since, until=until, fallback=table.flag("fallback", False))


def _party(table: Table, parties: Sequence[Party]) -> Party:
    named = table.text("party")
    found = next((party for party in parties if named in (party.slug, party.id)), None)
    if found is None:
        table.refuse("party", f"'party' in {table.title}: there is no party '{named}'",
                     "name one by its slug or id, and keep it in this file as long as the row")
    return found


def _check_together(one: Route, other: Route, row: Table, later: Table, roles: Mapping[str, frozenset[str]]) -> None:
    """Two rows of one key that count on the same day must lead to parties that share no role, but for a BRON."""
    shared = roles[one.party] & roles[other.party]
    if one.party != other.party and (one.kind not in _ONE_OF_A_ROLE or not shared):
        return
    says = "say the same" if one.party == other.party else f"lead to two parties of role {', '.join(sorted(shared))}"
    later.refuse("value", f"{later.title} and the row on line {row.line} count on the same days and {says}",
                 "end the one with 'until' where the other begins with 'from', or take one out")


def _place(route: Route) -> tuple[str, str, str | None, bool]:
    return route.kind, route.value, route.module, route.fallback


def _overlap(one: Route, other: Route) -> bool:
    return (one.since or date.min) < (other.until or date.max) and (other.since or date.min) < (one.until or date.max)


# --- plan --------------------------------------------------------------------------------------------------------


def plan_routes(current: Iterable[Route], wanted: Iterable[Route], parties: Iterable[Party]) -> list[str]:
    """What must happen to the current rows to get the wanted ones, in words; empty when they say the same."""
    before, after = dict.fromkeys(current), dict.fromkeys(wanted)
    names = {party.id: party.slug for party in parties}
    return [*(f"remove route {words(row, names)}" for row in before if row not in after),
            *(f"add route {words(row, names)}" for row in after if row not in before)]


def words(route: Route, names: Mapping[str, str]) -> str:
    """A row in words; `names`: slugs by id."""
    span = "".join((f" from {route.since}" if route.since else "", f" until {route.until}" if route.until else ""))
    what = f" of {route.module}" if route.module else ""
    return f"{route.kind} {route.value}{what} to {names.get(route.party, route.party)}{span}" + (
        ", as fall-back" if route.fallback else "")

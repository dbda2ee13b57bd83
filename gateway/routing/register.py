"""The address book in memory: an immutable snapshot with an index for each question that is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from gateway.values import Party, Route


class AddressBook:
    """Implements ports.Register over the parties of one reading of parties.toml.

    A party that is not active, or outside its dates on `today`, is found by id (old messages name it) with
    `active` false, and by nothing else: it is never authenticated, found or addressed. Reload to see another day.
    """

    def __init__(self, parties: Iterable[Party], *, routes: Iterable[Route] = (), today: date | None = None) -> None:
        self.everyone: tuple[Party, ...] = tuple(_as_of(party, today) for party in parties)
        self._active = tuple(party for party in self.everyone if party.active)
        self._by_id = {party.id: party for party in self.everyone}
        self._by_slug = {party.slug: party for party in self.everyone}
        self._by_oin = {party.oin: party for party in self._active}
        self._by_route: dict[tuple[str, str], tuple[Party, ...]] = {}
        for party in self._active:
            for kind, values in routing_keys(party).items():
                for value in values:
                    self._by_route[kind, value] = (*self._by_route.get((kind, value), ()), party)
        self.routes = tuple(routes)
        self._rows: dict[tuple[str, str], tuple[Route, ...]] = {}
        for row in self.routes:
            self._rows[row.kind, row.value] = (*self._rows.get((row.kind, row.value), ()), row)

    def by_oin(self, oin: str) -> Party | None:
        """The active party with this OIN, compared as a string."""
        return self._by_oin.get(oin)

    def by_id(self, party_id: str) -> Party | None:
        """The party with this id (a UUID in any case), active or not."""
        return self._by_id.get(party_id.lower())

    def by_route(self, kind: str, value: str, module: str, *, on: date) -> tuple[tuple[Party, ...], ...]:
        """Who gets what is sent under this key, in groups of which the first that plays the receiving role decides.

        1 the routing table's rows for this module that count on the day; 2 its rows for every module; 3 the active
        parties that registered the key themselves; 4 rows that are fall-backs, of this module and then of every one.
        A row's party may be inactive: then that is what the sender hears, and no other gets the message instead.
        """
        rows = [row for row in self._rows.get((kind, value), ()) if row.counts_on(on)]

        def named(of: str | None, *, fallback: bool) -> tuple[Party, ...]:
            return tuple(self._by_id[row.party] for row in rows
                         if row.module == of and row.fallback is fallback and row.party in self._by_id)

        groups = (named(module, fallback=False), named(None, fallback=False), self.registered(kind, value),
                  named(module, fallback=True), named(None, fallback=True))
        return tuple(group for group in groups if group)

    def registered(self, kind: str, value: str) -> tuple[Party, ...]:
        """The active parties that registered this routing key themselves, in the file's order."""
        return self._by_route.get((kind, value), ())

    def with_role(self, role: str) -> frozenset[str]:
        """The ids of all parties that have or had this role, active or not: old messages name them."""
        return frozenset(party.id for party in self.everyone if role in party.roles)

    def by_slug(self, slug: str) -> Party | None:
        """The party with this short name, active or not: for operators, never for the wire."""
        return self._by_slug.get(slug)

    def parties(self) -> tuple[Party, ...]:
        """The active parties, in the file's order. `everyone` holds the others too."""
        return self._active

    def find(
        self, *, naam: str | None = None, kvk: str | None = None, vestigingsnummer: str | None = None,
        rol: str | None = None, module: str | None = None,
    ) -> list[Party]:
        """The active parties that fit every question asked; `naam` is any part of the name, in any case."""
        part = naam.casefold() if naam is not None else ""
        return [
            party for party in self._active
            if part in party.name.casefold()
            and (kvk is None or party.kvk == kvk)
            and (vestigingsnummer is None or vestigingsnummer in party.vestigingen)
            and (rol is None or rol in party.roles)
            and (module is None or module in party.modules)
        ]

    def resolve(self, text: str) -> Party | None:
        """The party a person means by a slug, an id or a whole name (in any case); None when no or several fit."""
        if (party := self.by_slug(text) or self.by_id(text)) is not None:
            return party
        named = [party for party in self.everyone if party.name.casefold() == text.strip().casefold()]
        return named[0] if len(named) == 1 else None


def routing_keys(party: Party) -> Mapping[str, frozenset[str]]:
    """What a party registered itself, by kind of key."""
    return {"GEMEENTECODE": party.gemeentecodes, **party.routing}


def _as_of(party: Party, today: date | None) -> Party:
    if today is None or not party.active:
        return party
    begun = party.since is None or party.since <= today
    ended = party.until is not None and party.until <= today
    return party if begun and not ended else replace(party, active=False)

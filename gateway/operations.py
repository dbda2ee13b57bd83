"""What an operator can do, behind both doors (commands and console): look, requeue, cancel, verify, prove.

Nothing here returns content. Rows are plain dictionaries with the keys of docs/contract.md §2; times are UTC.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway.errors import MailboxUnknown, RefusedError
from gateway.merkle import consistent
from gateway.ports import Clock
from gateway.tolerances import TABLE
from gateway.values import DeliveryState, Explained, Listed, Party, Refusal, Search, ToleranceUse

Row = dict[str, object]


class Recorded(Protocol):
    """One entry of the journal about a message."""

    @property
    def position(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def record(self) -> str: ...  # canonical JSON


class Story(Protocol):
    """All that is kept of one message."""

    @property
    def legs(self) -> Sequence[Listed]: ...
    @property
    def refused(self) -> Sequence[tuple[str, str]]: ...  # addressee (id), code
    @property
    def recorded(self) -> Sequence[Recorded]: ...


class Chain(Protocol):
    """What a walk over one node's journal found."""

    @property
    def node(self) -> str: ...
    @property
    def entries(self) -> int: ...
    @property
    def checkpoints(self) -> int: ...
    @property
    def stamped(self) -> int: ...
    @property
    def sealed(self) -> int: ...
    @property
    def broken_at(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def ended(self) -> "Ended | None": ...


class Ended(Protocol):
    """Where a restore ended a chain."""

    @property
    def node(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def signed(self) -> int: ...
    @property
    def by(self) -> str: ...


class Checkpoint(Protocol):
    """A signed state of one node's journal."""

    @property
    def node(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def stamped_at(self) -> datetime | None: ...
    @property
    def note(self) -> bytes: ...


class Consistency(Protocol):
    """Two states of one node's journal, and the proof that the second continues the first."""

    @property
    def old_root(self) -> bytes: ...
    @property
    def new_root(self) -> bytes: ...
    @property
    def proof(self) -> Sequence[bytes]: ...


class Reports(Protocol):
    """The operator's reads."""

    def messages(self, search: Search, now: datetime) -> Sequence[Listed]: ...
    def stories(self, referentienummer: str, now: datetime) -> Sequence[Story]: ...
    def refusal(self, ticket: str) -> Refusal | None: ...
    def refusals(self, *, since: datetime, until: datetime, limit: int) -> Sequence[Refusal]: ...
    def tolerances(self, party: str) -> Sequence[ToleranceUse]: ...


class Redirection(Protocol):
    """Conversations that change hands after a merger; who takes them over is fit for it or not, by message set."""

    def numbers(self, party: str) -> Sequence[str]: ...
    def move(self, conversatie: str, old: Party, new: Party, *, who: str, why: str, now: datetime) -> int | None: ...


class Acts(Protocol):
    """The operator's acts; each is journaled with who and why."""

    def cancel(self, referentienummer: str, receiver: str, *, who: str, why: str, now: datetime) -> Listed: ...
    def requeue(self, referentienummer: str, receiver: str, *, who: str, why: str, now: datetime) -> Listed: ...
    def retry(
        self, referentienummer: str, receiver: str, *, reset: bool, who: str, why: str, now: datetime
    ) -> None: ...
    def note(self, action: str, *, who: str, why: str, now: datetime) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operator's door to one instance."""

    reports: Reports
    acts: Acts
    redirection: Redirection
    resolve: Callable[[str], Party]  # slug, name or id → party; raises ReceiverUnknown
    walk: Callable[[Callable[[int], None], Sequence[bytes]], Sequence[Chain]]  # verify every journal
    checkpoints: Callable[[], Sequence[Checkpoint]]
    proof: Callable[[str, int, int], Consistency]  # node, old size, new size
    prove: Callable[[str, str | None], bytes]  # Referentienummer, sender's id → evidence file
    prove_refusal: Callable[[str], bytes]  # ticket → evidence file
    explain: Callable[[Sequence[Explained]], list[Row]]  # the checks of a refusal in words
    attempts: Callable[[str], list[Row]]  # Referentienummer → what was tried to push it
    clock: Clock

    def messages(self, *, conversation: str | None = None, party: str | None = None, limit: int = 100) -> list[Row]:
        """Messages, one row per addressee, newest first."""
        search = Search(party=self.resolve(party).id if party else None, limit=limit,
                        conversatie=conversation.lower() if conversation else None)
        return [_row(one) for one in self.reports.messages(search, self.clock())]

    def message(self, referentienummer: str) -> Row:
        """The story of one message: its facts, deliveries, and what the journal says of it. Raises MailboxUnknown."""
        story = self.reports.stories(referentienummer.lower(), self.clock())[-1]
        first = story.legs[0]
        return {
            **_row(first),
            "module": first.module,
            "deliveries": [
                {"ontvanger": leg.ontvanger, "overgezet_naar": leg.bridged_to, "status": leg.status.value,
                 "opgehaald_op": leg.collected_at,
                 "bevestigd_op": leg.confirmed_at, "verval_datum": leg.expires_at}
                for leg in story.legs
            ],
            "geweigerd": [{"ontvanger": receiver, "code": code} for receiver, code in story.refused],
            "journal": [{"positie": one.position, "soort": one.kind, "tijdstip": _at(one.record)}
                        for one in story.recorded],
            "attempts": self.attempts(first.referentienummer),
        }

    def tolerances(self, party: str) -> list[Row]:
        """What a party writes otherwise than the standards ask, and how often; most recent first."""
        used = sorted(self.reports.tolerances(self.resolve(party).id), key=lambda one: one.last_seen, reverse=True)
        return [_tolerance(one) for one in used]

    def refusals(self, *, ticket: str | None = None, hours: int = 24, limit: int = 100) -> list[Row]:
        """Refused requests, newest first, or the one whose fault carried this ticket. Raises MailboxUnknown."""
        now = self.clock()
        if ticket is not None:
            found = self.reports.refusal(ticket.lower())
            if found is None:
                raise MailboxUnknown(f"no refusal has the ticket {ticket}")
            return [self._refused(found)]
        seen = self.reports.refusals(since=now - timedelta(hours=hours), until=now + timedelta(minutes=1), limit=limit)
        return [self._refused(one) for one in seen]

    def _refused(self, one: Refusal) -> Row:
        return {
            "tijdstip": one.at, "ticket": one.ticket, "code": one.code, "fout": one.error, "reden": one.reason,
            "oin": one.caller_oin, "pad": one.path, "message_id": one.message_id,
            "referentienummer": one.referentienummer, "toelichting": self.explain(one.explained),
        }

    def cancel(self, referentienummer: str, *, who: str, why: str) -> None:
        """Withdraw a message nobody collected, for every addressee. Raises RefusedError with the reason."""
        legs = self._legs(referentienummer)
        if any(leg.status is not DeliveryState.BESCHIKBAAR for leg in legs) and len(legs) > 1:
            raise RefusedError(f"not every addressee's copy of {referentienummer} can be cancelled; nothing was done")
        for leg in legs:
            self.acts.cancel(leg.referentienummer, leg.ontvanger, who=who, why=why, now=self.clock())

    def requeue(self, referentienummer: str, *, who: str, why: str) -> None:
        """Let those who collected but did not confirm it collect it anew. Raises RefusedError with the reason."""
        legs = self._legs(referentienummer)
        collected = [leg for leg in legs if leg.status is DeliveryState.OPGEHAALD]
        for leg in collected or legs[:1]:  # none: the store says why not
            self.acts.requeue(leg.referentienummer, leg.ontvanger, who=who, why=why, now=self.clock())

    def retry(self, referentienummer: str, party: str, *, reset: bool, who: str, why: str) -> None:
        """Let a delivery to a party's own service be tried now; `reset`: although that service was left alone for a
        while. Raises RefusedError with the reason, MailboxUnknown.
        """
        self.acts.retry(referentienummer.lower(), self.resolve(party).id, reset=reset, who=who, why=why,
                        now=self.clock())

    def redirect(self, old: str, new: str, *, conversation: str | None, who: str, why: str) -> Row:
        """Let conversations of one party, and what waits for it, go on with another: one number, or (None) all of them.

        Of all, those that can't go stay and are told with the reason; the one that was named is refused then. Doing it
        again goes on with what is left. Raises RefusedError.
        """
        before, heir = self.resolve(old), self.resolve(new)
        if before.id == heir.id:
            raise RefusedError(f"{before.slug} can't be redirected to itself")
        if not heir.active:
            raise RefusedError(f"{heir.slug} is not active: make it so in parties.toml first")
        numbers = [conversation.lower()] if conversation else self.redirection.numbers(before.id)
        moved: list[int] = []
        stays: list[Row] = []
        for number in numbers:
            try:
                count = self.redirection.move(number, before, heir, who=who, why=why, now=self.clock())
            except RefusedError as error:
                if conversation:
                    raise
                stays.append({"conversatie_referentienummer": number, "reden": error.detail})
                continue
            moved += [] if count is None else [count]
        if not moved and not stays:
            what = f"no conversation {conversation}" if conversation else "no conversation"
            raise RefusedError(f"{before.slug} takes part in {what}; nothing was redirected")
        return {"van": before.slug, "naar": heir.slug, "conversaties": len(moved), "afleveringen": sum(moved),
                "blijft": stays}

    def note(self, action: str, *, who: str, why: str) -> None:
        """Journal an act on something else than a message."""
        self.acts.note(action, who=who, why=why, now=self.clock())

    def verify_journal(self, progress: Callable[[int], None], kept: Sequence[bytes] = ()) -> Row:
        """Walk every journal: `holds`, the figures, and where and why the first broken one breaks.

        `kept`: notes of checkpoints that somebody kept elsewhere. Raises SignatureInvalid for one that is none.
        """
        chains = self.walk(progress, kept)
        broken = next((chain for chain in chains if chain.broken_at is not None), None)
        return {
            "holds": broken is None,
            "entries": sum(chain.entries for chain in chains),
            "position": broken.broken_at if broken else None,
            "cause": f"{broken.reason} (node {broken.node})" if broken else None,
            "signed": sum(chain.sealed for chain in chains),
            "checkpoints": sum(chain.checkpoints for chain in chains),
            "time_stamps": sum(chain.stamped for chain in chains),
            "ended": [{"node": one.node, "entries": one.size, "signed": one.signed or None, "by": one.by}
                      for one in (chain.ended for chain in chains) if one],
        }

    def signed_states(self) -> list[Row]:
        """Every checkpoint, by node and size."""
        return [{"node": one.node, "entries": one.size, "tijdstip": one.at, "tijdstempel": one.stamped_at,
                 "note": one.note.decode()} for one in self.checkpoints()]

    def consistency(self, node: str, old: int, new: int) -> Row:
        """The proof that one state of a journal continues another, and whether it holds. Raises MailboxUnknown."""
        found = self.proof(node, old, new)
        return {
            "node": node, "from": old, "to": new,
            "from_root": b64encode(found.old_root).decode(),
            "to_root": b64encode(found.new_root).decode(),
            "proof": [b64encode(step).decode() for step in found.proof],
            "holds": consistent(old, found.old_root, new, found.new_root, found.proof),
        }

    def evidence(self, referentienummer: str, *, sender: str | None = None) -> bytes:
        """The evidence file of one message. Raises MailboxUnknown."""
        return self.prove(referentienummer.lower(), self.resolve(sender).id if sender else None)

    def refusal_evidence(self, ticket: str) -> bytes:
        """The evidence file of the refusal whose fault carried this ticket. Raises MailboxUnknown."""
        return self.prove_refusal(ticket.lower())

    def _legs(self, referentienummer: str) -> Sequence[Listed]:
        stories = self.reports.stories(referentienummer.lower(), self.clock())
        if len(stories) != 1:
            raise RefusedError(f"{len(stories)} senders used the number {referentienummer}; act on none of them")
        return stories[0].legs


def _row(one: Listed) -> Row:
    return {
        "referentienummer": one.referentienummer, "cross_referentienummer": one.cross,
        "conversatie_referentienummer": one.conversatie, "afzender": one.afzender, "berichttype": one.berichttype,
        "versie": one.versie, "tijdstip_ontvangst": one.received_at, "verval_datum": one.expires_at,
        "opgehaald": one.opgehaald, "ontvanger": one.ontvanger, "status": one.status.value, "code": one.code,
    }


def _tolerance(one: ToleranceUse) -> Row:
    known = TABLE.get(one.tolerance)  # an older version of the gateway may have counted another
    return {
        "id": one.tolerance, "clause": known and known.clause, "nl": known and known.nl, "en": known and known.en,
        "first_seen": one.first_seen, "last_seen": one.last_seen, "count": one.count,
    }


def _at(record: str) -> datetime:
    """The moment of a journal record, which counts microseconds since 1970."""
    return datetime.fromtimestamp(int(json.loads(record)["at"]) / 1e6, UTC)

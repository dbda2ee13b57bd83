"""The outbox: implements ports.Outbox. Claims with a lease, attempts, breakers; one short transaction each.

A claim that is not settled before its lease ends is due again: next_at of a claimed row is that end, so a node that
dies gives its claims back without anybody noticing it. Two workers can then have tried one delivery. That does no harm:
the receiver knows the message by MessageID and Referentienummer and gives the same receipt, the first that arrives ends
the delivery, and of the second only its attempt is written.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import and_, bindparam, insert, null, select, update

from gateway import ports
from gateway.errors import StorageError
from gateway.push_values import Breaker, BreakerState, Claim, Outcome, PushProof, Result
from gateway.set_values import SetKey
from gateway.storage.certificates import keep_certificate
from gateway.storage.engine import Store
from gateway.storage.listing import MESSAGE
from gateway.storage.mailbox import Content, confirm_pushed, deliveries_of, opened
from gateway.storage.push_tables import attempts, breakers, outbox, push_proofs
from gateway.storage.queue import hold
from gateway.storage.records import maybe_moment, micros, moment_of
from gateway.storage.sealing import Sealer
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import deliveries, messages
from gateway.storage.writer import Write

_FIRST_OF_NEXT = Query(  # the party after this one that has any row, and when its first may go
    select(outbox.c.receiver, outbox.c.next_at).where(outbox.c.receiver > bindparam("after"))
    .order_by(outbox.c.receiver, outbox.c.next_at).limit(1))
_DUE = Query(
    select(outbox.c.message, outbox.c.attempts, outbox.c.conversation, outbox.c.action, deliveries.c.received_at,
           deliveries.c.expires_at, deliveries.c.set_version, deliveries.c.sealed_to, messages.c.referentienummer,
           messages.c.afzender, messages.c.module, messages.c.set_version, messages.c.message_digest)
    .select_from(outbox.join(deliveries, and_(deliveries.c.message == outbox.c.message,
                                              deliveries.c.receiver == outbox.c.receiver))
                 .join(messages, messages.c.id == outbox.c.message))
    .where(outbox.c.receiver == bindparam("party"), outbox.c.next_at <= bindparam("now"),
           deliveries.c.expires_at + 0 > bindparam("now"))  # + 0: not by the index of terms
    .order_by(outbox.c.next_at, outbox.c.message).limit(bindparam("limit"))
    .with_for_update(of=outbox, skip_locked=True))
_THIS = (outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party"))
_MINE = (*_THIS, outbox.c.claimed_by == bindparam("holder"))
_CLAIM = Query(update(outbox).where(*_THIS).values(
    attempts=outbox.c.attempts + 1, next_at=bindparam("until"), claimed_by=bindparam("holder"),
    lease_until=bindparam("until")))
_GIVE_BACK = Query(update(outbox).where(*_MINE).values(
    next_at=bindparam("at"), claimed_by=null(), lease_until=null()))
_UNBEGIN = Query(update(outbox).where(*_MINE).values(
    attempts=outbox.c.attempts - 1, next_at=bindparam("at"), claimed_by=null(), lease_until=null()))
_ADD_ATTEMPT = Query(insert(attempts).values({column.name: bindparam(column.name) for column in attempts.c}))
_HAS_ATTEMPT = Query(select(attempts.c.number).where(
    attempts.c.message == bindparam("this"), attempts.c.receiver == bindparam("party"),
    attempts.c.number == bindparam("number")))
_HAS_PROOF = Query(select(push_proofs.c.message).where(
    push_proofs.c.message == bindparam("this"), push_proofs.c.receiver == bindparam("party")))
_ADD_PROOF = Query(insert(push_proofs).values({column.name: bindparam(column.name) for column in push_proofs.c}))
_A_BREAKER = (select(breakers.c.state, breakers.c.failures, breakers.c.refusals, breakers.c.openings, breakers.c.until)
              .where(breakers.c.party == bindparam("who")))
_BREAKER = Query(_A_BREAKER)
_BREAKER_TO_CHANGE = Query(_A_BREAKER.with_for_update())
_BREAKER_IF_FREE = Query(_A_BREAKER.with_for_update(skip_locked=True))
_ADD_BREAKER = Query(insert(breakers).values({column.name: bindparam(column.name) for column in breakers.c}))
_SET_BREAKER = Query(update(breakers).where(breakers.c.party == bindparam("who")).values(
    {column.name: bindparam(column.name) for column in breakers.c if column.name != "party"}))

_NO_PARTY: Final = ""  # sorts before every id


class SqlOutbox(ports.Outbox):
    """The outbox of one store."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._turn = 0  # who is asked first: with few workers, each party in its turn

    def claim(self, *, holder: str, now: datetime, lease_until: datetime, limit: int,
              allow: ports.Allow) -> list[Claim]:
        """See ports.Outbox. When nothing is due nothing is written; where no party has anything, one search is made."""
        with self._store.read() as session:
            due = [party for party, first in parties_queued(session) if first <= micros(now)]
        wanted = [party for party in due if allow(party, Breaker())[0] != 0]
        if not wanted or limit < 1:
            return []
        self._turn += 1
        first = self._turn % len(wanted)
        return self._store.write(lambda write: _claim(
            write, wanted[first:] + wanted[:first], holder=holder, now=now, lease_until=lease_until, limit=limit,
            allow=allow))

    def content(self, claim: Claim) -> Content:
        """See ports.Outbox. Raises StorageError when it is gone or does not open."""
        with self._store.read() as session:
            return opened(session, self._sealer, self._store, message=claim.message,
                          referentienummer=claim.referentienummer, afzender=claim.afzender, receiver=claim.receiver,
                          bridged_to=claim.bridged_to, sealed_to=claim.sealed_to, pushed=True)

    def settle(self, claim: Claim, outcome: Outcome, *, next_at: datetime | None,
               breaker: Callable[[Breaker], Breaker]) -> None:
        """See ports.Outbox."""
        self._store.write(lambda write: _settle(write, claim, outcome, next_at, breaker))

    def give_back(self, claims: Iterable[Claim], now: datetime) -> None:
        """See ports.Outbox."""
        returned = tuple(claims)

        def work(write: Write) -> None:
            for claim in returned:
                write.run(_UNBEGIN, this=claim.message, party=claim.receiver, holder=claim.holder, at=micros(now))
        if returned:
            self._store.write(work)


def parties_queued(session: Session) -> list[tuple[str, int]]:
    """The parties that have any row, and when the first may go: one step down the index for each."""
    found: list[tuple[str, int]] = []
    party = _NO_PARTY
    while (row := session.one(_FIRST_OF_NEXT, after=party)) is not None:
        party = str(row[0])
        found.append((party, int(row[1])))
    return found


def _claim(write: Write, parties: Collection[str], *, holder: str, now: datetime, lease_until: datetime, limit: int,
           allow: ports.Allow) -> list[Claim]:
    claims: list[Claim] = []
    for party in parties:
        left = limit - len(claims)
        if left <= 0:
            break
        present = _breaker(write, party)
        if present.state is not BreakerState.CLOSED:  # only one node may be the one that tries
            row = write.one(_BREAKER_IF_FREE, who=party)
            if row is None:
                continue
            present = breaker_of(row)
        room, changed = allow(party, present)
        rows = write.all(_DUE, party=party, now=micros(now), limit=min(room, left)) if room else []
        if rows and changed != present:
            _keep_breaker(write, party, changed)
        claims += [_claimed(write, party, row, f"{holder}/{number}", lease_until)
                   for number, row in enumerate(rows, start=len(claims))]
    return claims


def _claimed(write: Write, party: str, row: Row, holder: str, lease_until: datetime) -> Claim:
    write.run(_CLAIM, this=row[0], party=party, holder=holder, until=micros(lease_until))
    return Claim(
        message=row[0], receiver=party, number=row[1] + 1, holder=holder, lease_until=lease_until,
        conversation=row[2], action=row[3], received_at=moment_of(row[4]), expires_at=moment_of(row[5]),
        bridged_to=row[6], sealed_to=row[7], referentienummer=row[8], afzender=row[9],
        key=SetKey(module=row[10], version=row[6] or row[11]), message_digest=bytes(row[12]))


def _settle(write: Write, claim: Claim, outcome: Outcome, next_at: datetime | None,
            breaker: Callable[[Breaker], Breaker]) -> None:
    if write.one(_HAS_ATTEMPT, this=claim.message, party=claim.receiver, number=claim.number) is not None:
        return  # this very work was durable before, and nobody heard of it
    if outcome.result is Result.DELIVERED:
        _end(write, claim, outcome)
    else:  # nothing where the lease was lost: then it is another's to say when
        write.run(_GIVE_BACK, this=claim.message, party=claim.receiver, holder=claim.holder,
                  at=micros(next_at or outcome.ended_at))
    write.run(_ADD_ATTEMPT, message=claim.message, receiver=claim.receiver, number=claim.number, node=write.chain.node,
              started_at=micros(outcome.started_at), duration=micros(outcome.ended_at) - micros(outcome.started_at),
              result=outcome.result.value, cause=outcome.cause)
    present = _breaker(write, claim.receiver)
    if breaker(present) != present:
        present = _breaker(write, claim.receiver, to_change=True)
        _keep_breaker(write, claim.receiver, breaker(present))


def _end(write: Write, claim: Claim, outcome: Outcome) -> None:
    """Keep what proves it, and end the delivery, unless it has ended meanwhile."""
    if outcome.proof is None:
        raise StorageError("a delivery without its receipt")
    if write.one(_HAS_PROOF, this=claim.message, party=claim.receiver) is None:
        _keep_proof(write, claim, outcome.proof)
    hold(write, claim.conversation)  # first: who records an answer to this holds it, and then wants the delivery
    row = next((one for one in deliveries_of(write, claim.referentienummer, claim.receiver)
                if one[MESSAGE] == claim.message), None)
    if row is not None:
        confirm_pushed(write, row, outcome.ended_at, receipt=_digest(outcome.proof))


def _keep_proof(write: Write, claim: Claim, proof: PushProof) -> None:
    write.run(_ADD_PROOF, message=claim.message, receiver=claim.receiver, signed_info=proof.signed_info,
              signature_value=proof.signature_value, signature_method=proof.signature_method,
              certificate=keep_certificate(write, proof.certificate), body=proof.body,
              body_reference=proof.body_reference)


def _digest(proof: PushProof) -> str:
    """What ties the kept signature to the journal."""
    return sha256(proof.signed_info + proof.signature_value).hexdigest()


def _breaker(session: Session, party: str, *, to_change: bool = False) -> Breaker:
    row = session.one(_BREAKER_TO_CHANGE if to_change else _BREAKER, who=party)
    return Breaker() if row is None else breaker_of(row)


def breaker_of(row: Row) -> Breaker:
    """A row of state, failures, refusals, openings, until."""
    return Breaker(state=BreakerState(row[0]), failures=row[1], refusals=row[2], openings=row[3],
                   until=maybe_moment(row[4]))


def _keep_breaker(write: Write, party: str, breaker: Breaker) -> None:
    values = {"state": breaker.state.value, "failures": breaker.failures, "refusals": breaker.refusals,
              "openings": breaker.openings, "until": None if breaker.until is None else micros(breaker.until)}
    if write.one(_BREAKER, who=party) is None:
        write.run(_ADD_BREAKER, party=party, **values)
    else:
        write.run(_SET_BREAKER, who=party, **values)

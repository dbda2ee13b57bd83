"""The outbox: who may try what, and when; each test on every engine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from gateway.errors import StorageError
from gateway.push_values import Breaker, BreakerState, Claim, Outcome, PushProof, Result
from gateway.storage import KeyDirectory, Sealer, SqlOutbox, open_store
from gateway.values import Acceptance, DeliveryState, Party, Search
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, bridged, number

LEASE = timedelta(seconds=90)
SECOND = timedelta(seconds=1)
PUSHED = replace(ENERGIE, push="https://energie.example/ontvangst")
PUSHED_BANK = replace(BANK, push="https://bank.example/ontvangst")
PROOF = PushProof(signed_info=b"<ds:SignedInfo/>", signature_value=b"value" * 50, signature_method="rsa-sha256",
                  certificate=b"certificate of energie" * 60, body=b"<soap:Body/>", body_reference="B-1")
_holders = count()


def any_number(party: str, breaker: Breaker) -> tuple[int, Breaker]:
    return 100, breaker


def push(hub: Hub, name: str, *, receivers: tuple[Party, ...] = (PUSHED,), conversatie: str | None = None,
         after: timedelta = timedelta(0)) -> Acceptance:
    message = acceptance(name, receivers=receivers, conversatie=conversatie, at=NOW + after)
    hub.accept(message)
    return message


def claim(hub: Hub, limit: int = 100, *, outbox: SqlOutbox | None = None,
          allow: Callable[[str, Breaker], tuple[int, Breaker]] = any_number) -> list[Claim]:
    return (outbox or hub.outbox).claim(
        holder=f"worker-{next(_holders)}", now=hub.now, lease_until=hub.now + LEASE, limit=limit, allow=allow)


def outcome(result: Result, at: datetime) -> Outcome:
    delivered = result is Result.DELIVERED
    return Outcome(result=result, started_at=at - SECOND, ended_at=at, cause="" if delivered else "no answer in time",
                   proof=PROOF if delivered else None)


def settle(hub: Hub, one: Claim, result: Result, *, again: timedelta = timedelta(minutes=5),
           breaker: Callable[[Breaker], Breaker] = lambda same: same, outbox: SqlOutbox | None = None) -> None:
    (outbox or hub.outbox).settle(one, outcome(result, hub.now), breaker=breaker,
                                  next_at=None if result is Result.DELIVERED else hub.now + again)


def numbers(claims: list[Claim]) -> list[str]:
    return [one.referentienummer for one in claims]


def status(hub: Hub, name: str, receiver: Party = ENERGIE) -> DeliveryState:
    found = hub.reports.messages(Search(referentienummer=number(name)), hub.now)
    return next(one.status for one in found if one.ontvanger == receiver.id)


def kinds(hub: Hub, name: str) -> list[str]:
    return [one.kind for one in hub.reports.stories(number(name), hub.now)[0].recorded]


def test_parties_that_collect_have_no_row_in_the_outbox(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    assert hub.rows("outbox") == 0
    assert claim(hub) == []


def test_a_claim_says_what_is_to_be_delivered_and_the_content_opens(hub: Hub) -> None:
    message = push(hub, "a")
    (one,) = claim(hub)
    assert one.referentienummer == number("a")
    assert one.receiver == ENERGIE.id
    assert one.afzender == GEMEENTE.id
    assert one.number == 1
    assert one.lease_until == hub.now + LEASE
    assert one.action == "urn:schuldenknooppunt:schuldregeling:2.0:SaldoVerzoek"
    assert (one.key, one.message_digest, one.expires_at) == (message.key, message.message_digest, message.expires_at)
    assert hub.outbox.content(one) == message.payload


def test_a_bridged_message_is_claimed_as_its_receiver_gets_it(hub: Hub) -> None:
    message = bridged(acceptance("a", receivers=(PUSHED,)), PUSHED)
    hub.accept(message)
    (one,) = claim(hub)
    assert one.action.endswith(":SaldoVraag")
    assert one.key.version == one.bridged_to == "1.1"
    assert hub.outbox.content(one) == message.bridged[ENERGIE.id].payload


def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(hub: Hub) -> None:
    push(hub, "a")
    assert numbers(claim(hub)) == [number("a")]
    assert claim(hub) == []
    hub.now += LEASE - SECOND
    assert claim(hub) == []
    hub.now += SECOND
    (again,) = claim(hub)
    assert again.number == 2


def test_delivered_is_collected_and_confirmed_at_once_and_nothing_is_left(hub: Hub) -> None:
    push(hub, "a")
    (one,) = claim(hub)
    settle(hub, one, Result.DELIVERED)
    assert status(hub, "a") is DeliveryState.BEVESTIGD
    assert kinds(hub, "a") == ["accepted", "collected", "confirmed"]
    assert hub.rows("outbox") == hub.payloads() == 0
    assert hub.rows("attempts") == hub.rows("push_proofs") == 1
    assert claim(hub) == []
    with pytest.raises(StorageError):
        hub.outbox.content(one)


def test_not_delivered_waits_until_it_may_be_tried_again(hub: Hub) -> None:
    push(hub, "a")
    (one,) = claim(hub)
    settle(hub, one, Result.UNREACHABLE, again=timedelta(minutes=5))
    assert status(hub, "a") is DeliveryState.BESCHIKBAAR
    hub.now += timedelta(minutes=5) - SECOND
    assert claim(hub) == []
    hub.now += SECOND
    assert [(one.number, one.referentienummer) for one in claim(hub)] == [(2, number("a"))]


def test_only_the_oldest_of_a_conversation_is_tried_and_others_do_not_wait_for_it(hub: Hub) -> None:
    for name, conversatie in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")):
        push(hub, name, conversatie=conversatie)
    first = claim(hub)
    assert numbers(first) == [number("a1"), number("b1")]
    settle(hub, first[0], Result.REFUSED, again=timedelta(hours=1))
    settle(hub, first[1], Result.DELIVERED)
    assert claim(hub) == []
    hub.now += timedelta(hours=1)
    (again,) = claim(hub)
    settle(hub, again, Result.DELIVERED)
    (second,) = claim(hub)
    assert second.referentienummer == number("a2")
    settle(hub, second, Result.DELIVERED)
    assert numbers(claim(hub)) == [number("a3")]


def test_the_legs_of_one_message_go_on_their_own(hub: Hub) -> None:
    push(hub, "a", receivers=(PUSHED, PUSHED_BANK, GEMEENTE_PULL), conversatie="a")
    push(hub, "b", receivers=(PUSHED, PUSHED_BANK), conversatie="a")
    one, other = sorted(claim(hub), key=lambda found: found.receiver != ENERGIE.id)
    assert (one.receiver, other.receiver) == (ENERGIE.id, BANK.id)
    settle(hub, one, Result.DELIVERED)
    assert [(found.receiver, found.referentienummer) for found in claim(hub)] == [(ENERGIE.id, number("b"))]
    assert status(hub, "a", BANK) is DeliveryState.BESCHIKBAAR
    assert hub.payloads() == 2


GEMEENTE_PULL = replace(GEMEENTE, id=number("other gemeente"))


@pytest.mark.parametrize("way", ["confirmed from the mailbox", "expired", "cancelled"])
def test_a_delivery_that_ends_another_way_leaves_the_outbox_and_lets_the_next_go(hub: Hub, way: str) -> None:
    push(hub, "a1", conversatie="a")
    late = acceptance("a2", receivers=(PUSHED,), conversatie="a", at=NOW + SECOND, term=2 * TERM)
    hub.accept(late)
    hub.now += SECOND
    (one,) = claim(hub)
    if way == "expired":
        hub.now += TERM + SECOND
        assert hub.mailbox.expire(hub.now, 10) == 1
    elif way == "cancelled":
        hub.now = one.lease_until  # before, it is refused: test_retry.py
        hub.operator.cancel(number("a1"), ENERGIE.id, who="w", why="y", now=hub.now)
    else:
        hub.mailbox.collect(ENERGIE.id, number("a1"), hub.now)
        hub.mailbox.confirm(ENERGIE.id, (number("a1"),), hub.now)
    ended = status(hub, "a1")
    (following,) = claim(hub)
    assert following.referentienummer == number("a2")
    before = hub.position()
    settle(hub, one, Result.DELIVERED)  # the answer to the first was under way: kept, and it changes nothing
    assert status(hub, "a1") is ended
    assert hub.position() == before
    assert hub.rows("push_proofs") == 1


def test_collected_from_the_mailbox_and_not_confirmed_it_is_still_pushed(hub: Hub) -> None:
    push(hub, "a")
    hub.mailbox.collect(ENERGIE.id, number("a"), hub.now)
    (one,) = claim(hub)
    settle(hub, one, Result.DELIVERED)
    assert kinds(hub, "a") == ["accepted", "collected", "confirmed"]


def test_past_its_term_nothing_is_claimed(hub: Hub) -> None:
    push(hub, "a")
    hub.now += TERM
    assert claim(hub) == []


def test_a_receipt_that_came_as_the_term_ended_still_counts(hub: Hub) -> None:
    push(hub, "a")
    hub.now += TERM - SECOND
    (one,) = claim(hub)
    hub.now += 2 * SECOND
    settle(hub, one, Result.DELIVERED)
    assert status(hub, "a") is DeliveryState.BEVESTIGD


def test_who_lost_the_lease_changes_nothing_but_by_a_receipt(hub: Hub) -> None:
    push(hub, "a")
    (slow,) = claim(hub)
    hub.now += LEASE
    (other,) = claim(hub)
    settle(hub, slow, Result.UNREACHABLE, again=timedelta(0))
    assert claim(hub) == []  # the lease of the other holds
    settle(hub, other, Result.DELIVERED)
    late = replace(slow, number=3)  # its second answer, say
    settle(hub, late, Result.DELIVERED)
    assert kinds(hub, "a") == ["accepted", "collected", "confirmed"]
    assert (hub.rows("attempts"), hub.rows("push_proofs")) == (3, 1)


def test_what_was_not_begun_is_given_back_at_once_and_no_attempt(hub: Hub) -> None:
    push(hub, "a")
    push(hub, "b")
    claims = claim(hub)
    hub.outbox.give_back(claims, hub.now)
    assert [one.number for one in claim(hub)] == [1, 1]
    assert hub.rows("attempts") == 0


def test_a_lease_that_was_lost_is_not_given_back(hub: Hub) -> None:
    push(hub, "a")
    lost = claim(hub)
    hub.now += LEASE
    claim(hub)
    hub.outbox.give_back(lost, hub.now)
    assert claim(hub) == []


def test_no_more_than_a_party_has_room_for_and_no_more_than_asked(hub: Hub) -> None:
    for name in "abcd":
        push(hub, name)
        push(hub, f"bank-{name}", receivers=(PUSHED_BANK,))
    found = claim(hub, allow=lambda party, breaker: (2 if party == ENERGIE.id else 0, breaker))
    assert numbers(found) == [number("a"), number("b")]
    assert len(claim(hub, limit=3)) == 3


def test_with_one_worker_each_party_comes_in_its_turn(hub: Hub) -> None:
    for name in "abc":
        push(hub, name)
        push(hub, f"bank-{name}", receivers=(PUSHED_BANK,))
    assert [claim(hub, limit=1)[0].receiver for _ in range(4)].count(BANK.id) == 2


def test_the_breaker_is_one_for_all_and_one_node_tries(hub: Hub) -> None:
    for name in "ab":
        push(hub, name)
    opened = Breaker(state=BreakerState.OPEN, failures=3, openings=1, until=hub.now + 10 * SECOND)
    settle(hub, claim(hub, limit=1)[0], Result.UNREACHABLE, again=timedelta(0), breaker=lambda _: opened)
    seen: list[Breaker] = []

    def once(party: str, breaker: Breaker) -> tuple[int, Breaker]:
        seen.append(breaker)
        if breaker.state is BreakerState.CLOSED:
            return 100, breaker
        free = breaker.until is not None and breaker.until <= hub.now
        return int(free), replace(breaker, state=BreakerState.HALF_OPEN, until=hub.now + LEASE)

    assert claim(hub, allow=once) == []
    assert seen[-1] == opened
    hub.now += 10 * SECOND
    assert len(claim(hub, allow=once)) == 1
    assert claim(hub, allow=once) == []
    assert seen[-1].state is BreakerState.HALF_OPEN


def test_a_delivery_closes_the_breaker(hub: Hub) -> None:
    push(hub, "a")
    (one,) = claim(hub)
    settle(hub, one, Result.UNREACHABLE, again=timedelta(0), breaker=lambda old: replace(old, failures=1))
    (one,) = claim(hub)
    settle(hub, one, Result.DELIVERED, breaker=lambda old: Breaker() if old.failures == 1 else old)
    push(hub, "b")
    seen: list[Breaker] = []
    claim(hub, allow=lambda party, breaker: (seen.append(breaker), (1, breaker))[1])  # type: ignore[func-returns-value]
    assert seen[-1] == Breaker()


def test_nodes_that_claim_at_the_same_time_get_different_rows_and_all_are_delivered(hub: Hub) -> None:
    """Conversations of three, accepted while others are settled; at the end nothing is left, nothing came twice."""
    total = 36
    order: list[tuple[int, str]] = []
    with open_store(hub.url, node="other") as second:
        other = SqlOutbox(second, Sealer(KeyDirectory(hub.folder / "keys")))

        def accept(start: int) -> None:
            for one in range(start, total, 2):
                push(hub, f"m{one}", conversatie=f"c{one % 6 // 2 * 2 + start}")

        def work(outbox: SqlOutbox) -> int:
            done = idle = 0
            while idle < 40:
                found = claim(hub, limit=5, outbox=outbox)
                idle = 0 if found else idle + 1
                for one in found:
                    order.append((one.conversation, one.referentienummer))
                    settle(hub, one, Result.DELIVERED, outbox=outbox)
                done += len(found)
            return done

        with ThreadPoolExecutor(6) as pool:
            pushing = [pool.submit(accept, start) for start in (0, 1)]
            workers = [pool.submit(work, outbox) for outbox in (hub.outbox, other, hub.outbox, other)]
            assert [one.result() for one in pushing] == [None, None]
            delivered = sum(one.result() for one in workers)
    rest = claim(hub)
    while rest:
        for one in rest:
            order.append((one.conversation, one.referentienummer))
            settle(hub, one, Result.DELIVERED)
        delivered += len(rest)
        rest = claim(hub)
    assert delivered == total == len(set(order))
    assert hub.rows("outbox") == hub.payloads() == 0
    sent = {number(f"m{one}"): one for one in range(total)}
    for conversation in {one for one, _ in order}:
        came = [sent[name] for number_, name in order if number_ == conversation]
        assert came == sorted(came)

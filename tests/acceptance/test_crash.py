"""SIGKILL at random moments under load: what was receipted is there, once; what was not can be sent again, safely.

Nothing is told to the hub before it dies, and it comes back on the same folder each time. One receiver collects only at
the end; the other collects and confirms all through it.
"""

import os
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from gateway.app import open_instance
from gateway.errors import DeliveryError
from gateway.party import PartyClient
from tests.acceptance.hub import Hub, fresh_hub
from tests.acceptance.load import Sender
from tests.postgres.databases import asked

KILLS = 20
DEURWAARDER = "11111111-1111-4111-8111-000000000003"
# Enough tries to outlive any restart; a message that is given up was never answered in half a minute.
TRIES = 1000


def test_receipted_messages_survive_kills_exactly_once(template: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED", random.SystemRandom().randrange(10**6)))
    print(f"CRASH_SEED={seed}")
    choose = random.Random(seed)
    began = time.monotonic()
    with fresh_hub(template, tmp_path / "instance") as hub:
        senders = [Sender(hub.party("gemeente"), pause=0.005, tries=tries) for tries in (TRIES, TRIES, 1)]
        senders.append(Sender(hub.party("gemeente"), pause=0.02, tries=TRIES, receiver=DEURWAARDER))
        received: dict[str, bytes] = {}
        for sender in senders:
            sender.start()
        try:
            _kill_again_and_again(hub, choose, hub.party("deurwaarder"), received)
        finally:
            for sender in senders:
                sender.halt()
            for sender in senders:
                sender.join(30)
        _check(hub, senders, received)
        print(f"{KILLS} kills, {time.monotonic() - began:.0f} s")


def _kill_again_and_again(hub: Hub, choose: random.Random, receiver: PartyClient, received: dict[str, bytes]) -> None:
    for number in range(KILLS):
        if number % 7 == 6:  # now and then while it is still starting: recovery itself must survive
            hub.kill()
            hub.spawn()
            time.sleep(choose.uniform(0.2, 0.9))
        else:
            until = time.monotonic() + choose.uniform(0.02, 0.6)
            while time.monotonic() < until:
                with suppress(DeliveryError):
                    _collect(receiver, received)
        hub.kill()
        hub.start()


def _collect(client: PartyClient, received: dict[str, bytes]) -> int:
    """Fetch and confirm what waits, a few at a time; how many there were."""
    waiting = [one.referentienummer for one in client.waiting(20)]
    assert len(set(waiting)) == len(waiting)
    for number in waiting:
        octets = client.collect(number).octets
        assert received.setdefault(number, octets) == octets
    if waiting:
        assert all(client.confirm(*waiting).values())
    return len(waiting)


def _check(hub: Hub, senders: list[Sender], received: dict[str, bytes]) -> None:
    sent = {number: octets for one in senders for number, octets in one.sent.messages.items()}
    receipts = {number: receipt for one in senders for number, receipt in one.sent.receipts.items()}
    given_up = {number for one in senders for number in one.sent.given_up}
    unanswered, repeated = (sum(getattr(one.sent, name) for one in senders) for name in ("unanswered", "repeated"))
    print(f"{len(sent)} messages, {len(receipts)} receipts, {unanswered} tries without answer, {repeated} receipts on "
          f"a repeated try, {len(given_up)} given up")
    assert not [wrong for one in senders for wrong in one.sent.wrong]
    assert len(receipts) > KILLS
    assert unanswered > KILLS / 2
    assert set(sent) == set(receipts) | given_up
    at_the_end: dict[str, bytes] = {}
    for client, into in ((hub.party("energie"), at_the_end), (hub.party("deurwaarder"), received)):
        while _collect(client, into):
            pass
    everything = at_the_end | received
    assert set(receipts) <= set(everything) <= set(sent)
    assert not set(at_the_end) & set(received)
    for number, octets in everything.items():
        assert octets == sent[number]
    positions = Counter(receipt.journaal_positie for receipt in receipts.values())
    assert set(positions.values()) == {1}
    _check_store(hub, set(everything))


def _check_store(hub: Hub, numbers: set[str]) -> None:
    stored = Counter(row[0] for row in asked(hub.folder, "SELECT referentienummer FROM messages"))
    deliveries, payloads = (asked(hub.folder, f"SELECT count(*) FROM {table}")[0][0]
                            for table in ("deliveries", "payloads"))
    assert stored == Counter(dict.fromkeys(numbers, 1))
    assert (deliveries, payloads) == (len(numbers), 0)
    with open_instance(hub.folder).operations() as operations:
        verdict = operations.verify_journal(lambda done: None)
    assert verdict["holds"], verdict
    assert verdict["entries"] >= 3 * len(numbers)  # accepted, collected, confirmed

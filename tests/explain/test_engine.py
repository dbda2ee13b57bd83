"""The engine agrees with the line, whatever the octets; and it costs no more than four accepted messages."""

import random
import re
import statistics
import time
from collections.abc import Callable

import pytest

from gateway.errors import GatewayError
from gateway.security import Sent, diagnose, hub_budget, verify
from gateway.security.explain.case import canonicalised
from gateway.soap import check_request, parse, read_addressing
from tests import foreign
from tests.explain.world import World, compact, pretty
from tests.hostile.attack import message
from tests.line import SHV, Line
from tests.tolerant.accepting import body_text
from tests.tolerant.test_spelling import STYLES
from tests.tolerant.writing import Style, compose, sign


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())
def test_what_is_accepted_holds_in_every_check(world: World, style: dict[str, object]) -> None:
    identity, made = world.line.identity("gemeente"), Style(**style)
    octets = sign(compose(body_text(message()), world.line, identity, made), identity, made)
    assert [one for one in world.look(octets).checks if not one.holds] == []


def _line_refuses(world: World, octets: bytes) -> bool:
    gate = world.line.gate
    try:
        envelope = parse(octets, gate.limits)
        addressing = read_addressing(envelope)
        check_request(addressing, '""', gate.addresses(gate.catalog.services[SHV]), gate.oin)
        verify(envelope, gate.policy, gate.check_signer, world.now)
    except GatewayError:
        return True
    return False


def test_whatever_octets_are_refused_get_a_cause(world: World) -> None:
    """Octets changed, cut, doubled and swapped at random places, always the same ones."""
    chance, good = random.Random(4), world.octets(compact(message()))
    seen = {True: 0, False: 0}
    for _ in range(250):
        octets = _mutated(good, chance)
        refused = _line_refuses(world, octets)
        explanation = diagnose(Sent(octets=octets, content_type="text/xml", soap_action='""', path=SHV,
                                    peer=world.line.peer("gemeente")), world.known(), hub_budget(len(octets)))
        wrong = [one.id for each in explanation.checks for one in each.diagnoses]
        assert bool(wrong) >= refused
        seen[refused] += 1
    assert seen[True] > 150


def _mutated(octets: bytes, chance: random.Random) -> bytes:
    at, other = sorted(chance.sample(range(len(octets)), 2))
    short = min(other, at + chance.randint(1, 80))
    match chance.randrange(6):
        case 0:
            return octets[:at] + bytes([octets[at] ^ 1 << chance.randrange(8)]) + octets[at + 1:]
        case 1:
            return octets[:at] + octets[short:]
        case 2:
            return octets[:at] + octets[at:short] * 2 + octets[short:]
        case 3:
            return octets[:at]
        case 4:
            tags = list(re.finditer(rb"<[^<>]+>", octets))
            one, two = sorted(chance.sample(tags, 2), key=lambda tag: tag.start())
            return octets[:one.start()] + two[0] + octets[one.end():two.start()] + one[0] + octets[two.end():]
        case _:
            values = list(re.finditer(rb'"[^"<>]*"', octets))
            one, two = chance.sample(values, 2)
            return octets[:one.start()] + two[0] + octets[one.end():]


def _milliseconds(work: Callable[[], object], times: int = 9) -> float:
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken) * 1000


UGLY = {
    "one digit": lambda octets: octets.replace(b"47119", b"47118"),
    "pretty": pretty,
    "every part": lambda octets: re.sub(rb"(</?|\s)s:", rb"\1zz:", octets.replace(b"xmlns:s=", b"xmlns:zz=")).replace(
        b"47119", b"47118"),
    "signature": lambda octets: re.sub(rb"(<SignatureValue>....)....", rb"\1AAAA", octets),
}


def test_explaining_costs_less_than_accepting_four_messages(line: Line) -> None:
    """CPU of this process; the search is never allowed more than its budget."""
    good = iter([foreign.octets(foreign.build(line.plan(message()))) for _ in range(9)])
    accepting = _milliseconds(lambda: line.post(next(good)))
    octets = foreign.octets(foreign.build(line.plan(message())))
    for name, change in UGLY.items():
        ugly = change(octets)
        refusing = _milliseconds(lambda ugly=ugly: line.post(ugly))
        assert refusing < 5 * accepting, name  # the fault itself is one more


def test_the_search_ends_with_its_budget(world: World) -> None:
    """Many small elements: the dearest a message can be for its size."""
    octets = world.octets(message().replace(b"</sr:Kennisgeving>", b"<x/>" * 20_000 + b"</sr:Kennisgeving>"))
    ugly = octets.replace(b"47119", b"47118")
    budget = hub_budget(len(ugly))
    explanation = world.look(ugly, budget=budget)
    assert [one.id for each in explanation.checks for one in each.diagnoses] == ["search-stopped"]
    assert budget.octets < 0
    assert budget.octets > -2 * canonicalised(ugly), "the Body is canonicalised once, and nothing is tried"

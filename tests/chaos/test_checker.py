"""The checker itself: a hub that breaks its promise is caught, one that keeps it is not. Histories are made up here."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from tests.chaos.checker import check
from tests.chaos.history import Event

SHV, SE, OTHER = "party-shv", "party-se", "party-other"


class Told:
    """A history as it is told, one event a second."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._ids = count(1)

    def add(self, kind: str, **facts: object) -> str:
        asked = str(facts.setdefault("id", f"x/{next(self._ids)}"))
        self.events.append(Event(at=float(len(self.events)), kind=kind, by="x", facts=facts))
        return asked

    def request(self, ref: str, *, digest: str = "", how: str = "first", to: tuple[str, ...] = (SE,)) -> str:
        return self.add("request", sender=SHV, ref=ref, conv="c", to=to, digest=digest or f"d-{ref}", how=how)

    def receipt(self, asked: str, ref: str, *, to: tuple[str, ...] = (SE,), **other: object) -> None:
        facts = {"to": to, "digest": f"d-{ref}", "position": ord(ref), "hash": f"h-{ref}", "at": "t", "until": "u"}
        self.add("receipt", id=asked, ref=ref, **{**facts, **other})
        self.add("entry", node="n", position=ord(ref), hash=f"h-{ref}", ref=ref)

    def send(self, ref: str, *, to: tuple[str, ...] = (SE,)) -> None:
        self.receipt(self.request(ref, to=to), ref, to=to)

    def listed(self, *refs: str, party: str = SE) -> None:
        self.add("listed", id=self.add("listing", party=party), party=party, rows=[[ref, SHV, "c"] for ref in refs])

    def got(self, ref: str, *, party: str = SE, digest: str = "", to: tuple[str, ...] = (SE,)) -> None:
        asked = self.add("collecting", party=party, ref=ref)
        self.add("got", id=asked, party=party, ref=ref, sender=SHV, conv="c", to=to, digest=digest or f"d-{ref}")

    def confirm(self, ref: str, *, party: str = SE) -> None:
        self.add("confirmed", id=self.add("confirming", party=party, refs=[ref]), party=party, refs=[ref])

    def push(self, ref: str, *, how: str = "ok", digest: str = "", message_id: str = "") -> None:
        self.add("pushed", party=SE, ref=ref, sender=SHV, conv="c", to=[SE], digest=digest or f"d-{ref}",
                 message_id=message_id or f"m-{ref}")
        self.add("answered", party=SE, ref=ref, how=how)

    def act(self, since: float, until: float) -> None:
        self.add("act", what="kill-node", target="n", kill=True, since=since, until=until)

    def end(self, *, drained: tuple[str, ...] = (SE,), holds: bool = True) -> list[str]:
        """What the checker says: `rule: text`."""
        for party in drained:
            self.add("drained", party=party)
        self.add("journal", holds=holds, entries=1, cause="entry 3")
        return [str(one) for one in check(self.events)]


@pytest.fixture
def told() -> Told:
    """Two messages of one conversation, sent one after the other and both receipted."""
    told = Told()
    told.send("A")
    told.send("B")
    return told


def test_a_hub_that_keeps_its_promise_is_not_blamed(told: Told) -> None:
    told.listed("A", "B")
    told.got("A")
    told.got("A")
    told.got("B")
    told.confirm("A")
    told.confirm("A")
    told.listed("B")
    told.confirm("B")
    told.add("absent", party=SE, ref="A", code="SKP014")
    told.receipt(told.request("A", how="again"), "A")
    told.add("refused", id=told.request("A", how="conflict", digest="other"), code="SKP008")
    told.add("silent", id=told.request("C"), why="no answer")
    told.add("abandoned", sender=SHV, ref="C")
    told.add("evidence", ref="A", holds=True, detail="")
    told.add("status", party=SHV, ref="A", sender=SHV, receiver=SE, status="BEVESTIGD")
    assert told.end() == []


def test_what_was_given_up_without_a_receipt_may_arrive_or_not(told: Told) -> None:
    for ref in ("A", "B"):
        told.got(ref)
    for ref in ("C", "D"):
        told.add("silent", id=told.request(ref), why="no answer")
        told.add("abandoned", sender=SHV, ref=ref)
    told.got("C")
    assert told.end() == []


def _lost(told: Told) -> None:
    told.got("A")


def _lost_for_one_of_two(told: Told) -> None:
    told.send("C", to=(SE, OTHER))
    for ref in ("A", "B", "C"):
        told.got(ref)
    told.add("status", party=SHV, ref="C", sender=SHV, receiver=OTHER, status="BESCHIKBAAR")
    told.add("drained", party=OTHER)


def _confirmed_by_nobody(told: Told) -> None:
    told.got("A")
    told.add("status", party=SHV, ref="B", sender=SHV, receiver=SE, status="BEVESTIGD")


def _other_content(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.got("B", digest="d-x")


def _again_after_confirmation(told: Told) -> None:
    told.got("A")
    told.confirm("A")
    told.got("A")
    told.got("B")


def _listed_after_confirmation(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.confirm("A")
    told.listed("A", "B")


def _swapped(told: Told) -> None:
    told.listed("B", "A")
    told.got("A")
    told.got("B")


def _later_one_alone(told: Told) -> None:
    told.listed("B")
    told.got("A")
    told.got("B")


def _pushed_out_of_order(told: Told) -> None:
    told.push("B")
    told.push("A")


def _pushed_past_a_refusal(told: Told) -> None:
    told.push("A", how="refused")
    told.push("B")
    told.push("A")


def _pushed_again_without_cause(told: Told) -> None:
    told.push("A")
    told.push("A")
    told.push("B")


def _pushed_again_long_after_the_cause(told: Told) -> None:
    told.act(0.0, 1.0)
    told.push("A")
    told.push("A")
    told.push("B")


def _pushed_under_another_message_id(told: Told) -> None:
    told.push("A", how="late")
    told.push("A", message_id="m-other")
    told.push("B")


def _to_another_party(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.got("B", party=OTHER)


def _listed_for_another_party(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.listed("B", party=OTHER)


def _from_nowhere(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.got("Z")


def _changed_receipt(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.receipt(told.request("A", how="again"), "A", until="later")


def _two_places(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.receipt(told.request("A", how="twin"), "A", position=9, hash="h-9")
    told.add("entry", node="n", position=9, hash="h-9", ref="A")


def _one_place_for_two(told: Told) -> None:
    told.receipt(told.request("C"), "C", position=ord("A"), hash="h-A")
    for ref in ("A", "B", "C"):
        told.got(ref)


def _other_addressees(told: Told) -> None:
    told.receipt(told.request("C"), "C", to=(OTHER,))
    for ref in ("A", "B", "C"):
        told.got(ref)


def _not_in_the_journal(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.events[:] = [one for one in told.events if one.kind != "entry" or one["ref"] != "B"]


def _evidence(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.add("evidence", ref="B", holds=False, detail="receipt")


def _conflict_accepted(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.receipt(told.request("A", how="conflict", digest="d-2"), "A", digest="d-2")


def _conflict_delivered(told: Told) -> None:
    told.got("A")
    told.add("silent", id=told.request("B", how="conflict", digest="d-2"), why="no answer")
    told.got("B", digest="d-2")


def _in_order_and_refused(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.add("refused", id=told.request("C"), code="SKP011")


def _fell(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.add("fell", target="node-1", code=1)


def _status_stays(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.confirm("A")
    told.add("status", party=SE, ref="A", sender=SHV, receiver=SE, status="OPGEHAALD")


DOCTORED = {
    "lost": [_lost, _lost_for_one_of_two, _confirmed_by_nobody, _other_addressees],
    "doubled": [_other_content, _again_after_confirmation, _listed_after_confirmation, _pushed_again_without_cause,
                _pushed_again_long_after_the_cause, _pushed_under_another_message_id],
    "order": [_swapped, _later_one_alone, _pushed_out_of_order, _pushed_past_a_refusal],
    "wrong party": [_to_another_party, _listed_for_another_party, _from_nowhere],
    "receipts": [_changed_receipt, _two_places, _one_place_for_two],
    "journal": [_not_in_the_journal, _evidence],
    "refusals": [_conflict_accepted, _conflict_delivered, _in_order_and_refused],
    "visible": [_confirmed_by_nobody, _status_stays],
    "steady": [_fell],
}


@pytest.mark.parametrize(
    ("rule", "doctor"), [(rule, doctor) for rule, doctors in DOCTORED.items() for doctor in doctors],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"))
def test_a_broken_promise_is_caught(told: Told, rule: str, doctor: Callable[[Told], None]) -> None:
    doctor(told)
    assert rule in {one.split(":")[0] for one in told.end()}


def test_each_doctored_history_is_sound_but_for_its_doctoring(told: Told) -> None:
    told.got("A")
    told.got("B")
    assert told.end() == []


def test_a_journal_that_does_not_hold_is_told(told: Told) -> None:
    told.got("A")
    told.got("B")
    assert told.end(holds=False) == ["journal: it does not hold: entry 3"]


def test_a_mailbox_that_was_not_emptied_is_told(told: Told) -> None:
    told.got("A")
    told.add("status", party=SHV, ref="B", sender=SHV, receiver=SE, status="BESCHIKBAAR")
    assert [one.split(":")[0] for one in told.end(drained=())] == ["steady"]


def test_an_expired_message_is_not_lost(told: Told) -> None:
    told.got("A")
    told.add("status", party=SHV, ref="B", sender=SHV, receiver=SE, status="VERLOPEN")
    assert told.end() == []


def test_a_push_may_come_again_when_a_kill_hid_its_answer(told: Told) -> None:
    told.push("A")
    told.act(0.0, 100.0)
    told.push("A")
    told.push("B")
    assert told.end() == []


def test_a_push_that_was_answered_too_late_comes_again(told: Told) -> None:
    told.push("A", how="late")
    told.push("A")
    told.push("B")
    assert told.end() == []


def test_the_earlier_one_may_be_missing_from_a_list_while_its_confirmation_is_on_its_way(told: Told) -> None:
    told.got("A")
    told.got("B")
    told.add("confirming", party=SE, refs=["A"])
    told.listed("B")
    assert told.end() == []


def test_a_list_that_was_asked_for_before_the_confirmation_may_show_the_message(told: Told) -> None:
    told.got("A")
    told.got("B")
    asked = told.add("listing", party=SE)
    told.confirm("A")
    told.add("listed", id=asked, party=SE, rows=[["A", SHV, "c"], ["B", SHV, "c"]])
    assert told.end() == []


def test_messages_that_were_sent_side_by_side_may_come_in_either_order() -> None:
    told = Told()
    first, second = told.request("A"), told.request("B")
    told.receipt(second, "B")
    told.receipt(first, "A")
    told.listed("B", "A")
    told.got("A")
    told.got("B")
    assert told.end() == []


def test_a_run_without_a_receipt_proves_nothing() -> None:
    told = Told()
    told.add("silent", id=told.request("A"), why="no answer")
    assert any("proves nothing" in one for one in told.end())


def test_the_order_of_the_lines_in_the_files_does_not_matter(told: Told) -> None:
    told.got("A")
    told.got("B")
    shuffled = [replace(one) for one in reversed(told.events)]
    assert told.end() == []
    assert [str(one) for one in check(shuffled)][:1] == ["journal: it was not verified"]

"""Switches in the store: set once, journaled with who and why, and what waits is counted."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import RefusedError
from gateway.storage import SqlSwitches
from gateway.switchboard import ModuleVersion, Switchboard
from gateway.switches import ALL_ON, Switch, SwitchKind
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, number

WHO = {"who": "beheer", "why": "onderhoud"}
DRAIN = Switch(kind=SwitchKind.PARTY, name=ENERGIE.id, since=NOW, **WHO)
PAUSE = Switch(kind=SwitchKind.MODULE, name="schuldregeling/2.0", since=NOW, **WHO)


def acts(hub: Hub) -> list[dict[str, object]]:
    from sqlalchemy import select

    from gateway.storage.session import Query
    from gateway.storage.tables import entries

    with hub.store.read() as session:
        rows = session.all(Query(select(entries.c.record).where(entries.c.kind == "operator")
                                 .order_by(entries.c.position)))
    return [{key: value for key, value in json.loads(row[0]).items() if key in ("action", "who", "why")}
            for row in rows]


def test_what_is_off_is_read_back_by_every_store_and_journaled(hub: Hub) -> None:
    switches = SqlSwitches(hub.store)
    assert switches.read() == ALL_ON
    switches.off(DRAIN)
    switches.off(PAUSE)
    off = switches.read()
    assert (off.drained(ENERGIE.id), off.drained(BANK.id)) == (DRAIN, None)
    assert (off.paused("schuldregeling", "2.0"), off.paused("schuldregeling", "1.1")) == (PAUSE, None)
    assert off.everything() == (DRAIN, PAUSE)
    switches.on(SwitchKind.PARTY, ENERGIE.id, who="beheer", why="klaar", now=NOW)
    switches.on(SwitchKind.MODULE, "schuldregeling/2.0", who="beheer", why="klaar", now=NOW)
    assert switches.read() == ALL_ON
    assert acts(hub) == [
        {"action": f"parties drain {ENERGIE.id}", **WHO},
        {"action": "modules pause schuldregeling/2.0", **WHO},
        {"action": f"parties resume {ENERGIE.id}", "who": "beheer", "why": "klaar"},
        {"action": "modules resume schuldregeling/2.0", "who": "beheer", "why": "klaar"},
    ]


def test_a_switch_that_stands_so_already_is_refused_and_not_journaled(hub: Hub) -> None:
    switches = SqlSwitches(hub.store)
    with pytest.raises(RefusedError, match="not switched off"):
        switches.on(SwitchKind.PARTY, ENERGIE.id, now=NOW, **WHO)
    switches.off(DRAIN)
    before = hub.position()
    with pytest.raises(RefusedError, match="already"):
        switches.off(DRAIN)
    assert hub.position() == before
    assert switches.read().drained(ENERGIE.id) == DRAIN


def test_a_whole_module_covers_every_version(hub: Hub) -> None:
    SqlSwitches(hub.store).off(Switch(kind=SwitchKind.MODULE, name="schuldregeling", since=NOW, **WHO))
    off = SqlSwitches(hub.store).read()
    assert off.paused("schuldregeling", "1.0") is not None
    assert off.paused("schuldregeling-extra", "1.0") is None


def test_what_still_waits_is_what_is_open_in_its_term(hub: Hub) -> None:
    switches = SqlSwitches(hub.store)
    for name, receivers in (("a", (ENERGIE,)), ("b", (ENERGIE, BANK)), ("c", (ENERGIE,))):
        hub.accept(acceptance(name, receivers=receivers))
    hub.accept(acceptance("d", sender=ENERGIE, receivers=(GEMEENTE,)))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    hub.mailbox.collect(ENERGIE.id, number("b"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("b"),), NOW)
    assert switches.waiting(ENERGIE.id, NOW) == (2, 1)
    assert switches.waiting(BANK.id, NOW) == (1, 0)
    assert switches.waiting(GEMEENTE.id, NOW) == (1, 3)
    assert switches.waiting(ENERGIE.id, NOW + TERM + timedelta(seconds=1)) == (0, 0)


SETS = [ModuleVersion(module, version, module.title(), "active")
        for module, version in (("schuldregeling", "1.1"), ("schuldregeling", "2.0"), ("rechtbank", "1.0"))]


@pytest.fixture
def board(hub: Hub) -> Switchboard:
    gone = replace(BANK, active=False)
    parties = {one.slug: one for one in (GEMEENTE, ENERGIE, gone)}
    return Switchboard(stored=SqlSwitches(hub.store), resolve=parties.__getitem__, sets=lambda: SETS,
                       states=list, clock=lambda: NOW)


def test_what_makes_no_sense_is_refused_with_words(hub: Hub, board: Switchboard) -> None:
    before = hub.position()
    for act, target, words in (
        (board.pause, "knooppunt", "no module 'knooppunt' that can be paused; there are schuldregeling, rechtbank"),
        (board.pause, "schuldregeling/9.9", "no version '9.9' of schuldregeling; there are 1.1, 2.0"),
        (board.resume_module, "schuldregeling", "schuldregeling is not paused"),
        (board.resume_party, "gemeente", "gemeente is not drained"),
        (board.drain, "bank", "bank is not active: nothing is accepted to or from it anyway"),
    ):
        with pytest.raises(RefusedError, match=words):
            act(target, **WHO)
    assert hub.position() == before


def test_version_and_module_are_not_mixed_up(board: Switchboard) -> None:
    board.pause("schuldregeling/2.0", **WHO)
    assert [row["paused"] for row in board.modules()] == [False, True, False]
    board.pause("schuldregeling", **WHO)
    assert [row["paused"] for row in board.modules()] == [True, True, False]
    with pytest.raises(RefusedError, match=r"schuldregeling was paused on 2031-03-03T09:30:00Z by beheer: onderhoud"):
        board.pause("schuldregeling/1.1", **WHO)
    with pytest.raises(RefusedError, match="paused as a whole"):
        board.resume_module("schuldregeling/1.1", **WHO)
    board.resume_module("schuldregeling", **WHO)
    with pytest.raises(RefusedError, match=r"is not paused; only schuldregeling/2\.0"):
        board.resume_module("schuldregeling", **WHO)
    assert [row["paused"] for row in board.resume_module("schuldregeling/2.0", **WHO)] == [False, False]


def test_draining_twice_says_who_did_it(board: Switchboard) -> None:
    assert board.drain("energie", **WHO)["drained"] is True
    with pytest.raises(RefusedError, match=r"energie was drained on .* by beheer: onderhoud"):
        board.drain("energie", **WHO)
    assert board.resume_party("energie", **WHO)["drained"] is False

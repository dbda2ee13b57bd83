"""Each section of `make bench` on a few messages: it measures what it says. How long that took is not asserted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.attachments import measure_attachments
from benchmarks.growth import filled, measure_steps
from benchmarks.line import WAY_IN, measure_line, measure_mailbox
from benchmarks.machine import facts
from benchmarks.network import Load, measure_network, served
from benchmarks.plain_answer import PlainAnswer
from benchmarks.primitives import measure_primitives
from benchmarks.sections import few
from benchmarks.stacks.run import STACKS, measure_stacks
from benchmarks.world import P256, RSA, RSA3072, World, world
from gateway.app.instance import new_id
from gateway.pipeline import answer
from tests.command import gateway
from tests.crosscheck.referee import holds_for_xmlsec1, needs_xmlsec1
from tests.postgres.databases import asked


@pytest.fixture(scope="module")
def hub(template: Path) -> Iterator[World]:
    with world(push=("deurwaarder",), hub_rsa=RSA3072, template=template) as made:
        yield made


@pytest.fixture(autouse=True)
def store_of_the_ceiling(hub: World) -> Iterator[None]:
    """The ceiling's inserts are of the test alone."""
    yield
    (hub.instance.folder / "ceiling.db").unlink(missing_ok=True)


def test_every_primitive_is_measured(hub: World) -> None:
    rows = measure_primitives(hub, rounds=1, per_round=1)
    of = {(row["primitive"], row["of"]) for row in rows}
    assert {("parse", "6 KB"), ("parse", "60 KB"), ("sign", RSA3072), ("verify", P256), ("TLS handshake", "resumed"),
            ("durable commit, share of 8", "6 KB"), ("HTTP parse", "6 KB")} <= of
    assert len(of) == len(rows)


def test_the_sizes_are_what_they_are_called(hub: World) -> None:
    assert 5_500 < len(hub.lean([new_id()])[0].octets) < 7_500
    assert 9_000 < len(hub.questions([new_id()], 2)[0].octets) < 10_500
    assert 57_000 < len(hub.questions([new_id()], 500)[0].octets) < 63_000


def test_the_line_is_measured_beside_the_ceiling(hub: World) -> None:
    cases = few([case for case in WAY_IN if case.measure == "way in, 6 KB" and (case.key, case.threads) in (
        (RSA3072, 1), (P256, 8))])
    assert len(cases) == 2
    rows = measure_line(hub, cases, rounds=1)
    assert [(row["key"], row["threads"]) for row in rows] == [(case.key, case.threads) for case in cases]
    assert all(row["ratio"] > 0 and row["ratio_cpu"] > 0 for row in rows)


def test_what_is_collected_is_confirmed(hub: World) -> None:
    collect, confirm = measure_mailbox(hub, rounds=1, per_round=2)
    assert (collect["measure"], confirm["measure"]) == ("collect, 6 KB", "confirm")


def test_a_party_is_answered_with_the_family_of_its_key(hub: World) -> None:
    for key, method in ((RSA, b"rsa-sha256"), (RSA3072, b"rsa-sha256"), (P256, b"ecdsa-sha256")):
        octets = answer(hub.lean([new_id()], key)[0], hub.gate).octets
        assert octets.count(b"#" + method) == 1


@needs_xmlsec1
@pytest.mark.parametrize("key", [RSA3072, P256])
def test_the_plainest_answer_is_a_signed_one(hub: World, tmp_path: Path, key: str) -> None:
    plain = PlainAnswer(hub.signing("hub", key))
    parts = plain.written(new_id(), f"urn:uuid:{new_id()}", "2026-11-24T12:00:00Z", "c2lnbmF0dXJl", new_id())
    octets = plain.signed(parts)
    assert octets.count(b"<ds:Reference ") == 8
    assert holds_for_xmlsec1(tmp_path, octets)
    assert not holds_for_xmlsec1(tmp_path, octets.replace(b"c2lnbmF0dXJl", b"c2lnbmF0dXJm"))


def test_a_store_that_is_filled_is_whole(hub: World) -> None:
    before, = asked(hub.instance.folder, "SELECT count(*) FROM entries")
    grown = {count: filled(hub, entries_wanted=count, waiting=5) for count in (20, 25)}
    rows = measure_steps(grown, rounds=1, per_round=1)
    assert {row["step"] for row in rows} == {
        "way in", "list 100", "search by number", "collect", "confirm", "claim"}
    assert {row["entries"] for row in rows} == {20, 25}
    after, = asked(hub.instance.folder, "SELECT count(*) FROM entries")
    assert after[0] - before[0] >= 40
    assert gateway("journal", "verify", hub.instance.folder).code == 0


def test_a_hub_is_measured_over_the_network(hub: World) -> None:
    loads = [Load(connections=2, messages=8), Load(connections=2, kind="new", messages=8),
             Load(connections=1, kind="resumed", messages=16)]
    with served(hub.instance.folder, 1) as running:
        rows = measure_network(running, loads)
        (files,) = measure_attachments(running, counts=[2], size=20_000, rounds=1)
    assert [(row["kind"], row["messages"]) for row in rows] == [("kept", 7), ("new", 7), ("resumed", 14)]
    assert [row["resumed"] for row in rows] == [0, 0, 1]
    assert all(row["pss_mb"] > 10 for row in rows)
    assert (files["files"], files["file_octets"]) == (2, 20_000)


def test_a_stack_that_is_not_there_is_left_out_by_name(hub: World) -> None:
    absent = replace(STACKS[0], there=lambda: False)
    ours, missing = measure_stacks(hub, seconds=0.001, rounds=1, stacks=[absent])
    assert (ours["stack"], ours["verify_times"]) == ("gateway", 1)
    assert missing == {"stack": absent.name, "missing": absent.needs}


def test_the_machine_is_told() -> None:
    told = json.loads(json.dumps(facts()))
    assert told["cores"] >= 1
    assert 0 <= told["busy"] <= 1

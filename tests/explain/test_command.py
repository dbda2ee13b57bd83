"""`gateway explain`, and the operator's view of one refusal, as a person gets them."""

from pathlib import Path

import pytest

from gateway.app import open_instance
from gateway.values import Reply
from tests import foreign
from tests.command import gateway
from tests.explain.world import World, compact, pretty, replaced
from tests.hostile.attack import message
from tests.line import KN, Line, fault


@pytest.fixture
def envelope(world: World, tmp_path: Path) -> Path:
    """A good envelope, saved."""
    path = tmp_path / "envelope.xml"
    path.write_bytes(world.octets(compact(message())))
    return path


def test_a_good_envelope_holds_and_says_what_was_not_looked_at(envelope: Path) -> None:
    ran = gateway("explain", envelope)
    assert ran.code == 0
    assert "alles wat is bekeken, klopt" in ran.out
    assert "✗" not in ran.out
    assert "--instance" in ran.out
    assert "--at" in ran.out


def test_against_an_instance_every_check_is_looked_at(world: World, envelope: Path) -> None:
    ran = gateway("explain", envelope, "--instance", world.line.instance.folder, "--at", world.now.isoformat(),
                  "--soap-action", '""', "--content-type", "text/xml", "--tls",
                  world.line.instance.folder / "pki" / "gemeente-tls.pem", "--json")
    assert ran.code == 0
    assert [one["holds"] for one in ran.json["checks"]] == [True] * 14


def test_what_fails_is_told_with_remedy_in_both_languages_and_exit_code_1(envelope: Path) -> None:
    envelope.write_bytes(pretty(envelope.read_bytes()))
    ran = gateway("explain", envelope)
    assert ran.code == 1
    for words in ("✗ Controlegetallen", "na het ondertekenen is witruimte", "→ Zet opmaken uit",
                  "white space was added after signing", "white-space-added  "):
        assert words in ran.out
    told = gateway("explain", envelope, "--json").json
    assert told["holds"] is False
    assert {one["id"] for each in told["checks"] for one in each["diagnoses"]} == {"white-space-added"}


def test_a_wrong_clock_is_seen_only_when_the_moment_is_given(world: World, envelope: Path) -> None:
    folder = world.line.instance.folder
    assert gateway("explain", envelope, "--instance", folder).code == 0
    ran = gateway("explain", envelope, "--instance", folder, "--at", "2026-12-31T12:00:00Z")
    assert ran.code == 1
    assert "seconden" in ran.out or " s oud" in ran.out


def test_signed_octets_are_shown_beside_the_hubs(world: World, envelope: Path, tmp_path: Path) -> None:
    """Only here, and only what its own user gave."""
    root = world.tree()
    signed = tmp_path / "body.c14n"
    signed.write_bytes(foreign.canonical(root[1]))
    envelope.write_bytes(replaced(foreign.octets(root), "SHV-2026/47119", "SHV-2026/47118"))
    ran = gateway("explain", envelope, "--signed", signed)
    assert ran.code == 1
    lines = ran.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  signed: "))
    assert "SHV-2026/47119" in lines[at]
    assert "SHV-2026/47118" in lines[at + 1]
    mark = lines[at + 2].index("^")
    assert (lines[at][mark], lines[at + 1][mark]) == ("9", "8")


def test_wrong_use_is_exit_code_2(tmp_path: Path) -> None:
    assert gateway("explain", tmp_path / "none.xml").code == 2
    file = tmp_path / "x.xml"
    file.write_bytes(b"<x/>")
    assert gateway("explain", file, "--at", "gisteren").code == 2
    assert gateway("explain", file, "--instance", tmp_path).code == 1  # no gateway.toml there


def test_the_operator_reads_the_cause_under_the_ticket(line: Line) -> None:
    reply: Reply = line.post(pretty(foreign.octets(foreign.build(line.plan(compact(message()))))))
    ticket = fault(reply).findtext(f".//{{{KN}}}Ticket")
    folder = open_instance(line.instance.folder).folder
    ran = gateway("messages", "refused", folder, "--ticket", ticket)
    assert ran.code == 0
    assert "✗ Controlegetallen" in ran.out
    assert "white-space-added" in ran.out
    row = gateway("messages", "refused", folder, "--ticket", ticket, "--json").json[0]
    assert [one["check"] for one in row["toelichting"]][:2] == ["http", "xml"]

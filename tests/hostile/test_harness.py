"""The harness itself: a hub that misbehaves in any one way is caught by `Target.repels`, and by the words said here."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import AlgorithmForbidden, SchemaInvalid, SecurityMissing, SignatureInvalid
from gateway.values import Reply
from tests.hostile.attack import NUMBER, SURNAME, Target, message
from tests.hostile.watch import WATCH, Canary
from tests.line import make_line


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    """A hub of this module's own: some of its misdeeds last."""
    line = make_line(template, tmp_path_factory.mktemp("harness") / "instance")
    made = Target(line=line, canary=canary)
    made.repels(attack(made), SignatureInvalid)
    yield made
    made.close()


def attack(hub: Target) -> bytes:
    return hub.signed().replace(NUMBER.encode(), NUMBER.encode()[:-1] + b"8", 1)


def beside(act: Callable[[Target], object]) -> Callable[[Target, bytes], Reply]:
    """A hub that refuses as it should, and does something else meanwhile."""
    def way(hub: Target, octets: bytes) -> Reply:
        with suppress(OSError):
            act(hub)
        return hub.line.post(octets)
    return way


def answering(change: Callable[[Reply], Reply]) -> Callable[[Target, bytes], Reply]:
    return lambda hub, octets: change(hub.line.post(octets))


def with_journal(**changes: object) -> Callable[[Target, bytes], Reply]:
    """A hub whose journal writes down something else than what happened."""
    def way(hub: Target, octets: bytes) -> Reply:
        gate, journal = hub.line.gate, hub.line.gate.journal

        class Liar:
            def refuse(self, refusal: object) -> None:
                for _ in range(int(changes.get("times", 1))):
                    journal.refuse(replace(refusal, **{key: value for key, value in changes.items() if key != "times"}))

        hub.line.gate = replace(gate, journal=Liar())
        try:
            return hub.line.post(octets)
        finally:
            hub.line.gate = gate
    return way


def hog(hub: Target) -> None:
    assert len(b"\1" * 100_000_000) == 100_000_000


def burn(hub: Target) -> None:
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass


MISDEEDS: dict[str, tuple[Callable[[Target, bytes], Reply], str]] = {
    "accepts it": (lambda hub, octets: hub.line.post(hub.signed()), "assert after =="),
    "stores something beside": (beside(lambda hub: hub.line.post(hub.signed())), "assert after =="),
    "calls somebody": (
        beside(lambda hub: socket.create_connection(("127.0.0.1", int(hub.canary.authority.split(":")[1]))).close()),
        "something was fetched"),
    "reads a file": (beside(lambda hub: hub.canary.file.read_text()), "a file was read"),
    "looks a name up": (beside(lambda hub: socket.getaddrinfo("kwaad.example", 80)), "looked up"),
    "calls beyond this machine": (beside(lambda hub: socket.create_connection(("192.0.2.1", 80), 0.1)), "called"),
    "starts a process": (beside(lambda hub: subprocess.run([sys.executable, "-c", ""], check=True)), "started"),
    "leaves a file behind": (
        beside(lambda hub: (hub.line.instance.folder / "kwaad.tmp").write_text("")), "left behind"),
    "hogs memory": (beside(hog), "MB more"),
    "burns time": (beside(burn), "s of CPU"),
    "journals nothing": (with_journal(times=0), "assert after =="),
    "journals twice": (with_journal(times=2), "assert after =="),
    "journals without a reason": (with_journal(reason=""), r'assert facts\["reason"\]'),
    "journals another reason": (with_journal(reason="no idea"), "assert reason in"),
    "journals another error": (with_journal(error="SchemaInvalid"), "assert named"),
    "journals content": (with_journal(reason=f"digest of Body {SURNAME}"), "mark in record"),
    "journals no OIN": (with_journal(caller_oin=None), "caller_oin"),
    "journals another OIN": (with_journal(caller_oin="00000099000000077000"), "caller_oin"),
    "journals no certificate": (with_journal(caller_certificate=None), "caller_certificate"),
    "journals another MessageID": (with_journal(message_id="urn:x"), "message_id"),
    "answers with content": (answering(lambda r: replace(r, octets=r.octets + SURNAME.encode())),
                             r"mark.encode\(\) not in"),
    "answers with a traceback": (answering(lambda r: replace(r, octets=r.octets + b"<!-- lxml. -->")), "_SPEAKING"),
    "answers with another status": (answering(lambda r: replace(r, status=400)), "reply.status =="),
    "answers another fault": (
        answering(lambda r: replace(r, octets=r.octets.replace(b":InvalidSecurity", b":FailedCheck"))),
        "digest of Body"),
    "answers unsigned": (
        answering(lambda r: replace(r, octets=re.sub(rb"<ds:Signature .*</ds:Signature>", b"", r.octets))),
        "holds 0 Signature"),
    "logs content": (beside(lambda hub: hub.line.events.append(("refused", {"reason": SURNAME}))), "mark not in log"),
    "logs a mistake": (beside(lambda hub: hub.line.events.append(("mistake", {}))), r'in \("mistake"'),
}


def told(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The functions and statements of the harness that caught it, and what they said."""
    steps = [f"{one.frame.code.name}: {one.statement}" for one in caught.traceback if one.path.name == "attack.py"]
    return "\n".join((*steps, str(caught.value)))


def test_a_hub_that_behaves_passes(hub: Target) -> None:
    hub.repels(attack(hub), SignatureInvalid)


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_hub_that_misbehaves_is_caught(hub: Target, misdeed: str) -> None:
    way, words = MISDEEDS[misdeed]
    before = WATCH.seen[:]
    octets = attack(hub)
    with pytest.raises((AssertionError, SignatureInvalid, SecurityMissing)) as caught:
        hub.repels(octets, SignatureInvalid, reason="digest of Body", cpu=0.6, via=lambda sent: way(hub, sent))
    assert re.search(words, told(caught))
    (hub.line.instance.folder / "kwaad.tmp").unlink(missing_ok=True)
    hub.canary.visits()
    hub.canary.opened()
    WATCH.seen[:] = before


def test_a_hub_that_serves_nobody_afterwards_is_caught(hub: Target) -> None:
    gate = hub.line.gate

    def way(octets: bytes) -> Reply:
        reply = hub.line.post(octets)
        hub.line.gate = replace(gate, check_signer=lambda der, now: (_ for _ in ()).throw(AlgorithmForbidden("closed")))
        return reply

    try:
        with pytest.raises(AssertionError) as caught:
            hub.repels(attack(hub), SignatureInvalid, via=way)
        assert "still_serves" in told(caught)
    finally:
        hub.line.gate = gate


def test_a_hub_that_answers_what_it_said_before_is_caught(hub: Target) -> None:
    earlier = hub.line.post(attack(hub))
    with pytest.raises(SignatureInvalid, match="SignatureConfirmation"):
        hub.repels(attack(hub), SignatureInvalid, via=lambda octets: (hub.line.post(octets), earlier)[1])


def test_an_expectation_that_is_wrong_is_caught(hub: Target) -> None:
    with pytest.raises(AssertionError) as caught:
        hub.repels(attack(hub), SchemaInvalid)
    assert "assert named" in told(caught)
    hub.repels(hub.signed(message(Versie="9.9.9.9.9.9")), SchemaInvalid)


def test_the_watch_sees_processes_and_lookups_only_while_it_is_on() -> None:
    before = len(WATCH.seen)
    WATCH.on = False
    with suppress(OSError):
        socket.getaddrinfo("127.0.0.1", 80)
    assert len(WATCH.seen) == before
    WATCH.on = True
    for allowed in ("localhost", "127.0.0.1", "::1", None):
        socket.getaddrinfo(allowed, 80)
    assert len(WATCH.seen) == before
    with pytest.raises(PermissionError):
        socket.gethostbyname("kwaad.example")
    assert "kwaad.example" in WATCH.seen.pop()
    assert os.path.exists("/")

"""The same again, elsewhere, later, or at once fifty times; and clocks (standards catalogue 5.5)."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from lxml import etree

from gateway.app.hub import build_gate
from gateway.errors import (
    ActionMismatch,
    DuplicateConflict,
    ReferenceMissing,
    RelatesToWrong,
    Replayed,
    RoleNotAllowed,
    SecurityMissing,
    SignatureInvalid,
    TimestampStale,
    ToWrong,
    UnknownMessage,
)
from gateway.pipeline import answer
from gateway.storage import open_store
from gateway.values import Received, Reply
from tests import foreign
from tests.foreign import A, D, U
from tests.hostile.attack import EVIL, Target, add, clone, message, part, security, signature
from tests.line import BASE, KN, POSTBUS, SE, SHV, SR, code

pytestmark = pytest.mark.clause("§5.5")

W11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
Change = Callable[[etree._Element], object]


def facts(reply: Reply) -> list[str]:
    """What a receipt says, whatever envelope brings it."""
    assert (reply.status, code(reply)) == (200, None)
    receipt = next(etree.fromstring(reply.octets).iter(f"{{{KN}}}Ontvangstbevestiging"))
    return [f"{etree.QName(one).localname} {one.text}" for one in receipt]


def kinds(target: Target) -> list[str]:
    return [row[0] for row in target.eye.execute("SELECT kind FROM entries ORDER BY position")]


# --- the same octets ------------------------------------------------------------------------------

@pytest.mark.clause("§3.5")
def test_again_within_the_window(fresh: Target) -> None:
    octets = fresh.signed()
    first = facts(fresh.line.post(octets))
    fresh.line.skip(seconds=200)
    assert facts(fresh.line.post(octets)) == first
    assert kinds(fresh) == ["accepted"]
    assert [fresh.line.rows(table) for table in ("messages", "deliveries", "payloads")] == [1, 1, 1]


@pytest.mark.clause("§3.3")
def test_again_after_the_window(fresh: Target) -> None:
    octets = fresh.signed()
    facts(fresh.line.post(octets))
    fresh.line.skip(seconds=361)
    fresh.repels(octets, TimestampStale, reason="expired")


@pytest.mark.clause("§3.5")
def test_again_on_another_node_and_after_a_restart(fresh: Target) -> None:
    line, octets = fresh.line, fresh.signed()
    first = facts(line.post(octets))
    for node in ("tweede", "hub"):
        with open_store(line.instance.settings.store.database, node=node) as store:
            gate = build_gate(line.instance, store=store, trust=line.trust, register=line.gate.register,
                              switches=line.switches, urls={BASE},
                              clock=lambda: line.at, observe=lambda event, told: None)
            received = Received(octets=octets, path=SHV, content_type="text/xml", soap_action=None,
                                peer=line.peer("gemeente"), at=line.at)
            assert facts(answer(received, gate)) == first
    assert kinds(fresh) == ["accepted"]


@pytest.mark.clause("§3.5")
def test_fifty_copies_at_once(fresh: Target) -> None:
    octets = fresh.signed()
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: fresh.line.post(octets), range(50)))
    assert len({tuple(facts(reply)) for reply in replies}) == 1
    assert kinds(fresh) == ["accepted"]
    assert fresh.line.rows("deliveries") == 1


@pytest.mark.clause("§3.5")
@pytest.mark.parametrize(("shared", "refusal"), [("MessageID", "SKP015"), ("Referentienummer", "SKP008")])
def test_fifty_contents_at_once_under_one_number(fresh: Target, shared: str, refusal: str) -> None:
    """One wins, whichever; the others are told, and leave nothing."""
    number, identifier = "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f", "urn:uuid:0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
    many = []
    for turn in range(50):
        same = {"Referentienummer": number} if shared == "Referentienummer" else {}
        child = message(number=f"SHV-2026/{turn:05}", **same)
        many.append(fresh.signed(child, **({"message_id": identifier} if shared == "MessageID" else {})))
    with ThreadPoolExecutor(16) as pool:
        codes = [code(reply) for reply in pool.map(fresh.line.post, many)]
    assert sorted(codes, key=str) == sorted([None, *[refusal] * 49], key=str)
    assert sorted(kinds(fresh)) == ["accepted", *["refused"] * 49]
    assert [fresh.line.rows(table) for table in ("messages", "deliveries", "payloads", "conversations")] == [1] * 4


@pytest.mark.parametrize(("path", "error"), [
    (SE, ToWrong), (POSTBUS, ToWrong), ("/soap/knooppunt/1.0/beheer", ToWrong),
    ("/soap/schuldregeling/1.1/shv", ToWrong), ("/soap/betalingsregeling/1.0/shv", ToWrong)])
def test_at_another_service(target: Target, path: str, error: type) -> None:
    """To, Action and version are signed, and compared with where the request came in."""
    octets = target.signed()
    assert target.line.post(octets).status == 200
    target.repels(octets, error, path=path)


@pytest.mark.parametrize(("path", "error"), [
    (SE, UnknownMessage), (POSTBUS, UnknownMessage), ("/soap/schuldregeling/1.1/shv", UnknownMessage),
    ("/soap/betalingsregeling/1.0/shv", UnknownMessage)])
def test_at_another_service_without_an_address(target: Target, path: str, error: type) -> None:
    target.repels(target.signed(to=foreign.ANONYMOUS), error, path=path)


def test_a_body_of_one_set_signed_for_another(target: Target) -> None:
    """The other set knows a message of this name too, under its own namespace."""
    path, action = "/soap/betalingsregeling/1.0/shv", "urn:schuldenknooppunt:betalingsregeling:1.0:Kennisgeving"
    assert action in target.line.instance.catalog.services[path].operations
    target.repels(target.signed(path=path, action=action), ActionMismatch, path=path)


def test_by_another_caller(target: Target) -> None:
    octets = target.signed()
    for party in ("energie", "kredietbank", "rechtbank"):
        target.repels(octets, RoleNotAllowed, party=party)


# --- the same number, other content ---------------------------------------------------------------

@pytest.mark.clause("§3.5")
def test_a_messageid_used_before_for_something_else(target: Target) -> None:
    identifier = "urn:uuid:aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
    assert target.line.post(target.signed(message_id=identifier)).status == 200
    target.repels(target.signed(message(number=EVIL), message_id=identifier), Replayed, reason="MessageID")


@pytest.mark.clause("§3.5")
def test_a_number_used_before_for_something_else(target: Target) -> None:
    child = message()
    assert target.line.post(target.signed(child)).status == 200
    target.repels(target.signed(child.replace(b"2026-02-24", b"2026-02-25")), DuplicateConflict)


@pytest.mark.clause("§3.5")
def test_a_messageid_of_another_party_is_nobodys_loss(target: Target) -> None:
    """Who sees a MessageID cannot use it up for its owner."""
    identifier = "urn:uuid:bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
    beheer = "/soap/knooppunt/1.0/beheer"
    ping = target.signed(f'<Ping xmlns="{KN}"/>'.encode(), path=beheer, party="energie", message_id=identifier)
    assert target.line.post(ping, path=beheer, party="energie").status == 200
    assert target.line.post(target.signed(message_id=identifier)).status == 200


def test_a_changed_body_under_a_signature_that_was_accepted(target: Target) -> None:
    octets = target.signed()
    assert target.line.post(octets).status == 200
    target.repels(octets.replace(b"2026-02-24", b"2026-02-25"), SignatureInvalid)


# --- answers as questions -------------------------------------------------------------------------

def test_the_hubs_own_answer_sent_back(target: Target) -> None:
    receipt = target.line.post(target.signed()).octets
    target.repels(receipt, RelatesToWrong)
    without = re.sub(rb"<wsa:RelatesTo.*?</wsa:RelatesTo>", b"", receipt)
    target.repels(without, UnknownMessage)


@pytest.mark.clause("§3.4")
def test_a_request_that_confirms_a_signature(target: Target) -> None:
    def confirm(root: etree._Element) -> None:
        add(security(root), f"{{{W11}}}SignatureConfirmation", Value="QUJD", **{f"{{{U}}}Id": "_sc"})

    target.repels(target.bent(confirm), ReferenceMissing)

    def signed(root: etree._Element) -> None:
        confirm(root)
        reference = clone(signature(root)[0][-1])
        reference.set("URI", "#_sc")
        digest = foreign.hashlib.sha256(foreign.canonical(security(root)[-1])).digest()
        reference.find(f"{{{D}}}DigestValue").text = foreign.b64encode(digest).decode()
        signature(root)[0].append(reference)

    target.repels(target.signed(after_digests=signed), SignatureInvalid, reason="SignatureConfirmation")


# --- clocks ---------------------------------------------------------------------------------------

def stamp(moment: datetime, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return moment.strftime(form)


CLOCKS: dict[str, Callable[[datetime], tuple[str, str | None]]] = {
    "61 s ahead": lambda now: (stamp(now + timedelta(seconds=62)), None),
    "ten years ahead": lambda now: (stamp(now + timedelta(days=3650)), None),
    "seven minutes ago": lambda now: (stamp(now - timedelta(minutes=7)), None),
    "seven minutes ago, expires tomorrow": lambda now: (
        stamp(now - timedelta(minutes=7)), stamp(now + timedelta(days=1))),
    "a year ago": lambda now: (stamp(now - timedelta(days=365)), None),
    "expired": lambda now: (stamp(now - timedelta(minutes=3)), stamp(now - timedelta(minutes=2))),
    "expires before it is made": lambda now: (stamp(now), stamp(now - timedelta(seconds=1))),
    "expires when it is made": lambda now: (stamp(now), stamp(now)),
    "expires in 2099": lambda now: (stamp(now), "2099-01-01T00:00:00Z"),
    "expires after 601 s": lambda now: (stamp(now), stamp(now + timedelta(seconds=601))),
    "no zone": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:%S"), None),
    "an offset": lambda now: (stamp(now + timedelta(hours=2), "%Y-%m-%dT%H:%M:%S+02:00"), None),
    "offset zero": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:%S+00:00"), None),
    "a small z": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:%Sz"), None),
    "a leap second": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:60Z"), None),
    "hour 24": lambda now: (stamp(now, "%Y-%m-%dT24:00:00Z"), None),
    "ten decimals": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:%S.0123456789Z"), None),
    "no decimals after the point": lambda now: (stamp(now, "%Y-%m-%dT%H:%M:%S.Z"), None),
    "a week date": lambda now: (stamp(now, "%G-W%V-%uT%H:%M:%SZ"), None),
    "without separators": lambda now: (stamp(now, "%Y%m%dT%H%M%SZ"), None),
    "a space for the T": lambda now: (stamp(now, "%Y-%m-%d %H:%M:%SZ"), None),
    "other digits": lambda now: ("\u0662\u0660\u0662\u0666-11-24T10:00:00Z", None),
    "the year 0": lambda now: ("0000-01-01T00:00:00Z", None),
    "the year 99999": lambda now: ("99999-01-01T00:00:00Z", None),
    "30 February": lambda now: ("2026-02-30T12:00:00Z", None),
    "words": lambda now: ("nu", None),
    "Expires in another form": lambda now: (stamp(now), stamp(now + timedelta(minutes=5), "%Y-%m-%dT%H:%M:%S")),
    "Expires in words": lambda now: (stamp(now), "KANARIE"),
}


@pytest.mark.clause("WB002", "§3.3", "BSP R3213", "BSP R3220", "BSP R3217")
@pytest.mark.parametrize("name", CLOCKS)
def test_a_timestamp_outside_the_window_or_the_form(target: Target, name: str) -> None:
    created, expires = CLOCKS[name](target.line.at)
    target.repels(target.signed(created=created, expires=expires), TimestampStale)


STAMPS: dict[str, tuple[Change, type]] = {
    "no Created": (lambda r: part(r, "Timestamp").remove(part(r, "Timestamp")[0]), TimestampStale),
    "empty": (lambda r: [part(r, "Timestamp").remove(one) for one in list(part(r, "Timestamp"))], TimestampStale),
    "Expires first": (lambda r: part(r, "Timestamp").insert(0, part(r, "Timestamp")[1]), TimestampStale),
    "two Created": (lambda r: part(r, "Timestamp").insert(0, clone(part(r, "Timestamp")[0])), TimestampStale),
    "two Expires": (lambda r: part(r, "Timestamp").append(clone(part(r, "Timestamp")[1])), TimestampStale),
    "something else in it": (lambda r: add(part(r, "Timestamp"), "{urn:x}x", EVIL), TimestampStale),
    "a ValueType": (lambda r: part(r, "Timestamp")[0].set("ValueType", "xsd:dateTime"), TimestampStale),
    "elements in Created": (lambda r: add(part(r, "Timestamp")[0], "{urn:x}x"), TimestampStale),
    "two Timestamps": (lambda r: security(r).insert(0, _other(part(r, "Timestamp"))), SecurityMissing),
    "none": (lambda r: security(r).remove(part(r, "Timestamp")), SecurityMissing),
    "in another namespace": (lambda r: setattr(part(r, "Timestamp"), "tag", "{urn:x}Timestamp"), SecurityMissing),
}


def _other(timestamp: etree._Element) -> etree._Element:
    made = clone(timestamp)
    made.set(f"{{{U}}}Id", "_other")
    return made


@pytest.mark.clause("BSP R3227", "BSP R3203", "BSP R3224", "BSP R3221", "BSP R3222", "BSP R3225")
@pytest.mark.parametrize("name", STAMPS)
def test_a_timestamp_of_another_shape(target: Target, name: str) -> None:
    """Each signed as it stands."""
    change, error = STAMPS[name]
    target.repels(target.signed(before_signing=change), error)


@pytest.mark.clause("WB004", "§3.3")
def test_an_unsigned_timestamp(target: Target) -> None:
    target.repels(target.signed(unsigned=frozenset({"Timestamp"})), ReferenceMissing)


def test_an_action_of_addressing_itself(target: Target) -> None:
    target.repels(target.signed(action=A + "/soap/fault"), UnknownMessage)
    target.repels(target.signed(action=f"{SR}:Kennisgeving:antwoord"), UnknownMessage)

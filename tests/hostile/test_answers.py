"""The other way round: answers that a party must not believe (standards catalogue 5.4 and 5.5).

A party asks the hub through a network that somebody else owns. What comes back is the hub's own answer to this very
request, or nothing of it is used.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from lxml import etree

from gateway.errors import PeerRefused, ReceiptInvalid
from gateway.party import PartyClient
from gateway.security import Outgoing, seal
from gateway.values import Reply
from tests import foreign
from tests.foreign import A, O, S, U
from tests.hostile.attack import SURNAME, Target, add, clone, message
from tests.line import BASE

pytestmark = pytest.mark.clause("§5.5", "§3.4")

W11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"


@dataclass
class Network:
    """Between a party and the hub: hands on, or hands back something else. Remembers everything."""

    target: Target
    party: str
    answers: Callable[["Network", bytes, Reply], bytes] = lambda network, request, reply: reply.octets

    def __post_init__(self) -> None:
        self.seen: list[tuple[bytes, bytes]] = []  # requests and the hub's own answers

    def post(self, url: str, octets: bytes, action: str) -> tuple[int, bytes]:
        reply = self.target.line.post(octets, path=url.removeprefix(BASE), party=self.party, soap_action=f'"{action}"')
        self.seen.append((octets, reply.octets))
        return reply.status, self.answers(self, octets, reply)

    def client(self) -> PartyClient:
        made = self.target.line.instance.party(self.party, url=BASE)
        return replace(made, post=self.post, clock=lambda: self.target.line.at)


@pytest.fixture(scope="module")
def network(target: Target) -> Network:
    made = Network(target, "gemeente")
    client = made.client()
    made.client = lambda: client  # type: ignore[method-assign]  # one set of keys for all
    return made


def bent(change: Callable[[etree._Element], object]) -> Callable[[Network, bytes, Reply], bytes]:
    def answer(network: Network, request: bytes, reply: Reply) -> bytes:
        root = etree.fromstring(reply.octets)
        change(root)
        return etree.tostring(root)
    return answer


def resealed(key: str, **changes: object) -> Callable[[Network, bytes, Reply], bytes]:
    """The same receipt, signed anew with a key of this world, with other facts in its header."""
    def answer(network: Network, request: bytes, reply: Reply) -> bytes:
        sent, line = etree.fromstring(request), network.target.line
        body = etree.tostring(etree.fromstring(reply.octets).find(f"{{{S}}}Body")[0], method="c14n", exclusive=True)
        values = {
            "action": sent.findtext(f".//{{{A}}}Action") + ":antwoord", "to": foreign.ANONYMOUS,
            "message_id": "urn:uuid:99999999-9999-4999-8999-999999999999",
            "relates_to": sent.findtext(f".//{{{A}}}MessageID"),
            "confirmations": (sent.findtext(f".//{{{foreign.D}}}SignatureValue"),), "body": body, **changes}
        return seal(Outgoing(**values), line.signing_key(key), line.at, "99999999-9999-4999-8999-999999999990").octets
    return answer


def _security(root: etree._Element) -> etree._Element:
    return root[0].find(f"{{{O}}}Security")


def _unsign(root: etree._Element) -> None:
    _security(root).remove(root.find(f".//{{{foreign.D}}}Signature"))


ANSWERS: dict[str, Callable[[Network, bytes, Reply], bytes]] = {
    "unsigned": bent(_unsign),
    "without Security": bent(lambda r: r[0].remove(_security(r))),
    "a changed receipt": lambda n, q, r: r.octets.replace(b"<kn:JournaalPositie>", b"<kn:JournaalPositie>1"),
    "one digit less": lambda n, q, r: r.octets[:-9] + r.octets[-8:],
    "nothing": lambda n, q, r: b"<",
    "a DTD": lambda n, q, r: b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>" + r.octets,
    "its own request": lambda n, q, r: q,
    "the answer before": lambda n, q, r: n.seen[0][1],
    "signed by another party": resealed("energie"),
    "signed by the party itself": resealed("gemeente"),
    "RelatesTo another request": resealed("hub", relates_to="urn:uuid:11111111-1111-4111-8111-111111111111"),
    "RelatesTo nothing": resealed("hub", relates_to=None),
    "RelatesTo twice": bent(lambda r: r[0].append(clone(r[0].find(f"{{{A}}}RelatesTo")))),
    "an unsigned second RelatesTo": bent(lambda r: add(r[0], f"{{{A}}}RelatesTo", "urn:x")),
    "confirms another signature": resealed("hub", confirmations=("QUJD",)),
    "confirms nothing": resealed("hub", confirmations=()),
    "confirms without a value": resealed("hub", confirmations=(None,)),
    "an unsigned confirmation": bent(
        lambda r: add(_security(r), f"{{{W11}}}SignatureConfirmation", Value="QUJD", **{f"{{{U}}}Id": "_sc"})),
    "for another operation": resealed("hub", action="urn:schuldenknooppunt:schuldregeling:2.0:SaldoVerzoek:antwoord"),
    "no receipt": resealed("hub", body=b"<kn:Ping xmlns:kn=\"urn:schuldenknooppunt:knooppunt:1.0\"></kn:Ping>"),
    "two bodies": bent(lambda r: r.append(clone(r.find(f"{{{S}}}Body")))),
    "SOAP 1.2": lambda n, q, r: r.octets.replace(S.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
}


def test_the_hubs_own_answer_is_believed(network: Network) -> None:
    network.answers = Network.answers
    receipt = network.client().send(message()).receipt
    assert receipt.referentienummer


@pytest.mark.clause("WB013", "WB014")
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_not_to_be_believed(network: Network, name: str) -> None:
    """The call fails, and says so without a word of what came."""
    network.answers = Network.answers
    network.client().send(message())
    network.answers = ANSWERS[name]
    with pytest.raises(ReceiptInvalid) as caught:
        network.client().send(message())
    assert not any(mark in f"{caught.value} {caught.value.detail}" for mark in (SURNAME, "KANARIE", "hostname"))


@pytest.mark.parametrize("answer", [gzip.compress(b"<a/>"), b"", b"{}", b"GEEN XML " * 1_000_000],
                         ids=["gzip", "nothing", "json", "words"])
def test_an_answer_that_is_no_xml(network: Network, answer: bytes) -> None:
    """Compressed too: nothing is unpacked, and little of it is repeated."""
    network.answers = lambda n, q, r: answer
    with pytest.raises(PeerRefused) as caught:
        network.client().send(message())
    assert len(str(caught.value.detail)) < 1000


def test_the_receipt_of_another_message(network: Network) -> None:
    """Rightly signed, related and confirming, but for a message with another digest."""
    def other(n: Network, request: bytes, reply: Reply) -> bytes:
        earlier = etree.fromstring(n.seen[0][1]).find(f"{{{S}}}Body")[0]
        return resealed("hub", body=etree.tostring(earlier, method="c14n", exclusive=True))(n, request, reply)

    network.answers = Network.answers
    network.client().send(message())
    network.answers = other
    with pytest.raises(ReceiptInvalid, match="BerichtDigest"):
        network.client().send(message())


def test_the_answer_to_b_in_the_pending_request_of_c(target: Target, network: Network) -> None:
    """Two parties ask the same at the same moment, and get each other's answers."""
    other = Network(target, "zorgverzekeraar")
    network.answers = Network.answers
    other.client().ask("postbus", "HaalBerichtenlijstOp")
    network.answers = lambda n, q, r: other.seen[-1][1]
    with pytest.raises(ReceiptInvalid, match="SignatureConfirmation"):
        network.client().ask("postbus", "HaalBerichtenlijstOp")
    assert network.seen[-1][0] != other.seen[-1][0]


def test_a_fault_of_nobody(network: Network) -> None:
    """A fault that no hub signed is no refusal: the message may have been taken."""
    fault = (f'<s:Envelope xmlns:s="{S}"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>x</faultstring>'
             "</s:Fault></s:Body></s:Envelope>").encode()
    network.answers = lambda n, q, r: fault
    with pytest.raises(ReceiptInvalid) as caught:
        network.client().send(message())
    assert "SecurityMissing" in caught.value.detail

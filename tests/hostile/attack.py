"""What every attack must meet, whatever it is: one place for the invariants of the catalogue.

An attack is octets from an authenticated caller. It must be refused by the expected row of the error table, leave no
trace but one journal entry, open no connection, stay within memory and time, and be told of it in a fault that is
signed, confirms what was sent and says nothing else. Afterwards the same party's next good message is accepted.
tests/hostile/test_harness.py holds that each of these is really asked.
"""

import copy
import gc
import hashlib
import json
import os
import re
import resource
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from cryptography import x509
from lxml import etree

from gateway.errors import TABLE, GatewayError, NotAuthenticated, TooLarge, TrustStale
from gateway.names import FAULT_ACTION, PREFIXES, SOAP_FAULT_ACTION
from gateway.security import verify
from gateway.soap import Limits, parse
from gateway.values import Certificate, Reply
from tests import foreign
from tests.foreign import A, D, O, S, U
from tests.hostile.watch import WATCH, Canary
from tests.line import KN, SHV, Line, code, example

CAP = 10_485_760  # octets of one request
SURNAME, NUMBER, EVIL = "Geheimhouder", "SHV-2026/47119", "SHV-2026/66613"
PLANTED = (SURNAME, NUMBER, EVIL, "999990019", "KANARIE")  # what no fault, journal or log may repeat
_TABLES = ("messages", "deliveries", "payloads", "proofs", "conversations", "certificates", "refusals", "entries",
           "uploads", "file_pieces")
_SPEAKING = re.compile(rb"Traceback|\.py\b|lxml\.|libxml|site-packages|Exception")


def message(*, surname: str = SURNAME, number: str = NUMBER, **fields: str) -> bytes:
    """A valid opening message in a conversation of its own, with a planted surname and client number."""
    text = example("Kennisgeving-volledig").decode()
    values = {"Referentienummer": str(uuid.uuid4()), "ConversatieReferentienummer": str(uuid.uuid4()),
              "Achternaam": surname, "KlantnummerSHV": number, **fields}
    for field, value in values.items():
        text = re.sub(rf"(<(?:\w+:)?{field}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
    return text.encode()


@dataclass(kw_only=True)
class Target:
    """A whole hub under attack."""

    line: Line
    canary: Canary

    @cached_property
    def eye(self) -> sqlite3.Connection:
        """Looks into the store past everything the gateway does."""
        return sqlite3.connect(self.line.instance.folder / "gateway.db", isolation_level=None, check_same_thread=False)

    def close(self) -> None:
        self.eye.close()
        self.line.store.close()

    @property
    def last_refusal(self) -> str:
        """The newest journal record of a refused request."""
        return str(self.eye.execute(
            "SELECT record FROM entries WHERE kind = 'refused' ORDER BY position DESC LIMIT 1").fetchone()[0])

    def plant(self, text: str) -> str:
        """The text with {canary} and {file} made into addresses that nobody may follow."""
        return self.canary.plant(text)

    def build(self, child: bytes | None = None, **changes: object) -> etree._Element:
        """A signed envelope of the municipality, bent as `changes` say (fields of foreign.Plan, path, party)."""
        return foreign.build(self.line.plan(child or message(), **changes))

    def signed(self, child: bytes | None = None, **changes: object) -> bytes:
        return foreign.octets(self.build(child, **changes))

    def bent(self, *changes: Callable[[etree._Element], object], child: bytes | None = None, **more: object) -> bytes:
        """A good envelope, then changed by who cannot sign."""
        root = self.build(child, **more)
        for change in changes:
            change(root)
        return foreign.octets(root)

    def repels(
        self, octets: bytes, *errors: type[GatewayError], party: str = "gemeente", path: str = SHV,
        soap_action: str | None = '""', peer: bytes | None = None, reason: str = "", cpu: float = 1.0,
        via: Callable[[bytes], Reply] | None = None, read: bool = False,
    ) -> Reply:
        """Post the attack and assert everything the catalogue asks; gives the fault.

        Of several `errors` (all with one face to the peer) the journal may name any. `via`: another way to the hub
        than straight into the line. `read`: the envelope could be read, whatever the error says.
        """
        assert len({TABLE[one] for one in errors}) == 1
        self.line.events.clear()
        self.line.gate.tally.due()  # a new minute: what one case is refused is not counted with the case before
        assert self.canary.visits() == 0
        assert not self.canary.opened()
        before, files, seen = self._facts(), self._files(), len(WATCH.seen)
        with bounded(3 * CAP, cpu):
            reply = via(octets) if via else self.line.post(
                octets, path=path, party=party, soap_action=soap_action, peer=peer)
        assert self.canary.visits() == 0, "something was fetched"
        assert not self.canary.opened(), "a file was read"
        assert WATCH.seen[seen:] == [], "somebody was looked up, called or started"
        assert self._files() == files, "a file was left behind"
        error = self._check_effects(before, errors, octets, reason)
        self._check_silence(reply)
        self._check_journal(reply, error, octets, party, peer, read=read)
        row = TABLE[error]
        assert reply.status == row.http
        if issubclass(error, NotAuthenticated) or (issubclass(error, TrustStale) and code(reply) is None):
            assert reply.content_type.startswith("text/plain")
        else:
            self._check_fault(reply, error, octets, read=read)
        if not issubclass(error, NotAuthenticated | TrustStale):
            self.still_serves(party if peer is None else "gemeente")
        return reply

    def warm_up(self) -> None:
        """What is made once per process, at the first message and the first refusal, is not any attack's memory."""
        self.still_serves("gemeente")
        assert self.line.post(self.signed(message(Versie="0.9"))).status == 500

    def still_serves(self, party: str) -> None:
        """The next good request of the same party is accepted."""
        if party == "gemeente":
            reply = self.line.send(message())
        else:
            reply = self.line.send(f'<Ping xmlns="{KN}"/>'.encode(), path="/soap/knooppunt/1.0/beheer", party=party)
        assert (reply.status, code(reply)) == (200, None)

    def _facts(self) -> dict[str, int]:
        """Rows of every table an attack might write to."""
        counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in _TABLES)
        return dict(zip(_TABLES, self.eye.execute(f"SELECT {counts}").fetchone(), strict=True))

    def _check_effects(
        self, before: dict[str, int], errors: tuple[type[GatewayError], ...], octets: bytes, reason: str
    ) -> type[GatewayError]:
        """Nothing but one entry in the journal; the error class it names."""
        after = self._facts()
        record = self.last_refusal
        assert after == {**before, "refusals": before["refusals"] + 1, "entries": before["entries"] + 1}, record
        facts = json.loads(record)
        named = [error for error in errors if error.__name__ == facts["error"]]
        assert named, record
        assert facts["code"] == TABLE[named[0]].code
        assert facts["reason"], record
        assert reason in facts["reason"], record
        assert facts["octets"] == len(octets) or (facts["octets"] == 0 and TooLarge in errors)  # by its length, unread
        assert len(record) < 3000, "a refusal takes little room, whatever was sent"
        assert not any(mark in record for mark in self._marks()), record
        return named[0]

    def _check_journal(
        self, reply: Reply, error: type[GatewayError], octets: bytes, party: str, peer: bytes | None, *, read: bool
    ) -> None:
        """The entry says who called, by OIN and certificate, and which message it was, as far as that was known."""
        facts = json.loads(self.last_refusal)
        unknown = reply.content_type.startswith("text/plain")
        seen = self.line.peer(party) if peer is None else peer
        assert facts.get("caller_certificate") == (hashlib.sha256(seen).hexdigest() if seen else None), facts
        known = self.line.gate.register().resolve(party)
        assert facts.get("caller_oin") == (None if unknown or known is None else known.oin), facts
        assert facts.get("message_id") == (None if unknown else claims(octets, error, read=read)[0]), facts

    def _files(self) -> set[str]:
        return {one.name for one in os.scandir(self.line.instance.folder)}

    def _marks(self) -> tuple[str, ...]:
        return (*PLANTED, self.canary.authority, str(self.canary.file))

    def _check_silence(self, reply: Reply) -> None:
        log = repr([(event, {key: str(value) for key, value in facts.items()}) for event, facts in self.line.events])
        for mark in self._marks():
            assert mark.encode() not in reply.octets
            assert mark not in log
        assert not _SPEAKING.search(reply.octets)
        assert not [event for event, _ in self.line.events if event in ("mistake", "refusal-not-journaled")]

    def _check_fault(self, reply: Reply, error: type[GatewayError], octets: bytes, *, read: bool) -> None:
        row = TABLE[error]
        message_id, signature = claims(octets, error, read=read)
        envelope = self.verify_answer(reply, signature)
        related = [block.text for block in envelope.blocks if etree.QName(block).localname == "RelatesTo"]
        assert related == ([message_id] if message_id else [])
        (action,) = (block.text for block in envelope.blocks if etree.QName(block).localname == "Action")
        assert action == (FAULT_ACTION if row.faultcode.startswith("wsa:") else SOAP_FAULT_ACTION)
        fault = envelope.child
        assert fault.tag == f"{{{S}}}Fault"
        prefix, _, local = fault.findtext("faultcode", "").partition(":")
        known = fault.find("faultcode").nsmap
        assert (known[prefix], local) == (PREFIXES[row.faultcode.split(":")[0]], row.faultcode.split(":")[1])
        assert fault.findtext(f".//{{{KN}}}Code") == row.code
        assert fault.findtext(f".//{{{KN}}}WusCode") == row.wus
        assert fault.findtext(f".//{{{KN}}}Ticket") == json.loads(self.last_refusal)["ticket"]

    def verify_answer(self, reply: Reply, signature: str | None) -> object:
        """The hub signed it with its own key, and confirms this SignatureValue (None: there was none to read)."""
        hub = self.line.signing_key("hub").certificate
        holder = SimpleNamespace(
            certificate=Certificate(oin="", subject="", sha256="", not_after=self.line.at),
            public_key=x509.load_der_x509_certificate(hub).public_key())
        policy = replace(self.line.gate.policy, confirms=(signature or "",))
        verified = verify(parse(reply.octets, Limits()), policy, lambda der, now: holder, self.line.at)
        assert verified.token == hub
        return verified.envelope


# Refused while reading: the envelope's own structure does not hold, so nothing in it can be related to or confirmed.
_UNREAD = {"TooLarge", "NotXml", "NotUtf8", "MalformedEnvelope", "VersionMismatch", "NotUnderstood", "ForbiddenHeader",
           "UnsupportedContent", "NotFound", "MethodNotAllowed", "Overloaded"}
_MESSAGE_ID = re.compile(r"[A-Za-z][\w+.-]*:[^\s<>\"]+|[^\s@<>\"]+@[^\s@<>\"]+@[^\s<>\"]+")


def claims(octets: bytes, error: type[GatewayError], *, read: bool = False) -> tuple[str | None, str | None]:
    """MessageID and SignatureValue as a fault about a readable envelope must repeat them."""
    if error.__name__ in _UNREAD and not read:
        return None, None
    root = etree.fromstring(octets, etree.XMLParser(resolve_entities=False, huge_tree=True))
    blocks = root.findall(f"{{{S}}}Header/{{{A}}}MessageID")
    number = (blocks[0].text or "").strip() if len(blocks) == 1 and not len(blocks[0]) else ""
    values = [one.text or "" for one in root.findall(
        f"{{{S}}}Header/{{{O}}}Security/{{{D}}}Signature/{{{D}}}SignatureValue")]
    compact = "".join(values[0].split()) if values else ""
    readable = re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", compact)
    related = number if _MESSAGE_ID.fullmatch(number) and len(number) <= 480 else None
    return related, compact if readable else None


@contextmanager
def bounded(octets: int, cpu: float) -> Iterator[None]:
    """The block may not raise the process's resident memory by more than `octets`, nor take more seconds of CPU."""
    _reset_peak()
    gc.disable()  # or a collection of what all tests before left behind would be charged to this block
    memory, began = _peak(), time.process_time()
    try:
        yield
    finally:
        gc.enable()
    used, grown = time.process_time() - began, _peak() - memory
    assert used < cpu, f"{used:.2f} s of CPU"
    assert grown < octets, f"{grown / 1e6:.0f} MB more"


def _reset_peak() -> None:
    with suppress(OSError):  # without it the mark is the highest of the whole run: a bound still, only a looser one
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- places in an envelope of the foreign stack ---------------------------------------------------

def header(root: etree._Element) -> etree._Element:
    return root[0]


def security(root: etree._Element) -> etree._Element:
    return root[0].find(f"{{{O}}}Security")


def signature(root: etree._Element) -> etree._Element:
    return root.find(f".//{{{D}}}Signature")


def signed_info(root: etree._Element) -> etree._Element:
    return root.find(f".//{{{D}}}SignedInfo")


def body(root: etree._Element) -> etree._Element:
    return root.find(f"{{{S}}}Body")


def part(root: etree._Element, name: str) -> etree._Element:
    """A signed part by local name."""
    return next(one for one in foreign.parts(root) if etree.QName(one).localname == name)


def reference(root: etree._Element, name: str = "Body") -> etree._Element:
    """The Reference to a part."""
    uri = "#" + part(root, name).get(f"{{{U}}}Id")
    return next(one for one in signed_info(root).findall(f"{{{D}}}Reference") if one.get("URI") == uri)


def add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, tag, attributes)
    child.text = text
    return child


def clone(element: etree._Element) -> etree._Element:
    return copy.deepcopy(element)

"""The doors through which foreign octets come in, and what must hold at each whatever the octets are.

At every door: no exception but a GatewayError, little CPU, little memory. At the door `line`, the whole way in, also:
the answer is one of the error table, signed by the hub and readable; a refusal leaves one entry in the journal and
nothing else; nothing is a mistake of ours (SKP900).
"""

import base64
import hashlib
import os
import resource
import shutil
import sqlite3
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType, SimpleNamespace

from cryptography import x509
from lxml import etree

from gateway._parties import load_parties
from gateway.app.explain import in_words
from gateway.app.hub import addresses_of
from gateway.errors import (
    TABLE,
    CertificateRejected,
    FailedError,
    GatewayError,
    Misconfigured,
    NotAuthenticated,
    Replayed,
    SecurityRefusal,
    TrustStale,
    UnsupportedContent,
)
from gateway.pipeline import answer, decline, knowledge
from gateway.security import (
    EvidenceFacts,
    JournalLine,
    JournalStretch,
    Known,
    Sent,
    diagnose,
    hub_budget,
    verify,
    verify_evidence,
    write_evidence,
)
from gateway.security.pki import Usage, build_trust, check_certificate
from gateway.settings import load_settings
from gateway.soap import Limits, parse
from gateway.transport.listener import is_text_xml
from gateway.values import Certificate, Proof, Received, Reply
from tests import foreign
from tests.encrypted import Cipher, agree, certificate, decrypt, encrypt
from tests.foreign import A, D
from tests.fuzz.authority import AT, Authority
from tests.fuzz.mutate import bent_octets, bent_tree
from tests.fuzz.recipe import Recipe, read, realise
from tests.line import BASE, KN, SHV, Line, make_line

# In memory where that can be: the store's commits to disk are not what is fuzzed.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else None
CPU_SECONDS = 1.0
GROWTH = 64_000_000  # octets by which one input may raise the process's peak
_TABLES = ("messages", "deliveries", "payloads", "bridged_payloads", "addressed_payloads", "proofs", "certificates",
           "conversations", "refusals", "entries")


class Finding(Exception):
    """Something that must never be; `kind` says which rule broke and where, so that one mistake is told once."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}\n{detail}")
        self.kind = kind


@dataclass(kw_only=True)
class Doors:
    """A hub to try inputs on; every `renewed` inputs it gets a new store, so that the old ones weigh nothing."""

    template: Path
    renewed: int = 2000
    outcomes: dict[str, int] = field(default_factory=dict)
    _line: Line | None = None
    _folder: Path | None = None
    _tried: int = 0
    _peak: int = 0
    _spent: float = 0.0  # CPU seconds that the harness itself took for this input

    def __post_init__(self) -> None:
        self.authority = Authority()
        self._eye: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._line is not None and self._eye is not None and self._folder is not None:
            self._eye.close()
            self._line.store.close()
            shutil.rmtree(self._folder)
        self._line = None

    @property
    def line(self) -> Line:
        if self._line is None or self._tried >= self.renewed:
            self.close()
            self._tried = 0
            self._folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY))
            self._line = line = make_line(self.template, self._folder / "i", change=_agree)
            self._client = replace(line.instance.party("gemeente"), clock=lambda: line.at)
            self._eye = sqlite3.connect(self._folder / "i" / "gateway.db", isolation_level=None)
        return self._line

    def check(self, data: bytes) -> str:
        """Try one input; gives what became of it. Raises Finding."""
        recipe = read(data)
        door = getattr(self, f"at_{recipe.door}", self.at_line)
        assert self.line  # made before anything is measured
        self._tried += 1
        self._peak = max(self._peak, _peak())
        self._spent = 0.0
        began = time.process_time()
        try:
            outcome: str = door(recipe)
        except Finding:
            raise
        except Exception as error:
            raise _left(recipe.door, error) from error
        used, grown = time.process_time() - began - self._spent, _peak() - self._peak
        if used > CPU_SECONDS:
            raise Finding(f"{recipe.door}: slow", f"{used:.2f} s of CPU")
        if grown > GROWTH:
            raise Finding(f"{recipe.door}: memory", f"{grown / 1e6:.0f} MB more")
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return outcome

    # --- the whole way in ------------------------------------------------------------------------------------

    def at_line(self, recipe: Recipe) -> str:
        return self._answered(self._received(recipe))

    def _received(self, recipe: Recipe) -> Received:
        line, fields = self.line, recipe.fields
        octets = self._realised(recipe.octets, fields.get("signer", "gemeente"), fields)
        return Received(
            octets=octets, path=fields.get("path", SHV), content_type=fields.get("type", "text/xml"),
            soap_action=fields.get("action"), peer=self._peer(fields), at=line.at)

    def _answered(self, received: Received) -> str:
        line = self.line
        line.events.clear()
        before = self._rows()
        if is_text_xml(received.content_type):
            reply = answer(received, line.gate)
        else:
            reply = decline(received, UnsupportedContent("content type"), line.gate)
        self._check_events(line.events)
        self._check_effects(reply, before, self._rows())
        self._check_answer(reply, received.octets)
        return "line: accepted" if reply.status == 200 else f"line: {self._error(line.events)}"

    def _realised(self, octets: bytes, slug: str, fields: Mapping[str, str] = MappingProxyType({})) -> bytes:
        """With its placeholders replaced, and encrypted if asked; that costs time of ours, not of the gateway's."""
        began = time.process_time()
        made = realise(octets, self.line.identity(slug if slug in _SLUGS else "gemeente"), self.line.at)
        if "encrypt" in fields:
            made = self._encrypted(made, fields)
        self._spent += time.process_time() - began
        return made

    def _encrypted(self, octets: bytes, fields: Mapping[str, str]) -> bytes:
        """Encrypted for the hub; `inner: N` bends what is encrypted, `outer: N` the envelope around it."""
        cipher = Cipher(certificate=certificate(self.line, "hub-enc"))
        if inner := fields.get("inner"):
            cipher.content = lambda content: bent_octets(content, Random(inner))
        try:
            root = encrypt(etree.fromstring(octets, etree.XMLParser(resolve_entities=False)), cipher)
        except (etree.XMLSyntaxError, AttributeError, IndexError, TypeError):
            return octets  # no envelope to put it in
        outer = fields.get("outer")
        return bent_tree(root, Random(outer), resign=False) if outer else etree.tostring(root)

    def _peer(self, fields: Mapping[str, str]) -> bytes:
        caller, octets = fields.get("caller", "gemeente"), fields.get("peer")
        if octets is None:
            return self.line.peer(caller if caller in _SLUGS else "gemeente")
        try:
            return base64.b64decode(octets, validate=False)
        except ValueError:
            return octets.encode("latin-1", "replace")

    def _rows(self) -> dict[str, int]:
        assert self._eye is not None
        counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in _TABLES)
        return dict(zip(_TABLES, self._eye.execute(f"SELECT {counts}").fetchone(), strict=True))

    def _check_events(self, events: list[tuple[str, dict[str, object]]]) -> None:
        for event, facts in events:
            if event in ("mistake", "refusal-not-journaled", "answer-not-signed"):
                raise _left(f"line: {event}", facts["error"])

    @staticmethod
    def _error(events: list[tuple[str, dict[str, object]]]) -> str:
        return next((str(facts["error"]) for event, facts in events if event == "refused"), "?")

    def _check_effects(self, reply: Reply, before: dict[str, int], after: dict[str, int]) -> None:
        if reply.status == 200:
            return
        name = self._error(self.line.events)
        kind = next((kind for kind in TABLE if kind.__name__ == name), None)
        if kind is None or TABLE[kind].http != reply.status:
            raise Finding(f"line: {name} as HTTP {reply.status}", "not as the table of errors has it")
        if issubclass(kind, FailedError):
            raise Finding(f"line: {name}", "no input may make us fail")
        written = {**before, "refusals": before["refusals"] + 1, "entries": before["entries"] + 1}
        counted = kind is NotAuthenticated and after == before  # after the first ten of a minute they are only counted
        if after != written and not counted:
            raise Finding(f"line: {name} leaves traces", f"{before}\n{after}")

    def _check_answer(self, reply: Reply, octets: bytes) -> None:
        if reply.content_type.startswith("text/plain"):
            if self._error(self.line.events) != NotAuthenticated.__name__:
                raise Finding("line: answered without envelope", repr(reply.octets[:200]))
            return
        try:
            opened = self._opened(reply.octets)
            root = parse(opened, Limits(max_octets=10**9, max_tags=10**9, max_quotes=10**9))
            value = root.security.find(f".//{{{D}}}Signature")
            confirms = [one.get("Value", "") for one in root.security if one.tag.endswith("}SignatureConfirmation")]
            policy = replace(self.line.gate.policy, confirms=tuple(confirms))
            verified = verify(root, policy, lambda der, now: self._holder, self.line.at)
        except (GatewayError, etree.LxmlError) as error:
            raise Finding("line: the answer does not hold", f"{error!r}\n{reply.octets[:3000]!r}") from error
        if value is None or verified.token != self.line.signing_key("hub").certificate:
            raise Finding("line: the answer is not the hub's", repr(reply.octets[:500]))
        if confirms != [""] and confirms[0] not in _values(octets):
            raise Finding("line: the answer confirms what was not sent", repr(confirms))
        fault = verified.child.findtext(f".//{{{KN}}}Code") if verified.envelope.is_fault else None
        if (fault is None) is not (reply.status == 200):
            raise Finding("line: status and fault differ", f"{reply.status} {fault}")

    def _opened(self, octets: bytes) -> bytes:
        """An answer as its addressee reads it."""
        if b"EncryptedKey" not in octets:
            return octets
        return decrypt(octets, self.line.instance.folder, f"{ENCRYPTS}-enc")

    @property
    def _holder(self) -> SimpleNamespace:
        der = self.line.signing_key("hub").certificate
        return SimpleNamespace(certificate=Certificate(oin="", subject="", sha256="", not_after=self.line.at),
                               public_key=x509.load_der_x509_certificate(der).public_key())

    # --- explained ---------------------------------------------------------------------------------------------

    def at_explain(self, recipe: Recipe) -> str:
        """A request and its explanation: whatever was refused for its security has a cause, what was accepted none."""
        received = self._received(recipe)
        outcome = self._answered(received)
        sent = Sent(octets=received.octets, content_type=received.content_type, soap_action=received.soap_action,
                    path=received.path, peer=received.peer)
        found = diagnose(sent, self._known, hub_budget(len(sent.octets)))
        list(in_words(found.checks))
        kind = next((one for one in TABLE if f"line: {one.__name__}" == outcome), None)
        if b"Encrypted" in sent.octets:  # is not searched (docs/decisions/0014)
            kind = None
        if outcome == "line: accepted" and not found.holds:
            raise Finding("explain: finds fault with what is accepted", repr(found.checks))
        if kind is not None and issubclass(kind, SecurityRefusal) and kind is not Replayed and found.holds:
            raise Finding(f"explain: nothing wrong with {kind.__name__}", repr(self.line.events))
        return "explain: " + ("holds" if found.holds else "told")

    @property
    def _known(self) -> Known:
        instance, trust = self.line.instance, self.line.trust
        return knowledge(
            now=self.line.at, policy=instance.policy, limits=self.line.gate.limits,
            check_signer=trust.checker(Usage.SIGNING), trust=trust.snapshot, register=instance.register,
            services=instance.catalog.services, hub_oin=instance.settings.hub.oin,
            addresses=addresses_of(instance.catalog.services, {BASE}))

    # --- other doors -----------------------------------------------------------------------------------------

    def at_certificate(self, recipe: Recipe) -> str:
        """A certificate from outside; with `sign: ca` the octets are its inner part, issued by a trusted CA."""
        der = self.authority.issued(recipe.octets) if "sign" in recipe.fields else recipe.octets
        usage = {"server": Usage.SERVER, "signing": Usage.SIGNING}.get(recipe.fields.get("usage", ""), Usage.CLIENT)
        try:
            check_certificate(der, self.authority.trust, AT, usage=usage)
        except (CertificateRejected, TrustStale) as error:
            return f"certificate: {type(error).__name__}"
        return "certificate: accepted"

    def at_revocation(self, recipe: Recipe) -> str:
        """A revocation list, read beside a CA; with `sign: ca` its inner part, signed by that CA."""
        der = self.authority.issued(recipe.octets) if "sign" in recipe.fields else recipe.octets
        try:
            trust = build_trust([("ca", self.authority.der)], [("list", der)], loaded_at=AT, max_age=timedelta(hours=4))
            check_certificate(self.authority.leaf, trust, AT, usage=Usage.CLIENT)
        except (Misconfigured, CertificateRejected, TrustStale) as error:
            return f"revocation: {type(error).__name__}"
        return "revocation: accepted"

    def at_settings(self, recipe: Recipe) -> str:
        return self._read("settings", "gateway.toml", recipe.octets, load_settings)

    def at_parties(self, recipe: Recipe) -> str:
        def load(folder: Path) -> object:
            return load_parties(folder / "parties.toml")

        return self._read("parties", "parties.toml", recipe.octets, load)

    def _read(self, door: str, name: str, octets: bytes, load: Callable[[Path], object]) -> str:
        folder = self.line.instance.folder / "fuzz"
        if not folder.exists():
            folder.mkdir()
            (folder / "pki").symlink_to(folder.parent / "pki")
        (folder / name).write_bytes(octets)
        try:
            load(folder)
        except Misconfigured:
            return f"{door}: Misconfigured"
        return f"{door}: accepted"

    def at_evidence(self, recipe: Recipe) -> str:
        """An evidence file; octets that are no XML are a record of the journal in one that the hub signed."""
        octets = recipe.octets
        if not octets.startswith(b"<"):
            record = "".join(letter for letter in octets.decode("utf-8", "replace") if letter >= " ")
            octets = write_evidence(self._facts(record), self.line.signing_key("hub"), AT)
        checks = verify_evidence(octets, b"<a/>", [self.authority.der], "00000099000000099000")
        return f"evidence: {sum(one.holds is False for one in checks)} of {len(checks)} fail"

    def _facts(self, record: str) -> EvidenceFacts:
        proof = Proof(signer_oin="1", signed_info=INFO, signature_value=b"x", signature_method=foreign.RSA_SHA256,
                      certificate=self.authority.leaf, caller_oin="1", body_reference="body", before=None, after=None)
        line = JournalLine(position=1, leaf=bytes(32), record=record)
        return EvidenceFacts(referentienummer="1", proof=proof, journals=(
            JournalStretch(node="n", before=bytes(32), lines=(line,), head=bytes(32)),))

    def at_answer(self, recipe: Recipe) -> str:
        """What a hub, or who says so, answers to a party: `@VALUE@` and `@RELATES@` stand for the request's own."""
        def post(url: str, request: bytes, action: str) -> tuple[int, bytes]:
            root = etree.fromstring(request)
            octets = recipe.octets.replace(b"@RELATES@", root.findtext(f".//{{{A}}}MessageID").encode())
            octets = octets.replace(b"@VALUE@", root.findtext(f".//{{{D}}}SignatureValue").encode())
            return 200, self._realised(octets, "hub")

        client = replace(self._client, post=post)
        try:
            if recipe.fields.get("ask") == "list":
                client.waiting()
            elif recipe.fields.get("ask") == "collect":
                client.collect("1")
            else:
                client.send(MESSAGE)
        except GatewayError as error:
            return f"answer: {type(error).__name__}"
        return "answer: believed"


INFO = (f'<d:SignedInfo xmlns:d="{D}"><d:Reference URI="#body"><d:DigestMethod Algorithm="{foreign.SHA256}"/>'
        "<d:DigestValue>AAAA</d:DigestValue></d:Reference></d:SignedInfo>").encode()
RECORD = b"""{"afzender":"11111111-1111-4111-8111-000000000001","at":1,"berichttype":"Kennisgeving","body_digest":"00",\
"bridged":[{"berichttype":"x","delivered_digest":"00","ontvanger":"x","set_version":"1.1","versie":"2.0"}],\
"caller_oin":"00000099000000001000","certificate":"00","kind":"accepted","message":1,"message_digest":"00",\
"signature_digest":"00","signer_oin":"00000099000000001000"}"""
MESSAGE = (Path(__file__).parents[2] / "xsd/schuldregeling/2.0/examples/valid/Kennisgeving-minimaal.xml").read_bytes()
ENCRYPTS = "zorgverzekeraar"
_SLUGS = frozenset({"hub", "gemeente", "energie", "deurwaarder", "zorgverzekeraar", "kredietbank", "waarborgfonds",
                    "bewindvoerder", "budgetbeheer", "matching", "rechtbank"})


def _agree(folder: Path) -> None:
    """One party encrypts, the others do not."""
    agree(folder, parties=(ENCRYPTS,))


def _left(where: str, error: object) -> Finding:
    """An exception that left a room: told by its class and the last place of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__ if isinstance(error, BaseException) else None)
    ours = [frame for frame in frames if "/gateway/" in frame.filename]
    place = f"{ours[-1].filename.rpartition('/gateway/')[2]} {ours[-1].name}" if ours else "?"
    detail = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else str(error)
    return Finding(f"{where}: {type(error).__name__} from {place}", detail)


def _values(octets: bytes) -> list[str]:
    """Every SignatureValue of a document, without white space."""
    root = etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    return ["".join((one.text or "").split()) for one in root.iter(f"{{{D}}}SignatureValue")]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def name_of(kind: str, data: bytes) -> str:
    """A file name for a finding."""
    word = "".join(letter if letter.isalnum() else "-" for letter in kind)[:80].strip("-")
    return f"{word}-{hashlib.sha256(data).hexdigest()[:8]}"

"""The parties of a run: real keys, mutual TLS, signatures; each a thread that writes down what it asks and gets."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, Full, Queue
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

from gateway.app import Instance
from gateway.errors import GatewayError, PeerRefused
from gateway.party import PartyClient, Wrapped
from gateway.soap import Receipt, read_receipt
from gateway.transport import Caller, CallLimits, TlsFiles, client_tls
from tests.chaos.history import Recorder
from tests.chaos.messages import ANSWER, FOLLOWING, NOTICE, OPENING, PARTIES, Letter, letter, seen
from tests.chaos.nodes import PUBLIC
from tests.chaos.plan import Whims, whims

_LIMITS = CallLimits(connect_seconds=2.0, answer_seconds=5.0)
_RETRY_SECONDS = 0.15
_STALE_SECONDS = 60.0  # the same octets are sent again no later than this: their Timestamp is signed
_CREDITORS = ("energie", "deurwaarder", "zorgverzekeraar")


class Way:
    """A party's way to the hub: a list of ports, of which it goes on to the next when one fails."""

    def __init__(self, instance: Instance, slug: str, ports: Sequence[int], first: int) -> None:
        pki, trust = instance.folder / "pki", instance.settings.trust
        files = TlsFiles(certificate=pki / f"{slug}-tls.pem", key=pki / f"{slug}-tls.key", anchors=trust.anchors,
                         crls=trust.crls)
        self._caller = Caller(client_tls(files), limits=_LIMITS)
        self._ports, self._at = ports, first
        self.client: PartyClient = replace(instance.party(slug, url=PUBLIC), post=self._post, close=self._caller.close)

    def _post(self, url: str, octets: bytes, soap_action: str) -> tuple[int, bytes]:
        port = self._ports[self._at % len(self._ports)]
        try:
            status, answer = self._caller.post(f"https://localhost:{port}{urlsplit(url).path}", octets, soap_action)
        except GatewayError:
            self._at += 1
            raise
        if status == 503:
            self._at += 1
        return status, answer

    def submit(self, wrapped: Wrapped) -> Receipt:
        """Send these very octets. Raises DeliveryError; PeerRefused with a fault is the hub's believable no."""
        return read_receipt(self.client._exchange(wrapped))


class Actor(threading.Thread):
    """A thread with a seed, a history and a way to the hub. `halt`: nothing new; `deadline`: nothing at all."""

    def __init__(self, name: str, slug: str, *, seed: int, way: Callable[[str, int], Way], record: Recorder) -> None:
        super().__init__(name=name, daemon=True)
        self.party, self.slug, self.seed, self.record = PARTIES[slug], slug, seed, record
        self.chance = Random(f"{seed}/{name}")
        self._opens, self._opened_ways = way, list[Way]()
        self.way = self.another_way()
        self.halted = threading.Event()
        self.deadline = float("inf")
        self.broken: BaseException | None = None  # a mistake of the harness ends the run

    def run(self) -> None:
        try:
            self.act()
        except BaseException as error:
            self.broken = error
        finally:
            for way in self._opened_ways:
                way.client.close()

    def act(self) -> None:
        raise NotImplementedError

    def another_way(self) -> Way:
        """With connections of its own; closed at the end."""
        self._opened_ways.append(self._opens(self.slug, self.chance.randrange(1000)))
        return self._opened_ways[-1]

    def new_id(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))


class Sender(Actor):
    """Sends letters one after another, each until it has a receipt or is given up."""

    def __init__(self, *args: object, think: float, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._think = think
        self._number = 0
        self._twin = self.another_way()

    def deliver(self, element: str, conv: str, to: tuple[str, ...]) -> bool:
        """True with a receipt; False when the conversation can't go on."""
        self._number += 1
        whim = whims(self.seed, self.name, self._number, think=self._think)
        sent = letter(element, ref=self.new_id(), conv=conv, sender=self.slug, to=to)
        receipted = self._until_receipt(sent, whim)
        if receipted and whim.again:
            self._ask(self.way, sent, self.way.client.wrap(sent.octets), "again")
        if receipted and whim.conflict:
            other = sent.other()
            self._ask(self.way, other, self.way.client.wrap(other.octets), "conflict")
        self.halted.wait(whim.think)
        return receipted

    def _until_receipt(self, sent: Letter, whim: Whims) -> bool:
        twin = None
        if whim.twin:
            twin = threading.Thread(target=self._ask, daemon=True, args=(
                self._twin, sent, self._twin.client.wrap(sent.octets), "twin"))
            twin.start()
        wrapped, since = self.way.client.wrap(sent.octets), time.monotonic()
        for tries in range(1, whim.tries + 1):
            answer = self._ask(self.way, sent, wrapped, "first" if tries == 1 else "repeat")
            if answer is not None or time.monotonic() > self.deadline:
                break
            time.sleep(_RETRY_SECONDS)
            if not whim.same_octets or time.monotonic() - since > _STALE_SECONDS:
                wrapped, since = self.way.client.wrap(sent.octets), time.monotonic()
        else:
            answer = None
        if twin is not None:
            twin.join()
        if answer is None:
            self.record("abandoned", sender=sent.sender, ref=sent.ref)
        return bool(answer)

    def _ask(self, way: Way, sent: Letter, wrapped: Wrapped, how: str) -> bool | None:
        """Send once. True: a receipt; False: refused; None: nobody knows."""
        asked = self.record.asks("request", sender=sent.sender, ref=sent.ref, conv=sent.conv, to=sent.to,
                                 digest=sent.digest, how=how)
        try:
            receipt = way.submit(wrapped)
        except PeerRefused as error:
            if error.fault is None or error.fault.code == "SKP017":
                self.record("silent", id=asked, why=str(error))
                return None
            self.record("refused", id=asked, code=error.fault.code)
            return False
        except (GatewayError, ValueError) as error:
            self.record("silent", id=asked, why=f"{type(error).__name__}: {error}")
            return None
        self.record("receipt", id=asked, ref=receipt.referentienummer, to=receipt.ontvangers,
                    digest=receipt.bericht_digest.hex(), position=receipt.journaal_positie,
                    hash=receipt.journaal_hash.hex(), at=receipt.tijdstip_ontvangst.isoformat(),
                    until=receipt.verval_datum.isoformat())
        return True


class Counsellor(Sender):
    """Opens conversations with creditors and has more to say in each."""

    def act(self) -> None:
        while not self.halted.is_set():
            conv, to = self.new_id(), (self.chance.choice(_CREDITORS),)
            if self.deliver(OPENING, conv, to):
                for _ in range(self.chance.randrange(5)):
                    if self.halted.is_set() or not self.deliver(self.chance.choice(FOLLOWING), conv, to):
                        break


class Administrator(Sender):
    """Tells several creditors at once, now and then the same conversation again."""

    def act(self) -> None:
        while not self.halted.is_set():
            conv, to = self.new_id(), tuple(self.chance.sample(_CREDITORS, self.chance.choice((2, 3))))
            for _ in range(self.chance.choice((1, 1, 2))):
                if self.halted.is_set() or not self.deliver(NOTICE, conv, to):
                    break


class Creditor(Sender):
    """Answers in the conversations that its collector saw opened: both parties of a conversation send."""

    def __init__(self, *args: object, opened: "Queue[str]", **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._opened = opened

    def act(self) -> None:
        while not self.halted.is_set():
            try:
                conv = self._opened.get(timeout=0.2)
            except Empty:
                continue
            for _ in range(self.chance.choice((1, 1, 2, 3))):
                if self.halted.is_set() or not self.deliver(ANSWER, conv, ("gemeente",)):
                    break


class Collector(Actor):
    """Empties a mailbox: lists, collects, confirms; sometimes slowly, twice, or not all of it."""

    def __init__(self, *args: object, opened: "Queue[str] | None" = None, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._opened = opened
        self.draining = threading.Event()  # no new messages come: confirm everything, and stop when it is empty

    def act(self) -> None:
        while time.monotonic() < self.deadline:
            last = self.draining.is_set()
            rows = self._list()
            if rows == [] and last:
                self.record("drained", party=self.party)
                return
            if not rows:
                self.draining.wait(0.3)
                continue
            if not last and self.chance.random() < 0.05:  # a slow receiver
                self.draining.wait(self.chance.uniform(1, 4))
            self._take([ref for ref in rows if last or self.chance.random() < 0.9])

    def _list(self) -> list[str] | None:
        limit = 50 if self.draining.is_set() else self.chance.choice((1, 5, 20, 50))
        asked = self.record.asks("listing", party=self.party)
        try:
            waiting = self.way.client.waiting(limit)
        except GatewayError as error:
            self._nothing(asked, error)
            return None
        self.record("listed", id=asked, party=self.party,
                    rows=[[one.referentienummer, one.afzender, one.conversatie_referentienummer] for one in waiting])
        return [one.referentienummer for one in waiting]

    def _take(self, refs: list[str]) -> None:
        taken = [ref for ref in refs if self._collect(ref)]
        again = self.chance.random()
        if taken and again < 0.1:  # collecting again before confirming gives the same
            self._collect(taken[0])
        if not taken or (again > 0.95 and not self.draining.is_set()):  # forgets to confirm: it stays in the list
            return
        done = self._confirm(taken)
        if done and self.chance.random() < 0.1:  # both must be without effect
            self._confirm(done[:1])
            self._collect(done[0])

    def _collect(self, ref: str) -> bool:
        asked = self.record.asks("collecting", party=self.party, ref=ref)
        try:
            octets = self.way.client.collect(ref).octets
        except PeerRefused as error:
            self.record("absent", id=asked, party=self.party, ref=ref, code=error.fault and error.fault.code)
            return False
        except GatewayError as error:
            self._nothing(asked, error)
            return False
        found = seen(octets)
        self.record("got", id=asked, party=self.party, ref=found.ref, sender=found.sender, conv=found.conv, to=found.to,
                    digest=found.digest)
        if self._opened is not None and OPENING.encode() in octets[:80] and self.chance.random() < 0.3:
            with suppress(Full):
                self._opened.put_nowait(found.conv)
        return True

    def _confirm(self, refs: list[str]) -> list[str]:
        asked = self.record.asks("confirming", party=self.party, refs=refs)
        try:
            results = self.way.client.confirm(*refs)
        except GatewayError as error:
            self._nothing(asked, error)
            return []
        done = [ref for ref, confirmed in results.items() if confirmed]
        self.record("confirmed", id=asked, party=self.party, refs=done)
        return done

    def _nothing(self, asked: str, error: GatewayError) -> None:
        self.record("silent", id=asked, why=f"{type(error).__name__}: {error}")
        time.sleep(_RETRY_SECONDS)

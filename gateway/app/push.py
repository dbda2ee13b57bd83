"""The delivery workers of one process: one thread claims what is due, others deliver it, and all nodes share the queue.

Claims come in batches, as many as there are free workers; results are written in the store's group commit. A message
that this process accepts wakes the one that claims; what other nodes accepted, and what is to be tried again, it finds
by looking every so often.

No receiver takes the workers of others: each has at most `per_party` of them, one whose last call failed has one, and
all such together at most half.
"""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from queue import SimpleQueue
from random import random
from time import monotonic, sleep
from typing import Final

from gateway.app.instance import Instance, new_id, utc_now
from gateway.app.trust import LiveTrust
from gateway.errors import GatewayError
from gateway.pipeline import Encryption, Outlet, Signers, deliver
from gateway.ports import Clock, Forward, Observe
from gateway.push_values import Breaker, Claim, Outcome, Result
from gateway.routing import AddressBook, Backoff, BreakerRules, admitted, after, next_step
from gateway.security import Usage
from gateway.settings import Push
from gateway.soap import Limits
from gateway.storage import SqlOutbox, Store

_JITTER: Final = 0.1  # share of an interval, so that nodes do not look at one moment
_SETTLE_AGAIN: Final = (0.1, 0.5, 2.0)  # seconds; the lease lasts longer, and a failover is over by then
_DRAIN_SECONDS: Final = 30.0  # as for requests that are under way
_DRAINING_PAUSE: Final = 0.05
_MANY_FAILURES: Final = 4  # refusals of new messages count as one failure each so many
_READ_BY_ONE: Final = 1 << 19  # octets of answers: lxml keeps what names a thread read (docs/decisions/0033)


def build_outlet(
    instance: Instance, store: Store, trust: LiveTrust, register: Callable[[], AddressBook], forward: Forward,
    observe: Observe, *, clock: Clock = utc_now,
) -> Outlet:
    """Everything one delivery needs, from an instance and its open store."""
    settings, keys = instance.settings, instance.encryption
    return Outlet(
        oin=settings.hub.oin, catalog=instance.catalog, register=register, check_server=trust.checker(Usage.SERVER),
        check_signer=trust.checker(Usage.SIGNING), policy=instance.policy, signers=Signers(keys=instance.signing),
        encryption=Encryption(keys=keys, check=trust.checker(Usage.ENCRYPTION)) if keys else None,
        outbox=SqlOutbox(store, instance.sealer()), forward=forward,
        limits=Limits(max_octets=settings.push.max_octets), in_line=settings.soap.max_octets,
        clock=clock, new_id=new_id, observe=observe,
    )


class Pusher:
    """Delivers for as long as it is entered. `wake` may be called from any thread."""

    def __init__(self, outlet: Outlet, settings: Push) -> None:
        self._outlet, self._outbox, self._settings = outlet, outlet.outbox, settings
        self._clock, self._observe = outlet.clock, outlet.observe
        self._backoff = Backoff(first=settings.backoff, cap=settings.backoff_cap)
        self._rules = BreakerRules(
            failures=settings.breaker_failures, refusals=_MANY_FAILURES * settings.breaker_failures,
            first=settings.breaker_open, cap=settings.breaker_open_cap)
        self._claimed: SimpleQueue[Claim | None] = SimpleQueue()
        self._door = threading.Lock()  # guards the two below
        self._under_way: Counter[str] = Counter()  # claimed and not settled, by party
        self._failing: set[str] = set()  # parties whose last call from here did not end well
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._tenure = max(1, _READ_BY_ONE // settings.max_octets)  # calls, after which another thread goes on
        self._threads = [self._thread(f"push-{number}") for number in range(settings.workers)]
        self._claimer = threading.Thread(target=self._claim_all, name="push-claims", daemon=True)

    def __enter__(self) -> None:
        """Begin, unless this node pushes nothing."""
        if self._threads:
            for thread in (*self._threads, self._claimer):
                thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop(_DRAIN_SECONDS)

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    def stop(self, seconds: float) -> None:
        """Claim no more, give back what was not begun, and wait so long for what is under way."""
        self._stopping.set()
        self._woken.set()
        if not self._threads:
            return
        self._claimer.join(seconds)
        self._give_back()
        for _ in self._threads:
            self._claimed.put(None)
        end = monotonic() + seconds
        while self._under_way.total() and monotonic() < end:
            sleep(_DRAINING_PAUSE)
        if left := self._under_way.total():
            self._observe("push-unfinished", {"deliveries": left})

    # --- claiming ------------------------------------------------------------------------------------------------

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                while not self._stopping.is_set() and self._claim():
                    pass
            except GatewayError as error:
                self._observe("push-not-claimed", {"error": error})
            except Exception as mistake:
                self._observe("mistake", {"ticket": None, "error": mistake})
            self._woken.wait(self._settings.poll_seconds * (1 + _JITTER * random()))  # noqa: S311  # no secret

    def _claim(self) -> bool:
        """Claim what there are free workers for; was there any?"""
        free = self._settings.workers - self._under_way.total()
        if free < 1:
            return False
        now = self._clock()
        until = now + self._settings.lease
        claims = self._outbox.claim(holder=self._outlet.new_id(), now=now, lease_until=until, limit=free,
                                    allow=partial(self._allow, now=now, until=until, promised=set()))
        with self._door:
            self._under_way.update(claim.receiver for claim in claims)
        for claim in claims:
            self._claimed.put(claim)
        return bool(claims)

    def _allow(self, party: str, breaker: Breaker, *, now: datetime, until: datetime,
               promised: set[str]) -> tuple[int, Breaker]:
        room = self._room(party, promised)
        number, begun = admitted(breaker, now, until)
        return room if number is None else min(room, number), begun

    def _room(self, party: str, promised: set[str]) -> int:
        """How many more of this party's may begin here; `promised`: the failing parties of this claim that may."""
        with self._door:
            own = self._under_way[party]
            if party not in self._failing:
                return max(0, self._settings.per_party - own)
            together = sum(self._under_way[one] for one in self._failing) + len(promised - {party})
        if own or together >= max(1, self._settings.workers // 2):
            return 0
        promised.add(party)
        return 1

    # --- delivering ----------------------------------------------------------------------------------------------

    def _thread(self, name: str) -> threading.Thread:
        # A daemon: a call that outlasts the drain must not keep the process; its lease ends by itself.
        return threading.Thread(target=self._work, name=name, daemon=True)

    def _work(self) -> None:
        calls = 0
        while (claim := self._claimed.get()) is not None:
            outcome = deliver(claim, self._outlet)
            with self._door:
                if outcome.result in (Result.DELIVERED, Result.REFUSED):
                    self._failing.discard(claim.receiver)
                elif outcome.result is not Result.UNSENT:
                    self._failing.add(claim.receiver)
            try:
                self._settle(claim, outcome)
            except Exception as mistake:  # our own: the lease ends by itself, and this worker goes on
                self._observe("mistake", {"ticket": None, "error": mistake})
            finally:
                self._done(claim)
                self._woken.set()
            calls += 1
            if calls >= self._tenure:
                with suppress(RuntimeError):  # the system gives no thread: this one goes on
                    self._thread(threading.current_thread().name).start()
                    return

    def _settle(self, claim: Claim, outcome: Outcome) -> None:
        """Write down what came of it; where that fails for good the lease ends, and another tries."""
        at = next_step(claim, outcome, outcome.ended_at, backoff=self._backoff, jitter=random())  # noqa: S311
        breaker = partial(_after, outcome=outcome, number=claim.number, rules=self._rules)
        for pause in (*_SETTLE_AGAIN, None):
            try:
                self._outbox.settle(claim, outcome, next_at=at, breaker=breaker)
                break
            except GatewayError as error:
                self._observe("push-not-settled", {"error": error, "referentienummer": claim.referentienummer})
                if pause is None or self._stopping.wait(pause):
                    return
        self._tell(claim, outcome)

    def _tell(self, claim: Claim, outcome: Outcome) -> None:
        if outcome.result is Result.DELIVERED:
            self._observe("pushed", {"action": claim.action})
            return
        self._observe("not-pushed", {
            "code": outcome.result.value, "referentienummer": claim.referentienummer, "receiver": claim.receiver,
            "attempt": claim.number, "cause": outcome.cause})

    def _done(self, claim: Claim) -> None:
        with self._door:
            self._under_way[claim.receiver] -= 1
            if self._under_way[claim.receiver] <= 0:
                del self._under_way[claim.receiver]

    def _give_back(self) -> None:
        """What no worker took yet."""
        rest: list[Claim] = []
        while not self._claimed.empty():
            claim = self._claimed.get()
            if claim is not None:
                rest.append(claim)
        try:
            self._outbox.give_back(rest, self._clock())
        except GatewayError as error:  # then their leases end by themselves
            self._observe("push-not-given-back", {"error": error})
        for claim in rest:
            self._done(claim)


def _after(breaker: Breaker, *, outcome: Outcome, number: int, rules: BreakerRules) -> Breaker:
    return after(breaker, outcome.result, number, outcome.ended_at, rules)

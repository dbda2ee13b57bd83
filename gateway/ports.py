"""What the line needs from outside, as protocols. The rooms that own databases, keys and networks implement them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Protocol, TypeVar

from gateway.multipart import Package
from gateway.parted import Parted, Payload, Place
from gateway.push_values import Breaker, Claim, Outcome
from gateway.values import (
    Acceptance,
    Conversation,
    EncryptedBody,
    Entry,
    Listed,
    Party,
    Question,
    Refusal,
    Search,
)

T = TypeVar("T")

Clock = Callable[[], datetime]  # aware UTC
NewId = Callable[[], str]  # a fresh random UUID, lower case
WorkingDay = Callable[[date], bool]  # a Dutch working day?
Notify = Callable[[Listed], Acceptance | None]  # a lost message → what its sender is told of it, if anything
Allow = Callable[[str, Breaker], tuple[int, Breaker]]  # how many of a party's may begin; its breaker once one has
Forward = Callable[[str, bytes | Package, str, Callable[[bytes], None]], tuple[int, bytes]]  # url, octets, SOAPAction,
# check of the server's certificate (DER) before anything is sent → HTTP status and octets. Raises Unreachable.
Observe = Callable[[str, Mapping[str, object]], None]  # event and its facts, for log and metrics; never content


class Register(Protocol):
    """The address book: a consistent snapshot."""

    def by_oin(self, oin: str) -> Party | None: ...

    def by_id(self, party_id: str) -> Party | None: ...

    def by_route(self, kind: str, value: str, module: str, *, on: date) -> tuple[tuple[Party, ...], ...]:
        """Who gets what is sent under this key, group by group; the first with somebody of the role decides."""

    def with_role(self, role: str) -> frozenset[str]: ...

    def find(
        self, *, naam: str | None = None, kvk: str | None = None, vestigingsnummer: str | None = None,
        rol: str | None = None, module: str | None = None,
    ) -> list[Party]: ...


class Transaction(Protocol):
    """One durable unit of work; valid only inside the function given to `Journal.transaction`."""

    def known(self, acceptance: Acceptance) -> Entry | None:
        """The entry of an earlier identical request; None when new.

        Raises DuplicateConflict (same sender and Referentienummer, other message digest) and Replayed (same signer
        and MessageID, other message digest).
        """

    def conversation(self, acceptance: Acceptance, receiver: str) -> Conversation | None:
        """The conversation of sender and receiver (ids) under this number and module, whoever opened it."""

    def initiator(self, module: str, conversatie: str) -> str | None:
        """Who opened conversations under this number in this module, with whomever; None when nobody did."""

    def successor(self, module: str, conversatie: str, party: str) -> str | None:
        """Who stands in conversations under this number in the place of a party (id) that is gone; None: nobody."""

    def question(self, conversation: Conversation, referentienummer: str) -> Question | None:
        """An earlier message of this conversation."""

    def count(self, conversation: Conversation, family: str) -> int:
        """How many messages of this family (`MessageType.correlates_as`) the conversation has seen."""

    def record(self, acceptance: Acceptance, conversations: tuple[Conversation, ...]) -> Entry:
        """Write message, payload, proof, one delivery per receiver, the conversations' new states and the journal.

        A receiver in `acceptance.bridged` gets that payload, under that name and version.
        """


class Journal(Protocol):
    """The durable, append-only record and the messages it stands for."""

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and return its result after the durable commit; on an exception nothing of it is kept.

        Called from many threads; works are grouped into commits. Raises StorageError, Overloaded; re-raises the
        GatewayError of `work`.
        """

    def refuse(self, refusal: Refusal) -> None:
        """Record a refused request (kind `refused`)."""

    def refused(self, ticket: str) -> Refusal | None:
        """The refusal whose fault carried this ticket."""


class Upload(Protocol):
    """The files of one message, written down sealed while they arrive. Each method may raise StorageError."""

    def open(self, number: int) -> None:
        """A file begins, of which nothing was written yet; one at a time."""

    def write(self, octets: bytes) -> None:
        """More of it."""

    def close(self) -> None:
        """That was all of it."""

    def parted(self, octets: bytes, places: tuple[Place, ...]) -> Parted:
        """These octets, with the files in their places, by number; all that was written is durable."""

    def discard(self) -> None:
        """Remove what was written, unless an accepted message has it."""


class Spool(Protocol):
    """Where files are kept that came apart from their message."""

    def begin(self, upload: str, now: datetime) -> Upload:
        """A new upload under this id, which no other has."""

    def sweep(self, now: datetime) -> int:
        """Remove what was cut off by a crash, and the files of messages whose content is erased; how many uploads."""


class Evidence(Protocol):
    """What the hub can prove of a message (docs/evidence.md §3)."""

    def file(self, party: str, referentienummer: str, *, afzender: str | None, now: datetime) -> bytes:
        """The signed evidence file, for its sender or one of its addressees (id).

        An addressee's holds nothing of what other addressees did. Raises MailboxUnknown: unknown, another's, or sent
        by two senders under one number and `afzender` names none; SigningError.
        """


class Tolerances(Protocol):
    """How often each party uses which tolerance (gateway/tolerances.py)."""

    def note(self, party: str, used: tuple[str, ...], at: datetime) -> None:
        """One request of this party (id) used these (ids). In memory only: never waits, never fails."""

    def flush(self) -> None:
        """Write down what was noted since the last time. Raises StorageError; then it is kept for the next time."""


class Mailbox(Protocol):
    """The messages that wait for a party."""

    def waiting(self, party: str, *, berichttype: str | None, conversatie: str | None, limit: int) -> list[Listed]:
        """Waiting messages of `party`, oldest first; changes nothing."""

    def collect(self, party: str, referentienummer: str, now: datetime,
                fits: Callable[[Payload], None] = lambda payload: None) -> tuple[Listed, Payload | EncryptedBody]:
        """The message and its canonical octets, or the whole answer where only its addressee may read it; the first
        time it is marked collected, unless `fits` raises. Raises MailboxUnknown.
        """

    def confirm(self, party: str, referentienummers: tuple[str, ...], now: datetime) -> dict[str, bool]:
        """Confirm and erase; per number: was it this party's to confirm? Confirming again is no error."""

    def expire(self, now: datetime, limit: int, notify: Notify | None = None) -> int:
        """Move overdue messages to VERLOPEN and erase them, each with the notification of it; how many."""

    def retire_keys(self, now: datetime) -> list[str]:
        """Destroy the sealing keys of past days whose last message is gone or overdue; which (docs/decisions/0006)."""

    def search(self, search: Search) -> list[Listed]:
        """Log search, newest first, at most `search.limit`."""


class Outbox(Protocol):
    """The deliveries that wait to be pushed to their receivers."""

    def claim(self, *, holder: str, now: datetime, lease_until: datetime, limit: int, allow: Allow) -> list[Claim]:
        """Lend what is due to this worker until then, at most `limit`, each to one worker only.

        Of each conversation and receiver only the oldest that is open. `holder`: an id of this one call. `allow` is
        asked per party; also beforehand with a closed breaker, to pass over a party for whom there is no room.
        """

    def content(self, claim: Claim) -> Payload | EncryptedBody:
        """What is delivered: the message element in canonical form, or what only its addressee can read."""

    def settle(self, claim: Claim, outcome: Outcome, *, next_at: datetime | None,
               breaker: Callable[[Breaker], Breaker]) -> None:
        """Write the attempt down, and what comes of it: the delivery ends, or may be tried again from `next_at`.

        A claim whose lease was lost changes nothing but what a receipt proves. `breaker`: the receiver's, before and
        after; it may be asked more than once.
        """

    def give_back(self, claims: Iterable[Claim], now: datetime) -> None:
        """Let others have what was claimed and not begun."""

"""Parties that keep sending while a test breaks the hub: every message fresh, every outcome remembered."""

import threading
import time
import uuid
from dataclasses import dataclass, field

from gateway.app import canonical_message
from gateway.errors import GatewayError, PeerFailed, Unreachable
from gateway.party import PartyClient
from gateway.soap import Receipt
from tests.line import example

_OPENING = example("Kennisgeving-volledig").decode()
_NUMBER, _CONVERSATION = "b92ab4d6-ef2c-4661-b0f8-6b1dedd0c8f3", "ce295b82-3439-44c4-89ad-2e7c693b6873"
_RECEIVER = "11111111-1111-4111-8111-000000000002"


def kennisgeving(number: str, *, receiver: str = _RECEIVER) -> bytes:
    """A Kennisgeving that opens a conversation of its own."""
    return (_OPENING.replace(_NUMBER, number).replace(_CONVERSATION, str(uuid.uuid4()))
            .replace(f"Ontvanger>{_RECEIVER}<", f"Ontvanger>{receiver}<").encode())


@dataclass(kw_only=True)
class Sent:
    """What one thread knows of its messages."""

    messages: dict[str, bytes] = field(default_factory=dict)  # Referentienummer → what was sent, canonical
    receipts: dict[str, Receipt] = field(default_factory=dict)
    unanswered: int = 0  # tries without an answer
    repeated: int = 0  # receipts that came on a second or later try
    given_up: set[str] = field(default_factory=set)  # never answered and never tried again
    wrong: list[str] = field(default_factory=list)  # whatever should not happen


class Sender(threading.Thread):
    """Sends until told to stop. A try without an answer is repeated with the same message, up to `tries` times."""

    def __init__(self, client: PartyClient, *, pause: float, tries: int, receiver: str = _RECEIVER) -> None:
        super().__init__(name=f"sender-{receiver[-2:]}")
        self.sent = Sent()
        self._client, self._pause, self._tries, self._receiver = client, pause, tries, receiver
        self._halted = threading.Event()

    def run(self) -> None:
        while not self._halted.is_set():
            self._one(str(uuid.uuid4()))
            time.sleep(self._pause)

    def halt(self) -> None:
        """No new message; the one under way gets its tries."""
        self._halted.set()

    def _one(self, number: str) -> None:
        message = kennisgeving(number, receiver=self._receiver)
        self.sent.messages[number] = canonical_message(message)
        for attempt in range(1, self._tries + 1):
            try:
                self.sent.receipts[number] = self._client.send(message).receipt
                self.sent.repeated += attempt > 1
                return
            except (Unreachable, PeerFailed):
                self.sent.unanswered += 1
                time.sleep(0.03)
            except GatewayError as error:
                self.sent.wrong.append(f"{type(error).__name__}: {error.detail}")
                return
        self.sent.given_up.add(number)
        time.sleep(0.1)

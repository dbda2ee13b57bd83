"""What a good message costs, by its size: the measure that every refused one is held against.

Of each size there are two ordinary kinds, a list of claims as long as its schema takes and scans in base64. The cheaper
one counts, so that no ratio flatters; below the smallest message there is, the smallest counts.
"""

import re
import time
import uuid
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from gateway.pipeline import answer
from gateway.values import Received
from tests import foreign
from tests.line import SHV, Line, example

SIZES = (7_000, 20_000, 60_000, 200_000, 600_000, 2_000_000, 10_400_000)  # octets of a whole request
_ENVELOPE = 4_900  # of them around a message with a header and no more
_CLAIM = "<Vordering><FactuurnummerSEVolgensSHV>2026-{:06}</FactuurnummerSEVolgensSHV></Vordering>"
_CLAIMS = 500  # as many as the schema takes
_SCAN = 5_000_000  # octets of base64 in one attachment


def spent(work: Callable[[], object]) -> float:
    """Seconds of CPU that all threads of this process took for it."""
    began = time.process_time()
    work()
    return time.process_time() - began


def claims(octets: int) -> str | None:
    """A question about as many claims as fill so many octets; None where the schema takes fewer."""
    text = _message("SaldoVerzoek-volledig")
    count = max(1, (octets - len(text)) // len(_CLAIM.format(0)))
    if count > _CLAIMS:
        return None
    lines = "".join(_CLAIM.format(number) for number in range(count))
    return re.sub("<Vorderingen>.*</Vorderingen>", f"<Vorderingen>{lines}</Vorderingen>", text)


def scans(octets: int) -> str:
    """A message with attachments of so many octets."""
    text, written = _message("Kennisgeving-minimaal"), ""
    left = max(100, octets - len(text) - 300)
    while left > 0:
        content = b"%PDF-" + b"scan" * (min(left, _SCAN) // 4)
        content = content[: min(left, _SCAN) // 4 * 3]
        written += (f"<kn:Bijlage><kn:Soort>OVERIG</kn:Soort><kn:Bestandsnaam>scan.pdf</kn:Bestandsnaam>"
                    f"<kn:MimeType>application/pdf</kn:MimeType><kn:Inhoud>{b64encode(content).decode()}</kn:Inhoud>"
                    f"<kn:HashSHA256>{sha256(content).hexdigest()}</kn:HashSHA256></kn:Bijlage>")
        left -= _SCAN
    return text.replace("</kn:Berichtheader>", f"<kn:Bijlagen>{written}</kn:Bijlagen></kn:Berichtheader>", 1)


def _message(name: str) -> str:
    """A valid example that opens a conversation, under numbers of its own."""
    text = re.sub(r">\s+<", "><", example(name).decode().partition("?>")[2].strip())
    for field in ("Referentienummer", "ConversatieReferentienummer"):
        text = re.sub(rf"<kn:{field}>[^<]*<", f"<kn:{field}>{uuid.uuid4()}<", text, count=1)
    return text


class Good:
    """What good messages cost on one line, as they are measured."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._known: list[tuple[int, float]] = []

    def measure(self, times: int = 3, sizes: tuple[int, ...] = SIZES) -> None:
        """The best of some, for each size."""
        self._known = [self._best(size, times) for size in sizes]

    def _best(self, size: int, times: int) -> tuple[int, float]:
        kinds = [kind for kind in (claims, scans) if kind(size - _ENVELOPE) is not None]
        tried = [self.accept(kind, size) for kind in kinds for _ in range(times)]
        return min(octets for octets, _ in tried), min(cost for _, cost in tried)

    def accept(self, kind: Callable[[int], str | None], size: int) -> tuple[int, float]:
        """Send a good message of about this size: its octets, and the seconds of CPU it cost."""
        line, child = self._line, kind(size - _ENVELOPE)
        assert child is not None
        octets = foreign.octets(foreign.build(line.plan(child.encode())))
        received = Received(octets=octets, path=SHV, content_type="text/xml", soap_action='""',
                            peer=line.peer("gemeente"), at=line.at)
        replies = []
        cost = spent(lambda: replies.append(answer(received, line.gate)))
        assert replies[0].status == 200, replies[0].octets[-600:]
        return len(octets), cost

    def beside(self, size: int) -> float:
        """The cost of one good message of this size, just now: the cheaper of the two kinds."""
        size = max(size, SIZES[0])
        return min(self.accept(kind, size)[1] for kind in (claims, scans) if kind(size - _ENVELOPE) is not None)

    def of(self, octets: int) -> float:
        """Seconds, between the sizes that were measured along a straight line."""
        before = self._known[0]
        for size, cost in self._known:
            if octets <= size:
                step = (octets - before[0]) / (size - before[0]) if size > before[0] else 1.0
                return before[1] + (cost - before[1]) * max(0.0, step)
            before = size, cost
        return before[1]

    @property
    def table(self) -> list[tuple[int, float]]:
        return list(self._known)

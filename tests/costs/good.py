"""What a good message costs, by its size: the measure that every refused one is held against.

Of each size there are two ordinary kinds, a list of claims as long as its schema takes and an attachment in base64.
The cheaper one counts, so that no ratio flatters.
"""

import re
import time
import uuid
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from gateway.pipeline import answer
from gateway.values import Received, Reply
from tests import foreign
from tests.line import KN, SHV, Line, example

SIZES = (5_000, 20_000, 60_000, 200_000, 600_000, 2_000_000, 10_400_000)  # octets of a whole request, roughly
_ENVELOPE = 5_400  # of them around a message, its header included
_CLAIM = "<Vordering><FactuurnummerSEVolgensSHV>2026-{:06}</FactuurnummerSEVolgensSHV></Vordering>"
_CLAIMS = 500  # as many as the schema takes
_ATTACHMENT = 5_000_000  # octets of base64


def spent(work: Callable[[], object]) -> float:
    """Seconds of CPU that all threads of this process took for it."""
    began = time.process_time()
    work()
    return time.process_time() - began


def message(name: str) -> str:
    """A valid example that opens a conversation, under numbers of its own."""
    text = example(name).decode().partition("?>")[2].strip()
    for field in ("Referentienummer", "ConversatieReferentienummer"):
        text = re.sub(rf"<kn:{field}>[^<]*<", f"<kn:{field}>{uuid.uuid4()}<", text, count=1)
    return re.sub(r">\s+<", "><", text)


def claims(octets: int) -> str | None:
    """A question about as many claims as fill so many octets; None when no schema takes so many."""
    text = message("SaldoVerzoek-volledig")
    count = max(1, (octets - len(text)) // len(_CLAIM.format(0)))
    if count > _CLAIMS:
        return None
    return re.sub("<Vorderingen>.*</Vorderingen>", "<Vorderingen>" + "".join(map(_CLAIM.format, range(count)))
                  + "</Vorderingen>", text)


def attachments(octets: int) -> str:
    """A message with scans of so many octets together, each as large as one may be."""
    text, written = message("Kennisgeving-minimaal"), ""
    left = max(100, octets - len(text) - 300)
    while left > 0:
        content = (b"%PDF-" + b"scan" * (min(left, _ATTACHMENT) // 4))[: min(left, _ATTACHMENT) // 4 * 3]
        written += (f"<kn:Bijlage><kn:Soort>OVERIG</kn:Soort><kn:Bestandsnaam>scan.pdf</kn:Bestandsnaam>"
                    f"<kn:MimeType>application/pdf</kn:MimeType><kn:Inhoud>{b64encode(content).decode()}</kn:Inhoud>"
                    f"<kn:HashSHA256>{sha256(content).hexdigest()}</kn:HashSHA256></kn:Bijlage>")
        left -= _ATTACHMENT
    return text.replace("</kn:Berichtheader>", f"<kn:Bijlagen>{written}</kn:Bijlagen></kn:Berichtheader>", 1)

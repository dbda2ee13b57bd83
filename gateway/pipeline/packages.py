"""The way out of a message with files apart: as MTOM where the other side takes it, else in line where it fits."""

from collections.abc import Callable
from typing import Final

from gateway.errors import TooLarge
from gateway.multipart import Part
from gateway.parted import FileOctets, Parted, Payload, length, whole
from gateway.security import DigestedBody, digest_body
from gateway.soap import put_in
from gateway.values import EncryptedBody, Finding

_REMEDY: Final = (Finding(
    xpath="/", rule="mtom-nodig",
    nl="Het bericht past niet in één XML-document. Vraag het op als MTOM: zet in het verzoek "
       'Accept: multipart/related; type="application/xop+xml".',
    en="The message does not fit in one XML document. Ask for it as MTOM: put in the request "
       'Accept: multipart/related; type="application/xop+xml".'),)


def way_out(
    body: Payload | EncryptedBody, *, mtom: bool, nonce: str
) -> tuple[bytes | EncryptedBody | DigestedBody, tuple[Part, ...]]:
    """What goes into the Body, and the parts that go after the envelope; none when all of it stands in line.

    Takes   `nonce`: as `seal`.
    """
    if not isinstance(body, Parted):
        return body, ()
    if not mtom:
        return whole(body), ()
    pieces, numbers = [], list[int]()
    for number, begin, end in body.parts():
        pieces.append(body.octets[begin:end])
        numbers += [number] if number >= 0 else []
    names = tuple(f"bijlage-{number + 1}@{nonce}" for number in numbers)
    files = [FileOctets(parted=body, number=number) for number in numbers]
    shown = put_in(tuple(pieces), names)
    parts = tuple(Part(content_id=name, size=body.places[one.number].octets, pieces=one)
                  for name, one in zip(names, files, strict=True))
    return digest_body(pieces, files, shown, nonce), parts


def fitting(most: int, *, mtom: bool) -> Callable[[Payload], None]:
    """Refuses what can't go out: with files apart, to who does not take MTOM, and larger than `most` octets in line."""
    def fits(payload: Payload) -> None:
        if isinstance(payload, Parted) and not mtom and length(payload) > most:
            error = TooLarge(f"{length(payload)} octets in line, and the caller does not take MTOM")
            error.findings = _REMEDY
            raise error
    return fits

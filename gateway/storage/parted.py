"""How a payload with files apart lies in its sealed row: what is needed to put them back, then its octets.

Canonical XML never begins with `{`, so the first octet tells which of the two a payload is. The data key of the files
lies in here and nowhere else: who erases the row erases them (spool.py).
"""

from dataclasses import replace
from json import dumps, loads

from gateway.parted import Payload, Place
from gateway.storage.engine import Store
from gateway.storage.spool import parted


def pack(payload: Payload, digest: bytes) -> bytes:
    """What is sealed of a payload; `digest`: SHA-256 of the whole, so that nobody need read the files for it again."""
    if isinstance(payload, bytes):
        return payload
    facts = {"upload": payload.upload, "key": payload.key.hex(), "digest": digest.hex(),
             "places": [[one.placeholder, one.octets] for one in payload.places]}
    return dumps(facts).encode() + b"\n" + payload.octets


def unpack(octets: bytes, store: Store) -> Payload:
    """A payload as `pack` was given it; its files are read when they are asked for."""
    if not octets.startswith(b"{"):
        return octets
    line, _, rest = octets.partition(b"\n")
    facts = loads(line)
    whole = parted(store, upload=facts["upload"], key=bytes.fromhex(facts["key"]), octets=rest,
                   places=tuple(Place(placeholder=text, octets=size) for text, size in facts["places"]))
    return replace(whole, digest=bytes.fromhex(facts["digest"]))

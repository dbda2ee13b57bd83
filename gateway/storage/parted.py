"""How a payload with files apart lies in its sealed row: what is needed to put them back, then its octets.

Canonical XML never begins with `{`, so the first octet tells which of the two a payload is. The data key of the files
lies in here and nowhere else: who erases the row erases them (spool.py).
"""

from json import dumps, loads

from gateway.parted import Payload, Place
from gateway.storage.engine import Store
from gateway.storage.spool import parted


def pack(payload: Payload) -> bytes:
    """What is sealed of a payload."""
    if isinstance(payload, bytes):
        return payload
    facts = {"upload": payload.upload, "key": payload.key.hex(),
             "places": [[one.placeholder, one.octets] for one in payload.places]}
    return dumps(facts).encode() + b"\n" + payload.octets


def unpack(octets: bytes, store: Store) -> Payload:
    """A payload as `pack` was given it; its files are read when they are asked for."""
    if not octets.startswith(b"{"):
        return octets
    line, _, rest = octets.partition(b"\n")
    facts = loads(line)
    return parted(store, upload=facts["upload"], key=bytes.fromhex(facts["key"]), octets=rest,
                  places=tuple(Place(placeholder=text, octets=size) for text, size in facts["places"]))

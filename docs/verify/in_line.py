"""A saved request or answer in MTOM → the envelope with every file in its place, as it was signed.

    python in_line.py request.mime > request.xml

Needs nothing but Python. The file begins with its Content-Type, as `gateway send --envelope-out` writes it, or take the
header from your log:

    python in_line.py body.bin --content-type 'multipart/related; …' > request.xml

No XML is read or written: octets are put in the place of each xop:Include, and nothing else changes. So a signature
that holds for the result holds for the request (XOP 1.0 §3), and `gateway explain request.xml`, xmlsec1 or any other
verifier can say why one does not.
"""

import re
import sys
from argparse import ArgumentParser
from base64 import b64encode
from email.parser import BytesParser
from email.policy import HTTP
from html import unescape
from pathlib import Path
from urllib.parse import unquote

INCLUDE = re.compile(
    rb"""<(?:[\w.-]+:)?Include\s[^<>]*?href=(["'])cid:(.*?)\1[^<>]*?(?:/>|>\s*</(?:[\w.-]+:)?Include\s*>)""")


def in_line(mail: bytes) -> bytes:
    """The octets of a package after its Content-Type → those of the envelope."""
    package = BytesParser(policy=HTTP).parsebytes(mail)
    if package.get_content_type() != "multipart/related" or package.defects:
        raise SystemExit("this is no whole multipart/related; does the file begin with its Content-Type?")
    parts = {(part["Content-ID"] or "").strip("<> "): part for part in package.iter_parts()}
    start = (package.get_param("start") or "").strip("<>")
    root = parts.pop(start if start in parts else next(iter(parts)))

    def content(found: re.Match[bytes]) -> bytes:
        name = unquote(unescape(found[2].decode()))
        if name not in parts:
            raise SystemExit(f"no part, or not one more, has Content-ID <{name}>")
        return b64encode(parts.pop(name).get_payload(decode=True))

    envelope = INCLUDE.sub(content, root.get_payload(decode=True))
    if parts:
        raise SystemExit(f"nothing refers to: {', '.join(f'<{name}>' for name in parts)}")
    return envelope


def main() -> None:
    """The command."""
    command = ArgumentParser(description="put the files of a saved MTOM message in line")
    command.add_argument("file", type=Path)
    command.add_argument("--content-type", help="the HTTP header, where the file does not begin with it")
    asked = command.parse_args()
    octets = asked.file.read_bytes()
    head = b"" if asked.content_type is None else f"Content-Type: {asked.content_type}\r\n\r\n".encode()
    sys.stdout.buffer.write(in_line(head + octets))


if __name__ == "__main__":
    main()

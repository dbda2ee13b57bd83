"""Files that come beside a message: kept under names that no message chooses, or nothing of them stays."""

from base64 import b64encode
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import MalformedEnvelope, StorageError
from gateway.names import XOP
from gateway.parted import whole
from gateway.party.taken import Folder
from gateway.security import canonical
from gateway.soap import Limits, parse

NONCE = "3f0c1c1a-7f5e-4a56-9a0e-2f0d9a6e1f11"
ENVELOPE = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m xmlns="urn:m">{}</m></s:Body>'
            "</s:Envelope>")
FILE = f'<a><Bestandsnaam>{{}}</Bestandsnaam><Inhoud><i:Include xmlns:i="{XOP}" href="cid:{{}}"/></Inhoud></a>'


def taken(folder: Path, *files: tuple[str, bytes]) -> Folder:
    made = Folder(folder)
    for name, octets in files:
        made.open(name)
        made.write(octets[:2])
        made.write(octets[2:])
        made.close()
    return made


def envelope(*files: tuple[str, str]):
    return parse(ENVELOPE.format("".join(FILE.format(*one) for one in files)).encode(), Limits())


@pytest.mark.parametrize(("stated", "kept"), [
    ("besluit.pdf", "N-1-besluit.pdf"), ("../../etc/passwd", "N-1"), (".bashrc", "N-1"), ("a b", "N-1"), ("", "N-1"),
    ("x" * 200, "N-1"),
])
def test_a_file_keeps_its_name_only_where_that_is_plain(tmp_path: Path, stated: str, kept: str) -> None:
    folder, asked = taken(tmp_path / "out", ("1@x", b"%PDF-")), envelope((stated, "1@x"))
    assert folder.of(asked, NONCE) is not None
    octets, names = folder.keep(asked.child, "N")
    folder.discard()
    assert names == (kept,)
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "out").iterdir()] == [(kept, b"%PDF-")]
    assert etree.fromstring(octets).find(f".//{{{XOP}}}Include").get("href") == f"cid:{kept}"


def test_the_whole_is_that_of_the_message_in_line_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    folder = taken(tmp_path, ("2@x", b"twee!"), ("1@x", b"een"))
    asked = envelope(("a", "1@x"), ("b", "2@x"))
    parted = folder.of(asked, NONCE)
    octets = whole(parted.of(canonical(asked.body)))
    found = [place.text for place in etree.fromstring(octets).iter("{*}Inhoud")]
    assert found == [b64encode(one).decode() for one in (b"een", b"twee!")]


@pytest.mark.parametrize("named", [[], ["1@x"], ["1@x", "2@x", "3@x"], ["1@x", "3@x"]], ids=str)
def test_files_that_are_not_those_of_the_message_are_refused_and_removed(tmp_path: Path, named: list[str]) -> None:
    folder = taken(tmp_path, ("1@x", b"a"), ("2@x", b"b"))
    with pytest.raises(MalformedEnvelope):
        folder.of(envelope(*(("", name) for name in named)), NONCE)
    folder.discard()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="let this user write there"):
        Folder(tmp_path / "file").open("1@x")

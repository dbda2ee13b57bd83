"""Messages with files apart (MTOM), before judges who never heard of it: put together again, what we signed holds; and
what they signed in line is accepted when another's hand took it apart.
"""

import hashlib
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from signxml.exceptions import InvalidDigest

from gateway.app import find_files, saved
from gateway.errors import Misconfigured, StorageError
from tests import foreign
from tests.crosscheck.package import XOP, optimise, reconstitute
from tests.crosscheck.referee import holds_for_xmlsec1, names, needs_xmlsec1, sign_with_signxml, signed_by_signxml
from tests.crosscheck.test_what_others_sign import put_template, sign_with_xmlsec1
from tests.foreign import D, O, S
from tests.line import BASE, Line, code, make_line
from tests.packages import RB, feed

SETS = Path(__file__).parent.parent.parent / "xsd"
DOSSIER = SETS / "rechtbank/1.0/examples/valid/Aanvulling-volledig.xml"
PETITION = DOSSIER.with_name("VerzoekschriftWsnp-minimaal.xml")
REQUEST = names("To", "Action", "MessageID", "From", "ReplyTo")
# What a boundary, a line's end or a group of three could spoil.
FILES = {"een.pdf": b"%PDF-1.4\r\n--\r\n\r\n", "twee.pdf": b"%PDF-" + bytes(range(256)) * 2 + b"\n\n"}


def message(folder: Path, *files: str) -> Path:
    """A message on disk, the attachments of which are named; the files lie beside it."""
    text = DOSSIER.read_text("utf-8")
    for name in files:
        (folder / name).write_bytes(FILES[name])
        text = re.sub(r"<kn:Inhoud>[^<]+</kn:Inhoud>(\s*)<kn:HashSHA256>\w+<",
                      f'<kn:Inhoud><xop:Include xmlns:xop="{XOP}" href="cid:{name}"/></kn:Inhoud>'
                      rf"\1<kn:HashSHA256>{hashlib.sha256(FILES[name]).hexdigest()}<", text, count=1)
    (folder / "message.xml").write_text(text, "utf-8")
    return folder / "message.xml"


def wrapped(line: Line, path: Path, *, mtom: bool = False) -> bytes:
    client = line.instance.party("gemeente", url=BASE)
    return b"".join(saved(client.wrap(path.read_bytes(), find_files({}, path.parent), mtom=mtom).content))


def contents(envelope: bytes) -> list[bytes]:
    return [b64decode(place.text) for place in etree.fromstring(envelope).iter("{*}Inhoud")]


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One line for all: nothing below depends on what the others sent."""
    made = make_line(template, tmp_path_factory.mktemp("packages") / "instance")
    yield made
    made.store.close()


@pytest.fixture
def package(line: Line, tmp_path: Path) -> bytes:
    return wrapped(line, message(tmp_path, *FILES))


def test_signxml_verifies_the_message_put_together_again(package: bytes) -> None:
    envelope = reconstitute(package)
    assert contents(envelope) == list(FILES.values())
    signed_by_signxml(envelope, required=REQUEST)
    with pytest.raises(InvalidDigest):
        signed_by_signxml(reconstitute(package.replace(b"%PDF-1.4\r\n", b"%PDF-1.5\r\n")), required=REQUEST)


@needs_xmlsec1
def test_xmlsec1_verifies_the_message_put_together_again(package: bytes, tmp_path: Path) -> None:
    assert holds_for_xmlsec1(tmp_path, reconstitute(package))
    assert not holds_for_xmlsec1(tmp_path, reconstitute(package.replace(b"\n\n\r\n--", b"\n\r\n--")))


def test_what_goes_apart_with_mtom_is_the_message_that_goes_in_line_without(line: Line, tmp_path: Path) -> None:
    """To the octet: canonical XML of the Body's child is the same, and so are the files."""
    whole, apart = wrapped(line, DOSSIER), wrapped(line, DOSSIER, mtom=True)
    assert apart.count(b"Include ") == apart.count(b"Content-ID: ") - 1 == len(contents(whole))
    assert b64encode(contents(whole)[0]) not in apart
    bodies = [etree.fromstring(octets).find(f"{{{S}}}Body")[0] for octets in (whole, reconstitute(apart))]
    assert foreign.canonical(bodies[0]) == foreign.canonical(bodies[1])


def test_base64_with_white_space_is_signed_as_it_will_be_put_together(line: Line, tmp_path: Path) -> None:
    spaced = tmp_path / "spaced.xml"
    spaced.write_bytes(re.sub(rb"<kn:Inhoud>(.{76})", rb"<kn:Inhoud>\n\1\n  ", DOSSIER.read_bytes()))
    envelope = reconstitute(wrapped(line, spaced, mtom=True))
    assert contents(envelope) == contents(wrapped(line, DOSSIER))
    signed_by_signxml(envelope, required=REQUEST)


def test_optimising_and_putting_together_are_each_other_s_inverse(line: Line) -> None:
    envelope = wrapped(line, DOSSIER)
    kind, octets = optimise(envelope)
    again = reconstitute(f"Content-Type: {kind}\r\n\r\n".encode() + octets)
    assert foreign.canonical(etree.fromstring(again)) == foreign.canonical(etree.fromstring(envelope))


def test_a_file_that_is_not_there_or_lies_elsewhere_is_named_with_the_remedy(line: Line, tmp_path: Path) -> None:
    path = message(tmp_path, "een.pdf")
    (tmp_path / "een.pdf").unlink()
    with pytest.raises(Misconfigured, match=r"--attach een\.pdf=FILE"):
        wrapped(line, path)
    (tmp_path.parent / "secret.pdf").write_bytes(b"%PDF-")
    path.write_text(path.read_text("utf-8").replace("cid:een.pdf", "cid:../secret.pdf"), "utf-8")
    with pytest.raises(Misconfigured):
        wrapped(line, path)
    client = line.instance.party("gemeente", url=BASE)
    with pytest.raises(Misconfigured, match="none was given"):
        client.wrap(path.read_bytes())
    given = find_files({"../secret.pdf": tmp_path.parent / "secret.pdf"}, tmp_path)
    assert b"secret" not in b"".join(saved(client.wrap(path.read_bytes(), given).content))


def test_a_file_that_changes_under_way_ends_the_sending(line: Line, tmp_path: Path) -> None:
    path = message(tmp_path, "een.pdf")
    content = line.instance.party("gemeente", url=BASE).wrap(path.read_bytes(), find_files({}, tmp_path)).content
    (tmp_path / "een.pdf").write_bytes(b"%PDF-1.4 grown, and it was signed as it was before")
    with pytest.raises(StorageError, match="send it again"):
        b"".join(saved(content))


def unsigned(line: Line) -> etree._Element:
    """A petition to the court, every part in its envelope and no signature yet."""
    number = str(uuid.uuid4())
    child = re.sub(rb"(<kn:(?:Conversatie)?Referentienummer>)[^<]*", rf"\g<1>{number}".encode(), PETITION.read_bytes())
    root = foreign.build(line.plan(child, path=RB))
    security = root[0].find(f"{{{O}}}Security")
    security.remove(security.find(f"{{{D}}}Signature"))
    return root


def taken_apart(line: Line, envelope: bytes, spoil: bytes) -> str | None:
    """The hub's code for what another's hand made a package of; None: taken."""
    kind, octets = optimise(envelope)
    assert octets.count(b"%PDF-1.4") == len(contents(envelope)) > 0
    return code(feed(line, kind, iter([octets.replace(b"%PDF-1.4", spoil)])))


SPOILT = pytest.mark.parametrize(("spoil", "expected"), [(b"%PDF-1.4", None), (b"%PDF-1.5", "SKP015")],
                                 ids=["as signed", "spoilt"])


@SPOILT
def test_what_signxml_signs_in_line_is_accepted_apart(line: Line, spoil: bytes, expected: str | None) -> None:
    root = unsigned(line)
    sign_with_signxml(root, line.identity("gemeente"))
    assert taken_apart(line, etree.tostring(root), spoil) == expected


@needs_xmlsec1
@SPOILT
def test_what_xmlsec1_signs_in_line_is_accepted_apart(
    line: Line, tmp_path: Path, spoil: bytes, expected: str | None,
) -> None:
    root = unsigned(line)
    put_template(root, foreign.RSA_SHA256, pretty=False)
    octets = sign_with_xmlsec1(root, line.instance.folder / "pki", "gemeente", tmp_path)
    assert taken_apart(line, octets, spoil) == expected


def test_what_we_send_apart_is_accepted(line: Line, tmp_path: Path) -> None:
    sent = wrapped(line, PETITION, mtom=True)
    head, _, octets = sent.partition(b"\r\n\r\n")
    assert code(feed(line, head.decode().removeprefix("Content-Type: "), iter([octets]))) is None

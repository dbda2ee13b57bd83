"""Content that was confirmed is gone: from the disk, from what the hub says, and from the memory of its process.

A hub of its own takes messages whose values no other text has. What it then holds is searched octet by octet.
"""

import platform
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.app import open_instance
from gateway.errors import PeerRefused
from tests.acceptance.hub import Hub, fresh_hub
from tests.acceptance.load import kennisgeving
from tests.acceptance.memory import found_in, writable
from tests.command import gateway
from tests.line import SHV

PLANTED = "Zquixo"  # in every planted value, and in nothing else
_TEXTS = ("KlantnummerSHV", "KlantnummerSEVolgensSHV", "Voornamen", "Achternaam", "Straatnaam", "Woonplaats", "Naam",
          "Functie", "Bereikbaarheid", "FactuurnummerSEVolgensSHV")

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc",
    reason="the memory of a process is read from /proc; that freed memory is overwritten is promised for glibc")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def hub(template: Path, temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """As in conftest.py, with a folder for temporary files that nobody else uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        with fresh_hub(template, tmp_path_factory.mktemp("hub") / "instance") as running:
            yield running


def planted(number: str, **wrong: str) -> bytes:
    """A Kennisgeving in which each free text says where it was planted; `wrong`: elements that get this text."""
    message = etree.fromstring(kennisgeving(number))
    for name in _TEXTS:
        for count, node in enumerate(message.iter("{*}" + name)):
            node.text = f"{PLANTED}{name[:3]}{count}"
    for name, text in wrong.items():
        next(message.iter("{*}" + name)).text = text
    return etree.tostring(message)


def traffic(hub: Hub) -> list[str]:
    """Messages that are sent, collected and confirmed, and messages that are refused; the numbers of the first."""
    gemeente, energie = hub.party("gemeente"), hub.party("energie")
    numbers = [str(uuid.uuid4()) for _ in range(2)]
    for number in numbers:
        octets = planted(number)
        gemeente.send(octets)
        gemeente.send(octets)  # a repeated request
        assert energie.waiting()
        assert PLANTED.encode() in energie.collect(number).octets
        for wrong in (planted(number), planted(str(uuid.uuid4()), Postcode=f"{PLANTED}9"),  # other content; no postcode
                      planted(str(uuid.uuid4()), Geboortedatum=PLANTED)):
            with pytest.raises(PeerRefused):
                gemeente.send(wrong)
    assert not on_disk(hub.folder)  # sealed
    for number in numbers:
        assert energie.confirm(number) == {number: True}
    return numbers


def on_disk(*folders: Path) -> list[str]:
    """The files that hold a planted value."""
    return [file.name for folder in folders for file in folder.rglob("*")
            if file.is_file() and found_in([file.read_bytes()], PLANTED)]


def raw(hub: Hub) -> ssl.SSLSocket:
    """A connection of the gemeente, to say on it what no client would."""
    pki = hub.folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "gemeente-tls.pem", pki / "gemeente-tls.key")
    return context.wrap_socket(socket.create_connection(("127.0.0.1", hub.port)), server_hostname="localhost")


@pytest.mark.clause("§7.3")
def test_nothing_of_a_confirmed_message_is_left_on_disk_in_words_or_in_memory(hub: Hub, temporary: Path) -> None:
    numbers = traffic(hub)
    assert hub.process is not None
    memory = writable(hub.process.pid)
    assert found_in(memory, open_instance(hub.folder).settings.hub.name)  # so the search would find it
    assert found_in(memory, PLANTED) == []
    assert {"gateway.db", "gateway.db-wal", "gateway.db-shm", "hub.log"} <= {file.name for file in hub.folder.iterdir()}
    assert on_disk(hub.folder, temporary) == []
    said = [
        gateway("messages", "list", hub.folder, "--json").octets, gateway("messages", "list", hub.folder).octets,
        gateway("messages", "refused", hub.folder, "--json").octets,
        *(gateway("messages", "show", hub.folder, number, "--json").octets for number in numbers),
        *(gateway("evidence", "export", number, "--instance", hub.folder).octets for number in numbers),
    ]
    assert found_in(said, numbers[0])
    assert found_in(said, PLANTED) == []


def test_what_is_at_work_is_in_memory_and_what_was_broken_off_is_not(hub: Hub) -> None:
    """The control: the search finds a request that is still coming in. Neither a peer that goes away nor octets that
    are no XML leave anything; but names of elements stay in the parser's dictionary (docs/privacy.md), values never.
    """
    head = f"POST {SHV} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    octets = planted(str(uuid.uuid4()))
    with raw(hub) as connection:
        connection.sendall(head.encode() % (len(octets) + 1) + octets)
        assert eventually(hub, there=True)
        connection.shutdown(socket.SHUT_RDWR)
    for body in (octets[:900], octets.replace(b"</sr:Klant>", b"</sr:Partner>")):
        with raw(hub) as connection:
            connection.sendall(head.encode() % len(body) + body)
            assert connection.recv(100)
    assert not eventually(hub, there=False)


def eventually(hub: Hub, *, there: bool) -> list[bytes]:
    """Where planted values are in the hub's memory, once there are some or none; the event loop may be a step behind.
    """
    assert hub.process is not None
    found: list[bytes] = []
    for _ in range(10):
        found = found_in(writable(hub.process.pid), PLANTED)
        if bool(found) == there:
            break
        time.sleep(0.1)
    return found

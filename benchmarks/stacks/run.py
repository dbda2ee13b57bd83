"""The gateway beside other stacks that do the same work, each in its own process, in turn.

Verify: from the octets of a signed request of 6 KB to "its digests and its signature hold": parse, C14N and digests
of its six parts, one RSA operation. Sign: from an unsigned answer of eight parts to the octets of a signed one. Each
stack gets the same files and has its keys loaded. The gateway's own figures hold more: its checks of place and profile,
the signer's certificate path and its revocation. What a stack signed must hold for the gateway, or it does not count.

A program is called with a folder and seconds to measure; it prints one line of JSON: `version`, `verify_us`, `sign_us`.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from benchmarks.machine import ROOT
from benchmarks.measure import quantiles
from benchmarks.world import SHV, World
from gateway.app.instance import new_id, utc_now
from gateway.names import ANONYMOUS, DS, WSSE11, clark
from gateway.pipeline import answer
from gateway.security import Outgoing, verify
from gateway.security import seal as sealed
from gateway.soap import Limits, parse

HERE = Path(__file__).parent
NODE = Path(os.environ.get("XML_CRYPTO_FOR_NODE", ROOT / "build" / "node" / "node_modules"))

Row = dict[str, object]
Figures = dict[str, list[float]]  # microseconds of each verify, of each sign


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One program; `command` makes it ready in a folder and says how it is called."""

    name: str
    needs: str  # what to install, when it is missing
    there: Callable[[], bool]
    command: Callable[[Path], Sequence[str]]


def _compiled(folder: Path) -> list[str]:
    program = folder / "libxmlsec"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "xmlsec1-openssl"], check=True, capture_output=True,
                           text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "libxmlsec.c"), *flags], check=True)
    return [str(program)]


STACKS = (
    Stack(name="libxmlsec1 in C", needs="Debian: apt-get install gcc pkg-config libxmlsec1-dev",
          there=lambda: bool(shutil.which("cc")) and _runs("pkg-config", "--exists", "xmlsec1-openssl"),
          command=_compiled),
    Stack(name="Java, javax.xml.crypto", needs="Debian: apt-get install default-jdk-headless",
          there=lambda: _runs("javac", "-version"), command=lambda folder: ["java", str(HERE / "XmlDsig.java")]),
    Stack(name="Node, xml-crypto", needs="Node 16 or newer, and: npm install --prefix build/node xml-crypto",
          there=lambda: _runs("node", "--version") and (NODE / "xml-crypto").is_dir(),
          command=lambda folder: ["node", str(HERE / "xml-crypto.cjs")]),
    Stack(name="Python, signxml", needs="nothing: it comes with the gateway", there=lambda: True,
          command=lambda folder: [sys.executable, "-m", "benchmarks.stacks.with_signxml"]),
)


def measure_stacks(hub: World, *, seconds: float = 1.5, rounds: int = 2, stacks: Sequence[Stack] = STACKS,
                   told: Callable[[str], None] = lambda text: None) -> list[Row]:
    """A row per stack, the gateway first; `missing` says what to install for one that is not there."""
    with _files(hub) as folder:
        calls = {stack.name: stack.command(folder) for stack in stacks if stack.there()}
        found: dict[str, list[Figures]] = {"gateway": [], **{name: [] for name in calls}}
        versions = {"gateway": f"Python {sys.version.split()[0]}"}
        for number in range(rounds):
            told(f"round {number + 1} of {rounds}")
            found["gateway"].append(_ours(hub, folder, seconds))
            for name, command in calls.items():
                figures = _called(command, folder, seconds)
                versions[name] = str(figures.pop("version"))
                _must_hold(hub, (folder / "signed.xml").read_bytes())
                found[name].append(figures)  # type: ignore[arg-type]
    rows = [_row(name, versions[name], some, found["gateway"]) for name, some in found.items()]
    return rows + [{"stack": stack.name, "missing": stack.needs} for stack in stacks if stack.name not in calls]


def _row(name: str, version: str, found: list[Figures], ours: list[Figures]) -> Row:
    row: Row = {"stack": name, "version": version}
    for step in ("verify", "sign"):
        key = f"{step}_us"
        row |= quantiles([one for some in found for one in some[key]], f"{step}_")
        row[f"{step}_times"] = statistics.median(
            statistics.median(some[key]) / statistics.median(own[key]) for some, own in zip(found, ours, strict=True))
    return row


def _called(command: Sequence[str], folder: Path, seconds: float) -> dict[str, object]:
    (folder / "signed.xml").unlink(missing_ok=True)
    done = subprocess.run([*command, str(folder), str(seconds)], check=True, capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "NODE_PATH": str(NODE)})
    return dict(json.loads(done.stdout))


def _ours(hub: World, folder: Path, seconds: float) -> Figures:
    octets = (folder / "request.xml").read_bytes()
    body = etree.fromstring((folder / "answer.xml").read_bytes())[-1][0]
    child = etree.tostring(body, method="c14n", exclusive=True)
    signing, at = hub.instance.signing[0], utc_now()

    def check() -> None:
        verify(parse(octets, Limits()), hub.gate.policy, hub.gate.check_signer, at)

    def sign() -> None:
        sealed(Outgoing(action="urn:antwoord", message_id=f"urn:uuid:{new_id()}", to=ANONYMOUS, relates_to="urn:uuid:x",
                        confirmations=("x" * 344,), body=child), signing, at, new_id())

    return {"verify_us": timed(check, seconds), "sign_us": timed(sign, seconds)}


def timed(step: Callable[[], object], seconds: float) -> list[float]:
    """Microseconds of each call, for so many seconds; a quarter of that warms up."""
    waits, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds / 4:
        step()
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(waits) < 2:
        before = time.perf_counter()
        step()
        waits.append((time.perf_counter() - before) * 1e6)
    return waits


def _must_hold(hub: World, octets: bytes) -> None:
    """What another stack signed, as the gateway sees an answer. Raises SecurityRefusal."""
    value = etree.fromstring(octets).find(f".//{clark(WSSE11, 'SignatureConfirmation')}").get("Value")
    policy = replace(hub.gate.policy, confirms=(value,))
    verify(parse(octets, Limits()), policy, hub.gate.check_signer, utc_now())


@contextmanager
def _files(hub: World) -> Iterator[Path]:
    """The request, the answer without its signature and with an empty one, the keys: one folder for all."""
    with tempfile.TemporaryDirectory(prefix="gateway-stacks-") as name:
        folder, pki = Path(name), hub.instance.folder / "pki"
        request = hub.lean([new_id()])[0]
        assert request.path == SHV
        whole = etree.fromstring(answer(request, hub.gate).octets)
        signature = whole.find(f".//{clark(DS, 'Signature')}")
        for value in signature.iter(clark(DS, "DigestValue"), clark(DS, "SignatureValue")):
            value.text = None
        (folder / "request.xml").write_bytes(request.octets)
        (folder / "answer-template.xml").write_bytes(etree.tostring(whole))
        signature.getparent().remove(signature)
        (folder / "answer.xml").write_bytes(etree.tostring(whole))
        for file, source in (("party.pem", "gemeente-sign.pem"), ("hub.pem", "hub-sign.pem")):
            certificate = x509.load_pem_x509_certificate((pki / source).read_bytes())
            (folder / file).write_bytes(certificate.public_bytes(Encoding.PEM))
        shutil.copyfile(pki / "hub-sign.key", folder / "hub.key")
        yield folder


def _runs(*words: str) -> bool:
    return bool(shutil.which(words[0])) and subprocess.run(words, capture_output=True, check=False).returncode == 0

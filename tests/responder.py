"""A real OCSP responder: `openssl ocsp` as a process, for one CA of the tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from socket import create_server

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.security.throwaway import Pair


class Responder:
    """The CA's database, and the process that answers from it."""

    def __init__(self, folder: Path, ca: Pair, signer: Pair) -> None:
        self.folder = folder
        for name, pair in (("ca", ca), ("signer", signer)):
            (folder / f"{name}.pem").write_bytes(pair.certificate.public_bytes(Encoding.PEM))
            (folder / f"{name}.key").write_bytes(
                pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def knows(self, *certificates: x509.Certificate, revoked: tuple[x509.Certificate, ...] = ()) -> None:
        """What its database says, from its next start on."""
        lines = []
        for one in (*certificates, *revoked):
            until = f"{one.not_valid_after_utc:%y%m%d%H%M%SZ}"
            state = f"R\t{until}\t{_before(one):%y%m%d%H%M%SZ}" if one in revoked else f"V\t{until}\t"
            lines.append(f"{state}\t{one.serial_number:X}\tunknown\t/CN={one.serial_number}\n")
        (self.folder / "index.txt").write_text("".join(lines), "ascii")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = ["openssl", "ocsp", "-index", "index.txt", "-port", str(self._port), "-CA", "ca.pem",
                   "-rsigner", "signer.pem", "-rkey", "signer.key", "-nmin", "600"]
        self._process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._process.stdout is not None
        assert b"ACCEPT" in self._process.stdout.readline()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process.stdout.close()
            self._process = None


def _before(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_before_utc


@contextmanager
def responding(folder: Path, ca: Pair, signer: Pair) -> Iterator[Responder]:
    made = Responder(folder, ca, signer)
    try:
        yield made
    finally:
        made.stop()

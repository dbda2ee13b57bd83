"""A time-stamp authority: `openssl ts -reply` behind HTTP on a loopback port, and ways for it to misbehave."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
_CONFIG = """\
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = {ess}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA, a signer of time-stamps under it, and others that should not sign any."""

    folder: Path

    def __post_init__(self) -> None:
        self._run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key "
                  "-subj /CN=Tijdstempel-CA -days 3650 -out ca.pem")
        for name, usage in (("tsa", "critical,timeStamping"), ("lax", "timeStamping"),
                            ("both", "critical,timeStamping,clientAuth")):
            self._run(f"openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key "
                      f"-subj /CN={name} -out {name}.csr")
            (self.folder / "ext").write_text(f"extendedKeyUsage={usage}\nkeyUsage=critical,digitalSignature\n")
            self._run(f"openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 "
                      f"-extfile ext -out {name}.pem")
        for ess in ("sha256", "sha1"):
            (self.folder / f"{ess}.cnf").write_text(_CONFIG.format(folder=self.folder, ess=ess))

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def reply(self, query: bytes, *, signer: str = "tsa", config: str = "sha256") -> bytes:
        """What openssl answers to this request."""
        (self.folder / "query").write_bytes(query)
        self._run(f"openssl ts -reply -config {config}.cnf -queryfile query -signer {signer}.pem -inkey {signer}.key "
                  "-out reply")
        return (self.folder / "reply").read_bytes()

    def _run(self, command: str) -> None:
        subprocess.run(command.split(), cwd=self.folder, check=True, capture_output=True, timeout=30)


Answer = Callable[[bytes], bytes]  # of a request, the response


@contextmanager
def served(answer: Answer, *, delay: float = 0.0) -> Iterator[str]:
    """The URL of an authority that answers so, `delay` seconds late."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            time.sleep(delay)
            octets = answer(query)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever asked may have left."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()

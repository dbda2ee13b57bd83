"""A hub in processes of its own, for the tests that stop and kill it: python -m tests.unit.transport.processes."""

import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.transport import (
    OwnMeter,
    Quota,
    RequestLimits,
    Server,
    ServerTls,
    SoapListener,
    Supervisor,
    TlsFiles,
    bind,
)
from gateway.values import Received, Reply
from tests.unit.transport.conftest import PATH, PLENTY, no_web


def answer(received: Received) -> Reply:
    """Slow enough that a stop comes in the midst; `<crash/>` ends the process."""
    if received.octets == b"<crash/>":
        os._exit(3)
    with open(os.environ["STARTED"], "ab") as started:
        started.write(received.octets + b"\n")
    time.sleep(0.05)
    return Reply(status=200, octets=received.octets + b"<!-- %d -->" % os.getpid())


def work(
    folder: str, soap_socket: socket.socket, web_socket: socket.socket, index: int, ready: Callable[[str, str], None],
) -> int:
    pki = Path(folder)
    tls = ServerTls.of(TlsFiles(certificate=pki / "hub.pem", key=pki / "hub.key", anchors=(pki / "ca.pem",),
                                crls=(pki / "ca.crl",)))
    quota = Quota(lambda oin: PLENTY, OwnMeter(), time.monotonic, lambda event, facts: None)
    soap = SoapListener(
        answer=answer, refuse=lambda received, error: Reply(status=500, octets=b"<fault/>"), services={PATH},
        contracts={}, now=lambda: datetime.now(UTC), limits=RequestLimits(threads=4), quota=quota)
    Server(soap=soap, web=no_web, soap_socket=soap_socket, web_socket=web_socket, tls=tls, quota=quota,
           ready=ready).run()
    return 0


def announce(soap_url: str, web_url: str) -> None:
    sys.stdout.write(f"ready {soap_url} {web_url}\n")
    sys.stdout.flush()


def main(folder: str, count: int) -> int:
    soap_socket, web_socket = bind("127.0.0.1:0"), bind("127.0.0.1:0")
    if not count:
        return work(folder, soap_socket, web_socket, 0, announce)
    supervisor = Supervisor(target="tests.unit.transport.processes:work", argument=folder, count=count,
                            soap_socket=soap_socket, web_socket=web_socket, ready=announce)
    sys.stdout.write(" ".join(map(str, supervisor.pids())) + "\n")
    sys.stdout.flush()
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

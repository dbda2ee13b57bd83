"""spyne runs the operations, and stays out of everything else."""

import logging
import subprocess
import sys
import threading
import time

import pytest

from gateway import names
from gateway.errors import GatewayError, NotFound, SchemaInvalid, SecurityRefusal, UnknownMessage
from gateway.transport import Host
from gateway.transport.host import _Server
from gateway.values import Operation, Service, SetKey, Step


def service(module: str, role: str, *operations: str) -> Service:
    namespace = names.set_namespace(module, "1.0")
    return Service(
        path=f"/soap/{module}/1.0/{role}", key=SetKey(module=module, version="1.0"), role=None,
        operations={
            names.action(namespace, name): Operation(
                name=name, namespace=namespace, action=names.action(namespace, name), step=Step.RECORD)
            for name in operations
        })


SERVICES = {s.path: s for s in (
    service("schuldregeling", "shv", "Kennisgeving", "SaldoVerzoek"),
    service("schuldregeling", "se", "SaldoVerzoekAntwoord"),
    service("budgetbeheer", "shv", "Kennisgeving"),
)}
SHV = "/soap/schuldregeling/1.0/shv"


def test_each_service_is_a_spyne_application_with_a_method_per_operation() -> None:
    host = Host(SERVICES)
    servers = host._servers
    assert set(servers) == set(SERVICES)
    for path, server in servers.items():
        assert isinstance(server, _Server)
        (kind,) = server.app.services
        assert set(kind.public_methods) == {operation.name for operation in SERVICES[path].operations.values()}
        assert server.app.tns == next(iter(SERVICES[path].operations.values())).namespace


def test_the_work_is_done_inside_the_spyne_method_and_its_octets_come_back() -> None:
    host = Host(SERVICES)
    stacks: list[list[str]] = []

    def work() -> bytes:
        frame, stack = sys._getframe(), []
        while frame is not None:
            stack.append(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")
            frame = frame.f_back  # type: ignore[assignment]
        stacks.append(stack)
        return b"<finished \xff/>"

    assert host.dispatch(SHV, "SaldoVerzoek", work) == b"<finished \xff/>"
    assert "spyne.application.process_request" in stacks[0]
    assert len(stacks) == 1


def test_every_operation_of_every_service_can_be_dispatched() -> None:
    host = Host(SERVICES)
    for path, one in SERVICES.items():
        for operation in one.operations.values():
            assert host.dispatch(path, operation.name, operation.name.encode) == operation.name.encode()
    assert host.dispatch(SHV, "Kennisgeving", lambda: b"") == b""


def test_unknown_service_and_operation_are_refused_without_work() -> None:
    host = Host(SERVICES)
    with pytest.raises(NotFound):
        host.dispatch("/soap/schuldregeling/1.0/nee", "Kennisgeving", lambda: b"x")
    with pytest.raises(UnknownMessage):
        host.dispatch(SHV, "SaldoVerzoekAntwoord", lambda: b"x")


@pytest.mark.parametrize("error", [SecurityRefusal("reden"), SchemaInvalid(()), ValueError("x"), KeyboardInterrupt()])
def test_exceptions_come_out_unchanged_and_unlogged(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    host = Host(SERVICES)

    def work() -> bytes:
        raise error

    with caplog.at_level(logging.DEBUG), pytest.raises(type(error)) as seen:
        host.dispatch(SHV, "Kennisgeving", work)
    assert seen.value is error
    assert not [record for record in caplog.records if record.name.startswith("spyne")]


def test_a_spyne_fault_raised_by_work_is_not_answered_by_spyne() -> None:
    from spyne.error import Fault

    def work() -> bytes:
        raise fault

    fault = Fault("Client", "x")
    with pytest.raises(Fault) as seen:
        Host(SERVICES).dispatch(SHV, "Kennisgeving", work)
    assert seen.value is fault


def test_threads_do_not_mix_their_answers() -> None:
    host = Host(SERVICES)
    wrong: list[object] = []

    def caller(number: int) -> None:
        for turn in range(200):
            octets = b"%d-%d" % (number, turn)
            try:
                if turn % 5:
                    if host.dispatch(SHV, "Kennisgeving", lambda octets=octets: octets) != octets:  # type: ignore[misc]
                        wrong.append(octets)
                else:
                    host.dispatch(SHV, "SaldoVerzoek", lambda octets=octets: fail(octets))  # type: ignore[misc]
                    wrong.append(octets)
            except GatewayError as error:
                if error.detail != octets.decode():
                    wrong.append(error)

    def fail(octets: bytes) -> bytes:
        raise SecurityRefusal(octets.decode())

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_call_costs_microseconds() -> None:
    host = Host(SERVICES)
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(200):
            host.dispatch(SHV, "Kennisgeving", lambda: b"x")
        best = min(best, (time.perf_counter() - began) / 200)
    assert best < 0.001  # measured 26 µs; the bound only catches a change of order


def test_spyne_imports_quietly_and_leaves_no_import_hook() -> None:
    code = (
        "import sys, logging; logging.basicConfig(level=0)\n"
        "import gateway.transport.spyne_import as s\n"
        "assert s.Application and not [h for h in sys.meta_path if 'spyne' in type(h).__module__]\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")

"""Each primitive of the ceiling alone: what nobody who does this work can do without, in this run, on this machine.

Figures of a step are of the step alone: what it works on was made before. Of TLS and HTTP the hub's half is measured.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.ceiling import Ceiling
from benchmarks.measure import Figures, in_turn
from benchmarks.rows import FileRows, Row, Rows
from benchmarks.wire import Wire, http_parse, http_request
from benchmarks.world import P256, RSA, RSA3072, Peers, World
from gateway.app.instance import new_id
from gateway.values import Received

_SHARING = 8  # messages to a commit, where eight threads share it


@dataclass(frozen=True, kw_only=True)
class Step:
    """One primitive."""

    primitive: str
    of: str  # size of the message, or kind of key or of handshake
    work: Callable[[], object]
    messages: int = 1  # that one call is for


def measure_primitives(hub: World, *, rounds: int = 9, per_round: int = 60) -> list[dict[str, object]]:
    """A row per primitive and size or kind: microseconds per message. `hub` is one with RSA3072."""
    with _steps(hub) as steps:
        found = in_turn({f"{step.primitive}, {step.of}": step.work for step in steps}, rounds=rounds,
                        per_round=per_round)
        return [_row(step, figures) for step, figures in zip(steps, found.values(), strict=True)]


def wire_us(hub: Peers, received: Received) -> float:
    """Microseconds that one request on a kept connection costs a listener at least: TLS records and HTTP parse."""
    wire, octets = _wire(hub), http_request(received)
    found = in_turn({"TLS": lambda: wire.records(octets), "HTTP": lambda: http_parse(octets)}, rounds=5, per_round=40)
    return sum(one["p50_us"] for one in found.values())


def handshake_us(hub: Peers, *, resumed: bool) -> float:
    """Microseconds of the hub's half of one handshake."""
    wire = _wire(hub)
    return in_turn({"TLS": lambda: wire.handshake(resumed=resumed)}, rounds=2, per_round=20)["TLS"]["p50_us"]


def _wire(hub: Peers) -> Wire:
    return Wire(hub.instance.settings, hub.instance.party_tls(hub.instance.resolve("gemeente")))


def _row(step: Step, figures: Figures) -> dict[str, object]:
    return {"primitive": step.primitive, "of": step.of,
            **{name: figure / step.messages for name, figure in figures.items()}}


@contextmanager
def _steps(hub: World) -> Iterator[list[Step]]:
    with ExitStack() as stack:
        wire, schema = _wire(hub), hub.schema("schuldregeling", "2.0")
        rows = {kind: FileRows(hub.instance.folder / kind) for kind in (RSA, RSA3072, P256)}
        tops = {kind: stack.enter_context(closing(Ceiling(rows[kind], schema, hub.signing("hub", kind))))
                for kind in rows}
        sizes = {"6 KB": hub.lean([new_id()])[0], "60 KB": hub.questions([new_id()], 500)[0]}
        steps = [step for size, received in sizes.items()
                 for step in _of_size(tops[RSA], rows[RSA], wire, received, size)]
        steps += [step for kind, top in tops.items() for step in _of_key(hub, top, kind)]
        yield steps + [Step(primitive="TLS handshake", of=of, work=partial(wire.handshake, resumed=of == "resumed"))
                       for of in ("full", "resumed")]


def _of_size(top: Ceiling, rows: Rows, wire: Wire, received: Received, size: str) -> list[Step]:
    root = top.parse(received.octets)
    signature, octets = top.signature(root), http_request(received)

    def share() -> None:
        rows.commit([Row(new_id(), received.octets) for _ in range(_SHARING)])

    works: dict[str, Callable[[], object]] = {
        "parse": lambda: top.parse(received.octets),
        "C14N and digests": lambda: top.digests(root, signature),
        "XSD": lambda: top.valid(root),
        "answer's digests": lambda: top.answer(signature, "x"),
        "durable commit, alone": lambda: top.keep(new_id(), received.octets),
        "TLS records": lambda: wire.records(octets),
        "HTTP parse": lambda: http_parse(octets),
    }
    made = [Step(primitive=name, of=size, work=work) for name, work in works.items()]
    return [*made, Step(primitive=f"durable commit, share of {_SHARING}", of=size, work=share, messages=_SHARING)]


def _of_key(hub: World, top: Ceiling, kind: str) -> list[Step]:
    root = top.parse(hub.lean([new_id()], kind)[0].octets)
    signature = top.signature(root)
    parts = top.answer(signature, "x")
    return [Step(primitive="verify", of=kind, work=lambda: top.holds(root, signature)),
            Step(primitive="sign", of=kind, work=lambda: top.sign(parts))]

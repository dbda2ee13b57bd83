"""The figures of a run as tables: the same rows for the terminal and for docs/performance.md."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Cell = Callable[[Row], str]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One table."""

    name: str  # of the block of the page
    section: str  # of the run
    rows: Callable[[Any], Iterable[Row]]  # of what the section measured
    columns: Mapping[str, Cell]


def number(value: object, digits: int = 3) -> str:
    """As many digits as a figure of this kind is worth."""
    if not isinstance(value, int | float):
        return "–"
    if value >= 10 ** (digits - 1) or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.{max(0, digits - 1 - (value >= 10))}f}"


def figure(name: str, scale: float = 1.0) -> Cell:
    """A column of numbers; `scale` turns microseconds into milliseconds."""
    return lambda row: number(row[name] * scale) if isinstance(row.get(name), int | float) else "–"


def word(name: str) -> Cell:
    return lambda row: f"{row[name]:,}" if isinstance(row[name], int) else str(row[name])


_SPREAD = {"median µs": figure("p50_us"), "p95": figure("p95_us"), "p99": figure("p99_us")}
_MILLISECONDS = {"median ms": figure("p50_us", 1e-3), "p95": figure("p95_us", 1e-3), "p99": figure("p99_us", 1e-3)}
_LINE = {
    "measure": word("measure"), "octets": word("octets"), "key": word("key"), "threads": word("threads"),
    "ceiling µs": figure("ceiling_us"), "ours µs": figure("ours_us"), "of the ceiling": figure("ratio"),
    "… of processor": figure("ratio_cpu"), "per s": figure("per_second"), "per core s": figure("per_core_second"),
    **_SPREAD,
}
_NETWORK = {
    "workers": word("workers"), "connections": word("connections"),
    "kind": lambda row: f"resumed ({row['resumed']:.0%})" if row["kind"] == "resumed" else str(row["kind"]),
    "key": word("key"), "per s": figure("per_second"), **_MILLISECONDS, "hub's processor µs": figure("hub_cpu_us"),
    "client's": figure("client_cpu_us"), "ceiling's": figure("ceiling_cpu_us"), "of the ceiling": figure("ratio"),
    "… of processor": figure("ratio_cpu"),
}


def _verdict(row: Row) -> str:
    return {True: "yes", False: "**no**", None: "not measured"}[row["met"]]


def _memory(rows: Iterable[Row]) -> list[Row]:
    """One row per number of workers: the memory of a worker stands in each of its loads."""
    return list({row["workers"]: row for row in rows}.values())


def _times(name: str) -> Cell:
    return lambda row: f"{number(row[name])}×" if name in row else f"left out; {row['missing']}"


TABLES = (
    Shown(name="targets", section="targets", rows=lambda found: found, columns={
        "target": word("measure"), "wanted": lambda row: f"{row['target']}{row['unit']}",
        "found": lambda row: "–" if row["found"] is None else f"{number(row['found'])}{row['unit']}", "met": _verdict}),
    Shown(name="ceiling", section="ceiling", rows=lambda found: found, columns={
        "primitive": word("primitive"), "of": word("of"), **_SPREAD}),
    Shown(name="way-in", section="way-in", rows=lambda found: found, columns=_LINE),
    Shown(name="mailbox", section="mailbox", rows=lambda found: found, columns=_LINE),
    Shown(name="push", section="push", rows=lambda found: found, columns={
        "measure": word("measure"), "per s": figure("per_second"), **_MILLISECONDS,
        "hub's processor µs": figure("hub_cpu_us"), "ceiling's": figure("ceiling_cpu_us"),
        "… of processor": figure("ratio_cpu"), "per s beside trouble": figure("per_second_beside_trouble"),
        "of the rate without": figure("beside_trouble")}),
    Shown(name="network", section="network", rows=lambda found: found, columns=_NETWORK),
    Shown(name="memory", section="network", rows=_memory, columns={
        "workers": word("workers"), "PSS of a worker, MB": figure("pss_mb"), "RSS": figure("rss_mb"),
        "PSS after the load": figure("pss_loaded_mb"), "RSS after it": figure("rss_loaded_mb")}),
    Shown(name="growth", section="growth", rows=lambda found: found["steps"], columns={
        "step": word("step"), "entries": word("entries"), "waiting, of each of two parties": word("waiting"), **_SPREAD,
        "over the smallest": figure("growth")}),
    Shown(name="growth-memory", section="growth", rows=lambda found: found["memory"], columns={
        "entries": word("entries"), "waiting": word("waiting"), "PSS of a hub, MB": figure("pss_mb"),
        "RSS": figure("rss_mb")}),
    Shown(name="start", section="start", rows=lambda found: found, columns={
        "workers": word("workers"), "message sets": word("sets"), "runs": word("runs"),
        "median s": figure("seconds"), "least": figure("least_seconds"), "most": figure("most_seconds"),
        "the first of all": figure("first_seconds")}),
    Shown(name="postgres", section="postgres", rows=lambda found: found["line"], columns=_LINE),
    Shown(name="postgres-network", section="postgres", rows=lambda found: found["network"], columns=_NETWORK),
    Shown(name="attachments", section="attachments", rows=lambda found: found, columns={
        "files": word("files"), "octets of each": word("file_octets"), "in, s": figure("in_seconds"),
        "hub's processor, s": figure("in_hub_cpu_seconds"), "out, s": figure("out_seconds"),
        "hub's processor out, s": figure("out_hub_cpu_seconds"), "memory above idle, MB": figure("memory_mb"),
        "over the in-line cap": figure("memory_over_cap")}),
    Shown(name="stacks", section="stacks", rows=lambda found: found, columns={
        "stack": word("stack"), "version": lambda row: str(row.get("version", "–")),
        "verify, median µs": figure("verify_p50_us"), "p95": figure("verify_p95_us"), "p99": figure("verify_p99_us"),
        "over the gateway": _times("verify_times"), "sign, median µs": figure("sign_p50_us"),
        "p95 of sign": figure("sign_p95_us"), "p99 of sign": figure("sign_p99_us"),
        "sign over the gateway": _times("sign_times")}),
)


def cells(shown: Shown, found: Any) -> list[list[str]]:
    """The head and the rows of a table."""
    return [list(shown.columns), *([cell(row) for cell in shown.columns.values()] for row in shown.rows(found))]

"""The targets of the design, and whether a run met them. Each is judged by the figures of one run, on one machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Any]  # what the sections measured, by their names

FLAT = 1.2  # a cost has grown when the largest store takes a fifth more than the smallest


@dataclass(frozen=True, kw_only=True)
class Target:
    """One line of the design's table. `most` and `least` bound it; `found` raises LookupError when not measured."""

    measure: str
    unit: str
    found: Callable[[Found], float]
    least: float | None = None
    most: float | None = None

    def judged(self, sections: Found) -> dict[str, object]:
        """`met` is None where it was not measured."""
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        try:
            value = self.found(sections)
        except LookupError:
            return {"measure": self.measure, "target": bound, "unit": self.unit, "found": None, "met": None}
        met = value >= self.least if self.least is not None else value <= (self.most or 0)
        return {"measure": self.measure, "target": bound, "unit": self.unit, "found": value, "met": met}


def judge(sections: Found) -> list[dict[str, object]]:
    """Every target in turn."""
    return [one.judged(sections) for one in TARGETS]


def _row(sections: Found, section: str, **wanted: object) -> Mapping[str, Any]:
    """The one row with these values. Raises LookupError."""
    for row in sections[section]:
        if all(row.get(name) == value for name, value in wanted.items()):
            return dict(row)
    raise LookupError(section)


def _way_in(sections: Found, figure: str, *, size: str = "6 KB", threads: int = 8) -> float:
    row = _row(sections, "way-in", measure=f"way in, {size}", key="RSA-2048", threads=threads)
    return float(row[figure])


def _end_to_end(sections: Found, figure: str) -> float:
    row = _row(sections, "network", connections=32, workers=2, kind="kept", key="RSA-2048")
    return float(row[figure])


def _grown(sections: Found) -> float:
    """The step that grew most, on the largest store."""
    rows = sections["growth"]["steps"]
    largest = max(row["entries"] for row in rows)
    return max(float(row["growth"]) for row in rows if row["entries"] == largest)


def _memory_grown(sections: Found) -> float:
    rows = sorted(sections["growth"]["memory"], key=lambda row: row["entries"])
    return float(rows[-1]["pss_mb"]) / float(rows[0]["pss_mb"])


def _signing(sections: Found) -> float:
    rsa, ecdsa = (_row(sections, "ceiling", primitive="sign", of=key) for key in ("RSA-2048", "P-256"))
    return float(rsa["p50_us"]) / float(ecdsa["p50_us"])


TARGETS = (
    Target(measure="way in, 6 KB, RSA-2048, one thread: of the ceiling", unit="", least=0.75,
           found=lambda found: _way_in(found, "ratio", threads=1)),
    Target(measure="way in, 6 KB, RSA-2048, eight threads that share commits: of the ceiling", unit="", least=0.75,
           found=lambda found: _way_in(found, "ratio")),
    Target(measure="way in, 6 KB, RSA-2048, eight threads: messages per second of one core", unit="/s", least=1_000,
           found=lambda found: _way_in(found, "per_core_second")),
    Target(measure="way in, 60 KB, RSA-2048, eight threads: messages per second of one core", unit="/s", least=350,
           found=lambda found: _way_in(found, "per_core_second", size="60 KB")),
    Target(measure="end to end, 32 kept connections, two workers: messages per second", unit="/s", least=600,
           found=lambda found: _end_to_end(found, "per_second")),
    Target(measure="end to end, 32 kept connections, two workers: p99", unit=" ms", most=100,
           found=lambda found: _end_to_end(found, "p99_us") / 1e3),
    Target(measure="growth, 10³ to 10⁶ entries: the step that grew most", unit="×", most=FLAT, found=_grown),
    Target(measure="growth, 10³ to 10⁶ entries: memory of a hub", unit="×", most=FLAT, found=_memory_grown),
    Target(measure="attachments, 5 of 20 MB: memory over the in-line cap", unit="×", most=3,
           found=lambda found: float(found["attachments"][-1]["memory_over_cap"])),
    Target(measure="start, one worker, all message sets: seconds until ready", unit=" s", most=2,
           found=lambda found: float(_row(found, "start", workers=1)["seconds"])),
    Target(measure="answering in P-256: how many times cheaper the signature is than RSA-2048's", unit="×", least=8,
           found=_signing),
)

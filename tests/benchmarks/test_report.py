"""The report of `make bench`: its targets, its tables, its page."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.page import PAGE, blocks_of, written
from benchmarks.sections import SECTIONS
from benchmarks.tables import TABLES, cells, number
from benchmarks.targets import TARGETS, judge

MACHINE = {
    "at": "2026-11-24T12:00:00+00:00", "commit": "abc", "processor": "P", "cores": 2, "memory_gb": 8.0, "system": "S",
    "python": "3.11.7", "openssl_tls": "O", "openssl_signatures": "O", "libxml2": "2", "sqlite": "3", "quiet": True,
    "busy": 0.0}


def end_to_end(rate: float, p99: float) -> dict[str, object]:
    return {"connections": 32, "workers": 2, "kind": "kept", "key": "RSA-2048", "per_second": rate, "p99_us": p99}


def met(sections: dict[str, object]) -> dict[str, object]:
    return {str(row["measure"]): row["met"] for row in judge(sections)}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert set(met({}).values()) == {None}
    assert len(met({})) == len(TARGETS)


def test_a_target_is_judged_by_its_bound() -> None:
    for rate, p99, verdicts in ((600, 100_000, [True, True]), (599, 100_001, [False, False])):
        found = met({"network": [end_to_end(rate, p99)]})
        assert [verdict for verdict in found.values() if verdict is not None] == verdicts


def test_growth_is_that_of_the_step_that_grew_most() -> None:
    def steps(*last: float) -> dict[str, object]:
        rows = [{"entries": 10, "growth": 9.0}, *({"entries": 1_000, "growth": one} for one in last)]
        memory = [{"entries": 10, "pss_mb": 100.0}, {"entries": 1_000, "pss_mb": 119.0}]
        return {"growth": {"memory": memory, "steps": rows}}

    assert [one for one in met(steps(1.0, 1.2)).values() if one is not None] == [True, True]
    assert [one for one in met(steps(1.0, 1.3)).values() if one is not None] == [False, True]


def test_every_section_has_a_table_and_every_table_a_block_of_the_page() -> None:
    names = {section.name for section in SECTIONS}
    assert {shown.section for shown in TABLES} == names | {"targets"}
    blocks = blocks_of(PAGE.read_text("utf-8"))
    assert sorted(blocks) == sorted(["machine", *(shown.name for shown in TABLES)])
    page = PAGE.read_text("utf-8")
    assert all(f"`{name}`" in page for name in names)


def test_the_page_is_written_from_the_report() -> None:
    row = {"primitive": "parse", "of": "6 KB", "p50_us": 41.26, "p95_us": 50.0, "p99_us": 1_234.5}
    report = {"machine": MACHINE, "targets": judge({}), "sections": {"ceiling": [row]},
              "runs": {"ceiling": {"at": MACHINE["at"], "commit": "abc"}, "postgres": {"skipped": "not installed"}}}
    page = written(PAGE.read_text("utf-8"), report)
    assert "| parse | 6 KB | 41.3 | 50.0 | 1,234 |" in page
    assert "Not measured: not installed" in page
    assert "commit `abc`, on P, 2 cores" in page
    assert written(page, report) == page


def test_a_section_of_an_earlier_run_says_so() -> None:
    report = {"machine": MACHINE, "targets": judge({}), "sections": {"start": []},
              "runs": {"start": {"at": "2026-11-23T12:00:00+00:00", "commit": "older"}}}
    assert "Of another run: 2026-11-23T12:00:00+00:00, commit `older`." in written(PAGE.read_text("utf-8"), report)


def test_a_table_says_what_a_missing_stack_needs() -> None:
    stacks = next(shown for shown in TABLES if shown.name == "stacks")
    _, row = cells(stacks, [{"stack": "X", "missing": "apt-get install x"}])
    assert row[0] == "X"
    assert "left out; apt-get install x" in row


def test_numbers_have_as_many_digits_as_they_are_worth() -> None:
    assert [number(one) for one in (0.123, 1.5, 12.345, 123.4, 12_345.6, 7, None)] == [
        "0.12", "1.50", "12.3", "123", "12,346", "7", "–"]


def test_an_unknown_section_is_refused_with_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--only", "way-in,nothing", "--out", str(tmp_path / "x.json")])
    assert end.value.code == 2
    assert "there is no section nothing" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


def test_the_report_of_a_run_can_be_kept_as_json() -> None:
    assert json.loads(json.dumps(judge({"network": [end_to_end(700, 50_000)]})))

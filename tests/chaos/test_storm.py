"""A short storm over one node on SQLite, as `make chaos` makes long ones; and what a plan promises."""

import subprocess
from pathlib import Path

from tests.chaos.plan import KILLS, plan_acts, whims
from tests.chaos.run import Storm, run


def test_a_seed_gives_the_same_plan_again() -> None:
    given = {"seconds": 600.0, "kills": 50, "nodes": 3, "workers": 2, "database": True}
    acts = plan_acts(7, **given)
    assert acts == plan_acts(7, **given) != plan_acts(8, **given)
    assert sum(act.kill for act in acts) == 50
    assert {act.what for act in acts} >= set(KILLS)
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    assert all(0 < act.at < 600 for act in acts)
    assert whims(7, "x", 1, think=1.0) == whims(7, "x", 1, think=1.0)


def test_a_hub_on_one_file_keeps_its_promise_in_a_short_storm(template: Path, tmp_path: Path) -> None:
    storm = Storm(seed=20261124, seconds=5, kills=3, workers=1, counsellors=1, push=())
    outcome = run(storm, tmp_path / "run", template=template)
    assert outcome.violations == []
    assert outcome.figures["kills"] == 3
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert left == ""

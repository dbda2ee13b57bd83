"""docs/new-message-set.md, followed to the letter in a copy of the repository until a message of the new set goes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.messagesets import load_catalog
from gateway.values import SetKey

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "new-message-set.md").read_text("utf-8")
STEP = re.compile(
    r"(?:^(?P<said>(?:In|Write) `[^\n]*):\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE = re.compile(r"Write `([^`]+)`")
INSERT = re.compile(r"In `([^`]+)`, above the line `([^`]+)`, add")
COPIED = ("gateway", "tests", "xsd", "wsdl", "pyproject.toml", "setup.cfg")
PATIENCE_SECONDS = 180


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository as far as the page needs it, and a `gateway` command that runs the copy."""
    for name in COPIED:
        there = tmp_path / "repository" / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("*.pyc.*"))  # of who writes one now
        else:
            shutil.copy(ROOT / name, there)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, words in (("gateway", "-m gateway"), ("python", "")):
        (bin_folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        (bin_folder / name).chmod(0o755)
    return tmp_path / "repository"


def run(script: str, copy: Path) -> str:
    """One block of the page in a shell of its own that stops at the first failure; what it said."""
    path = f"{copy.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shell = subprocess.Popen(
        ["sh", "-eu"], cwd=copy, env={**environment, "PATH": path, "COLUMNS": "200"}, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = shell.communicate(script, timeout=PATIENCE_SECONDS)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, 9)
            shell.wait()
    assert shell.returncode == 0, f"{script}\n{said}"
    return said


def follow(step: re.Match[str], copy: Path) -> str:
    """Do what one step says: write a file, add to one, or run commands; what the commands said."""
    said, text = step["said"] or "", step["text"]
    if step["kind"] == "sh":
        assert not said
        return run(text, copy)
    if written := WRITE.fullmatch(said):
        file = copy / written[1]
        assert not file.exists()
        file.write_text(text, "utf-8")
        return ""
    inserted = INSERT.fullmatch(said)
    assert inserted, f"nothing says what to do with this block:\n{text}"
    file = copy / inserted[1]
    before, line, after = file.read_text("utf-8").partition(f"\n{inserted[2]}\n")
    assert line, f"{file} has no line {inserted[2]}"
    file.write_text(f"{before}\n{text}{line[1:]}{after}", "utf-8")
    return ""


def test_the_page_leads_to_an_accepted_message_of_a_new_module(copy: Path) -> None:
    steps = list(STEP.finditer(PAGE))
    assert len(steps) == PAGE.count("\n```") // 2
    said = [follow(step, copy) for step in steps]
    made = load_catalog(copy / "xsd").sets[SetKey(module="proefmodule", version="1.0")]
    assert "Herinnering" in made.messages
    assert not [path for path in made.folder.rglob("*.*") if "schuldinventarisatie:" in path.read_text("utf-8")]
    (check,) = [text for text in said if "in orde" in text]
    assert "proefmodule" in check
    (tested,) = [text for text in said if re.search(r"\d+ passed", text)]
    assert "failed" not in tested
    sent = said[-1]
    assert sent.count("getekende ontvangstbevestiging gecontroleerd") == 2
    assert "Herinnering" in sent
    assert {path.name for path in (copy / "wsdl" / "proefmodule" / "1.0").iterdir()} == {
        "se-ontvangst.wsdl", "se.wsdl", "shv-ontvangst.wsdl", "shv.wsdl"}


def test_without_its_steps_the_copy_is_refused(copy: Path) -> None:
    """The checks of the page can fail: a copy that is not renamed is no second module."""
    run("cp -R xsd/schuldinventarisatie xsd/proefmodule", copy)
    with pytest.raises(AssertionError, match="proefmodule"):
        run("gateway sets check", copy)

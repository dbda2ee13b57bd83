"""What README.md says is true: its commands exist, its links lead somewhere, its first steps work as written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from gateway.app.sets import catalog_in
from gateway.cli import app as commands
from tests.acceptance.hub import ROOT, Hub

README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(path.relative_to(ROOT) for pattern in ("*.md", "docs/**/*.md", "certs-example/*.md")
               for path in ROOT.glob(pattern))
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def command_lines(text: str) -> list[str]:
    """The indented lines that are commands, without their remarks."""
    lines = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if re.match(r"(gateway|make|\.) ", line)]


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no section {title}"
    return found[1]


def command_path(words: list[str]) -> list[str]:
    """The commands among the words of a line, as far as they are there: `gateway parties plan …` → parties, plan."""
    here, path = typer.main.get_command(commands), []
    for word in words:
        if word not in getattr(here, "commands", {}):
            break
        here = here.commands[word]
        path.append(word)
    assert path, f"there is no command gateway {' '.join(words)}"
    assert not hasattr(here, "commands"), f"gateway {' '.join(path)} is a group; which command is meant?"
    return path


def test_the_commands_of_the_readme_exist():
    told = [line for line in command_lines(README) + CODE.findall(README) if line.startswith("gateway ")]
    assert len(told) >= 6
    for line in told:
        words = shlex.split(line)[1:]
        path = command_path(words)
        command = typer.main.get_command(commands)
        for word in path:
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_make_targets_exist(page):
    text = (ROOT / page).read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = {line.split()[1] for line in command_lines(text) + CODE.findall(text) if line.startswith("make ")}
    assert told <= targets
    if page == Path("README.md"):
        assert {"demo", "test"} <= told


def test_make_understands_them():
    for target in ("help", "demo", "test", "lint"):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
    helped = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "make demo" in helped


def test_the_places_the_readme_names_exist():
    named = [one for one in CODE.findall(README) if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/", one)]
    assert len(named) >= 6
    for one in named:
        assert (ROOT / one).is_dir(), one


def test_the_services_and_operations_the_readme_names_exist():
    services = catalog_in().services
    paths = re.findall(r"(/soap/[\w.-]+/[\d.]+/[\w-]+)`", README)
    assert len(paths) >= 2
    assert set(paths) <= set(services)
    operations = {operation.name for service in services.values() for operation in service.operations.values()}
    told = re.findall(r"`((?:Haal|Bevestig)\w+)`", README)
    assert len(told) >= 3
    assert set(told) <= operations


def test_the_versions_of_python_are_those_of_the_package():
    stated = re.findall(r"3\.\d\d", section("Two commands"))
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "setup.cfg").read_text("utf-8"))
    assert sorted(set(stated)) == classified


def test_the_first_message_works_as_written(tmp_path):
    """In a shell, line by line; only the ports are free ones, as 8443 may be taken on the machine that tests."""
    lines = command_lines(section("A first message"))
    assert lines[0] == ". .venv/bin/activate"  # the tests run in some environment; here it is already active
    assert lines[2] == "gateway serve try"
    for name in ("xsd", "wsdl"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert _shell(lines[1], tmp_path).returncode == 0
    hub = Hub(folder=tmp_path / "try")
    try:
        hub.start()
        told = [_shell(line, tmp_path) for line in lines[3:]]
        assert [(one.returncode, one.stderr) for one in told] == [(0, "")] * len(told)
        sent, listed, got, confirmed = told
        number = shlex.split(lines[-1])[-1]
        assert number in sent.stdout
        assert number in listed.stdout
        assert "Kennisgeving" in got.stdout
        assert number in confirmed.stdout
        again = _shell(lines[3], tmp_path)
        assert (again.returncode, again.stdout) == (0, sent.stdout)  # "the facts of the first receipt"
        assert number not in _shell(lines[4], tmp_path).stdout
        assert hub.stop() == 0
    finally:
        hub.end()


def _shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(["sh", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True,
                          text=True, check=False)

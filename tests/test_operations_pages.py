"""docs/operations.md and the pages below it: what they tell an operator to run, read or set is there."""

import configparser
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from gateway.cli import app as commands
from tests.acceptance.hub import ROOT
from tests.test_docs import page, section, setting_rows, table, words
from tests.test_readme import CODE, command_lines, command_path

PAGES = [ROOT / "docs" / "operations.md", *sorted((ROOT / "docs" / "operations").glob("*.md"))]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_commands_exist_with_their_options_and_what_they_must_be_told(path: Path) -> None:
    text = FENCED.sub("", text_of(path))
    lines = [*command_lines(text), *(one for span in CODE.findall(text) for one in span.split(" && "))]
    told = [line for line in lines if line.startswith("gateway ") and line != "gateway serve"]
    for line in told:
        given = shlex.split(line.replace("…", "").split(" && ")[0])[1:]
        command = typer.main.get_command(commands)
        for word in command_path(given):
            command = command.commands[word]
        options = {option for one in command.params for option in one.opts}
        assert {word for word in given if word.startswith("--")} <= options, line
        if len(given) > len(command_path(given)):  # with arguments: a whole command, to be typed so
            must = [one for one in command.params if one.required and one.param_type_name == "option"]
            assert all(set(one.opts) & set(given) for one in must), line
    assert told or path.name == "sizing.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_settings_series_and_events_are_those_of_the_code(path: Path) -> None:
    spans = set(CODE.findall(text_of(path)))
    settings = {words(row[0])[0] for row in setting_rows()}
    tables = "|".join({key.partition(".")[0] for key in settings})
    named = {span for span in spans if re.fullmatch(rf"({tables})\.[a-z_]+", span)}
    assert named <= settings
    series = {words(row[0])[0].partition("{")[0] for row in table(section(page("operations"), "Metrics"), "series")}
    assert {one for one in spans if re.fullmatch(r"gateway_[a-z_]+", one)} <= series
    events = {one for row in table(section(page("operations"), "Logs"), "event") for one in words(row[0])}
    for told in re.findall(r"\b[Ll]og(?: events)?\s((?:`[a-z-]+`(?:,\s)?)+)", text_of(path)):
        assert set(words(told)) <= events


def test_the_unit_starts_what_there_is() -> None:
    (unit,) = re.findall(r"```ini\n(.*?)```", page("operations"), re.DOTALL)
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit)
    service = parser["Service"]
    for key in ("ExecStartPre", "ExecStart"):
        program, *given = shlex.split(service[key])
        assert program.endswith("/.venv/bin/gateway")
        command = typer.main.get_command(commands).commands[command_path(given)[0]]
        assert {word for word in given if word.startswith("--")} <= {opt for one in command.params for opt in one.opts}
    assert int(service["TimeoutStopSec"]) > 30  # the drain of transport/server.py, as "Start and stop" says

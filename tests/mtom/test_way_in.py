"""A message whose files come apart from it is the same message: receipt, evidence, what is collected, what is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.line import Line, make_line
from tests.packages import RB, File, in_line, petition, post, wrap


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("mtom") / "instance")
    yield made
    made.store.close()


def test_first(line: Line) -> None:
    files = [File(size=700_000), File(size=5)]
    child = petition(files)
    reply = post(line, wrap(line, child, files))
    assert reply.status == 200, reply.octets
    print(line.events)
    again = line.send(in_line(child, files), path=RB)
    assert again.status == 200, again.octets

"""One hub for every explanation: nothing here is sent to it, so nothing changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Pki
from tests.explain.world import World
from tests.line import make_line


@pytest.fixture(scope="session")
def world(template: Path, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    line = make_line(template, tmp_path_factory.mktemp("explain") / "instance")
    yield World(line=line, pki=pki)
    line.store.close()

"""What the commands are tried on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.hub import Hub, fresh_hub
from tests.command import MESSAGE
from tests.postgres.databases import copied


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """An instance no hub serves."""
    return copied(template, tmp_path / "instance")


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that has one message waiting for `energie`; the tests that need more send their own."""
    with fresh_hub(template, tmp_path_factory.mktemp("cli") / "instance") as running:
        running.party("gemeente").send(MESSAGE.read_bytes())
        yield running

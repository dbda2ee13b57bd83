"""A running hub for the tests that only speak to one; those that break it start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.hub import Hub, fresh_hub


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub per module, on a fresh copy of the example world."""
    with fresh_hub(template, tmp_path_factory.mktemp("hub") / "instance") as running:
        yield running

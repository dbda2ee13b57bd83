"""One hub for the fuzz tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.doors import Doors


@pytest.fixture(scope="module")
def doors(template: Path) -> Iterator[Doors]:
    made = Doors(template=template)
    yield made
    made.close()

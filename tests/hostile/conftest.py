"""One hub that is attacked throughout the run: what one attack leaves behind, the next one finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.attack import Canary, Target
from tests.hostile.wire import Wire, listening
from tests.line import make_line


@pytest.fixture(scope="session")
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


@pytest.fixture(scope="session")
def target(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    """The example world."""
    line = make_line(template, tmp_path_factory.mktemp("hostile") / "instance")
    yield Target(line=line, canary=canary)
    line.store.close()


@pytest.fixture(scope="session")
def wire(target: Target) -> Iterator[Wire]:
    """The same hub on a TLS port."""
    with listening(target) as made:
        yield made

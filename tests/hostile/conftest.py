"""One hub that is attacked throughout the run: what one attack leaves behind, the next one finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app.hub import settle
from gateway.app.instance import utc_now
from tests.hostile.attack import Target
from tests.hostile.watch import WATCH, Canary
from tests.hostile.wire import Wire, listening
from tests.line import make_line


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What measures megabytes comes first, in a process as young as a hub's. That of a long test run has a heap of a
    gigabyte with holes, from which a large block is taken, filled (settle) and copied as it grows: up to a third more.
    """
    items.sort(key=lambda item: item.path.name != "test_parser_and_resources.py")


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    """No test of an attack looks anything up, or calls anyone but this machine."""
    WATCH.on = True
    yield
    WATCH.on = False


@pytest.fixture(scope="session")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    made = Canary(tmp_path_factory.mktemp("canary"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def target(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    """The example world."""
    line = make_line(template, tmp_path_factory.mktemp("hostile") / "instance")
    made = Target(line=line, canary=canary)
    settle()  # as a hub that serves
    made.warm_up()
    yield made
    made.close()


@pytest.fixture(scope="session")
def listener(target: Target) -> Iterator[Wire]:
    with listening(target) as made:
        yield made


@pytest.fixture
def wire(listener: Wire) -> Wire:
    """The same hub on a TLS port, where it is now; the line's own clock is set to it."""
    listener.target.line.at = utc_now()
    return listener


@pytest.fixture
def fresh(template: Path, tmp_path: Path, canary: Canary) -> Iterator[Target]:
    """A hub of one's own, whose clock and files may be changed."""
    line = make_line(template, tmp_path / "instance")
    made = Target(line=line, canary=canary)
    yield made
    made.close()

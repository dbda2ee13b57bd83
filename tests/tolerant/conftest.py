"""One hub that is spoken to in every accent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.attack import Target
from tests.hostile.watch import Canary
from tests.line import edit_parties, make_line
from tests.tolerant.accepting import Host


@pytest.fixture(scope="session")
def host(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    canary = Canary(tmp_path_factory.mktemp("canary"))
    line = make_line(template, tmp_path_factory.mktemp("tolerant") / "instance",
                     change=lambda folder: edit_parties(folder, gemeente={"agreements": frozenset({"rsa-pss"})}))
    target = Target(line=line, canary=canary)
    yield Host(target=target)
    target.close()
    canary.close()

"""A receiving service on a copy of the example world."""

from pathlib import Path

import pytest

from tests.receiving import Receiving, make_receiving


@pytest.fixture
def service(template: Path, tmp_path: Path) -> Receiving:
    """That of the creditor `energie`."""
    return make_receiving(template, tmp_path / "instance", "energie")

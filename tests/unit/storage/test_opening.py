"""Opening a store whose database goes away meanwhile."""

import sqlite3
from pathlib import Path
from unittest.mock import patch

import pytest

from gateway.errors import Misconfigured
from gateway.storage import open_store, upgrade
from gateway.storage._sqlite import Sqlite


def test_a_database_that_goes_away_while_it_is_opened_is_told_with_a_remedy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    upgrade(url)
    connect, asked = Sqlite.connect, 0

    def once(self: Sqlite) -> object:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise sqlite3.OperationalError("gone")
        return connect(self)

    with patch.object(Sqlite, "connect", once), pytest.raises(Misconfigured, match="once its database is up"):
        open_store(url)
    assert asked > 1
    open_store(url).close()

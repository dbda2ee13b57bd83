"""A copy of the database while others write: one moment of it, in one file, checked before it gets its name."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.database import Database
from gateway.errors import Misconfigured, StorageError
from gateway.storage._sqlite import Sqlite

_PAGES: Final = 2048  # per step, 8 MB; between steps the progress is told


def backup(database: Database, target: Path, progress: Callable[[int, int], None]) -> int:
    """Copy an SQLite database; the octets of the copy. `progress` is told pages done, and pages in all.

    One read transaction spans the copy: writers go on and it need not begin again, however many they are; the log
    grows meanwhile. The copy is whole and synced when `target` appears, and readable by its owner only.
    Raises Misconfigured: another engine, or a target that is there or can't be made; StorageError.
    """
    if database.on_postgres:
        raise Misconfigured("PostgreSQL is copied with its own tools: pg_basebackup and its log; "
                            "see docs/operations/backup.md")
    engine = Sqlite(database)
    engine.require()
    draft = target.with_name(target.name + ".part")
    try:
        for path in (target, draft):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            if path is target:
                path.unlink()  # its name is free and can be made; it appears when all is there
        _copy(engine.path, draft, progress)
        with draft.open("rb") as handle:
            os.fsync(handle.fileno())
        os.link(draft, target)
        draft.unlink()
    except FileExistsError as error:
        raise Misconfigured(f"{error.filename} is there already; remedy: another name for each copy") from error
    except OSError as error:
        raise Misconfigured(f"{target} can't be written: {error.strerror}") from error
    return target.stat().st_size


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Raises StorageError, after which nothing of the copy is left."""
    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as origin, \
                closing(sqlite3.connect(target, isolation_level=None)) as copy:
            origin.execute("BEGIN")
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from now on it is this moment
            origin.backup(copy, pages=_PAGES, progress=lambda status, left, total: progress(total - left, total))
            origin.execute("COMMIT")
            copy.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, without a log beside it
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StorageError("the copy is damaged, so the database is; restore an earlier copy")
    except (sqlite3.Error, StorageError) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"the database could not be copied: {type(error).__name__}") from error

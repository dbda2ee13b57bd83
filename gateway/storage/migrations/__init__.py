"""Bringing a database to this code's tables. Alembic is imported when asked for, not when the gateway starts.

There is no ini file: the configuration is made here, and env.py gets a connection that the engine opened, so that a
new database is made with the same settings it will run with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import Database
from gateway.errors import StorageError
from gateway.storage.databases import engine_of

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent


def upgrade(where: str | Database) -> str:
    """Bring the database to the newest revision, making it when it is not there; that revision.

    One transaction: on an error nothing has changed. Raises StorageError, Misconfigured.
    """
    from alembic import command

    with _connected(where) as connection:
        command.upgrade(_config(connection), "head")
    engine = engine_of(where)
    try:
        engine.maintain(None)
    except engine.error as cause:
        raise StorageError(f"the database could not be made ready: {type(cause).__name__}") from cause
    return head()


def current(where: str | Database) -> str | None:
    """The revision the database is at; None for one without tables. Raises StorageError, Misconfigured."""
    from alembic.migration import MigrationContext

    with _connected(where) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision there is; tables.REVISION is the same (a test holds them equal)."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def _config(connection: Connection | None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connected(where: str | Database) -> Iterator[Connection]:
    """A connection inside one transaction that may write: two upgrades at once take turns."""
    ours = engine_of(where)
    kind = f"{ours.dialect.name}+{ours.dialect.driver}://"
    engine = create_engine(kind, creator=ours.connect_plain, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            for statement in ours.begin_upgrade:
                connection.exec_driver_sql(statement)
            yield connection
            connection.commit()
    except (SQLAlchemyError, ours.error) as cause:
        raise StorageError(f"the database could not be opened or upgraded: {type(cause).__name__}") from cause

"""Which database the store is, and how long it is waited for. Read by settings, used by the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

POSTGRES: Final = "postgresql+psycopg://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A url without a secret in it, and the bounds of its connections. All but `url` count on a server only."""

    url: str  # sqlite:///path, or postgresql+psycopg://user@host,host/name?parameters-of-libpq
    password_file: Path | None = None  # its first line; None: libpq's own ways (PGPASSFILE, a certificate, peer)
    pool: int = 8  # read connections of one process; it writes with one more
    retry_seconds: int = 20  # how long a transaction is tried again while the database changes hands
    statement_seconds: int = 30
    lock_seconds: int = 5  # shorter: what waits for a lock is tried again as a whole

    @property
    def on_postgres(self) -> bool:
        return self.url.startswith(POSTGRES)

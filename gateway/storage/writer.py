"""One writer at a time per process: works from many threads share one commit.

A durable commit costs a disk a millisecond or so, whatever is in it. So whoever finds nobody writing leads: it takes
what waits (up to a limit, and without waiting for more), runs each work so that it can be undone alone, commits once,
tells the others, and hands the lead to the first of those who came meanwhile. No thread of its own: a lone work runs
where its caller stands, and pays for no switch of threads.

- Nobody hears of a result before the commit that makes it durable.
- A work that raises is undone alone; the others of its batch stand. Who raises before it wrote has nothing to undo, and
  that is nearly every refusal. So a batch first runs without savepoints, for which SQLite would copy each page that a
  work changes; if one raised after it wrote, it is undone as a whole and runs again, each work behind a savepoint.
- A commit that fails, fails every work of its batch, also those that had raised: what they saw was never true.
- Where several may write (databases.Fate), a batch that lost a lock or its connection runs again as a whole, for a
  bounded time; so does one work that found another writer's row in its way, and then sees it.
- When a connection is lost in COMMIT nobody knows what came of it. The chain does: the batch was durable if, and only
  if, the entry that it ended with has the hash that it would have. So works that journal are never done twice; a work
  that journals nothing may be, and must bear that.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final, Generic, TypeVar, cast

from gateway.errors import Draining, GatewayError, Overloaded, StorageError
from gateway.storage.chain import Chain
from gateway.storage.databases import Companion, Connection, Engine, Fate
from gateway.storage.session import Adding, Cursor, Query, Session, Statements

T = TypeVar("T")

_CLOSING_PAUSE: Final = 0.002  # seconds between two looks whether the last batch is through
_FIRST_PAUSE: Final = 0.01  # seconds before a batch runs again; doubled each time,
_LONGEST_PAUSE: Final = 0.5  # up to this
_CLASHES: Final = 5  # of one batch in a row: more is no accident


class Write(Session):
    """The session of a work that writes, with the end of the journal."""

    __slots__ = ("_guard", "chain", "wrote")

    def __init__(self, cursor: Cursor, statements: Statements, node: str, guard: Query | None = None) -> None:
        super().__init__(cursor, statements)
        self._guard = guard
        self.wrote = False  # has anything been changed?
        self.chain = Chain(self, node)

    def _execute(self, query: Query, values: dict[str, object]) -> None:
        statement = self._statements.of(query)
        self.wrote |= statement.writes
        self._cursor.execute(statement.sql, statement.arguments(values))

    def add(self, query: Adding, /, **values: object) -> int:
        """Add a row; the number that the database gave it."""
        self._execute(query, values)
        rows = self._cursor.fetchall()
        number = rows[0][0] if rows else self._cursor.lastrowid
        if number is None:
            raise StorageError("a new row got no number")
        return int(number)

    def changed(self, query: Query, /, **values: object) -> int:
        """Run a statement that gives no rows; how many it changed."""
        self._execute(query, values)
        return self._cursor.rowcount

    def alone(self, *names: str) -> bool:
        """From here to the end of the transaction no other node is alone with these names.

        For what is not there yet and so can't be held. Where there is one writer it is alone anyway: False, nothing
        that was read before can have changed.
        """
        if self._guard is None:
            return False
        self.all(self._guard, key="\n".join(names))
        return True


class _Job(Generic[T]):
    """One work, and its caller who waits on a lock: the cheapest way one thread can wake another."""

    __slots__ = ("_woken", "done", "error", "result", "work")

    def __init__(self, work: Callable[[Write], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.done = False
        self._woken = Lock()
        self._woken.acquire()

    def wait(self) -> None:
        """Until it is done, or its caller has to lead."""
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()

    def outcome(self) -> T:
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # or the traceback and the job would hold each other
        return cast(T, self.result)


class _Spoiled(Exception):
    """A work without a savepoint raised after it had written."""


class _Batch:
    """The works of one commit."""

    __slots__ = ("careful", "clashes", "doubt", "jobs")

    def __init__(self, jobs: list[_Job[Any]]) -> None:
        self.jobs = jobs
        self.careful = False  # with a savepoint before each work
        self.clashes = 0
        self.doubt: tuple[int, bytes] | None = None  # where the chain ends, if a COMMIT without an answer was durable


class Writer:
    """Owns the one connection that writes."""

    def __init__(self, engine: Engine, companion: Companion, statements: Statements, *, node: str, queue_limit: int,
                 batch_limit: int) -> None:
        self._engine = engine
        self._companion = companion
        self._statements = statements
        self._node = node
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._connection: Connection | None = engine.connect()
        self._waiting: deque[_Job[Any]] = deque()
        self._door = Lock()  # guards the three below and nothing that takes long
        self._led = False  # somebody writes
        self._closed = False

    def write(self, work: Callable[[Write], T]) -> T:
        """Run `work` in the next batch; its result after the commit.

        Raises Draining after close, Overloaded when too many wait, StorageError, and whatever `work` raises.
        """
        job = _Job(work)
        with self._door:
            if self._closed:
                raise Draining("the store is closed")
            if len(self._waiting) >= self._queue_limit:
                raise Overloaded(f"{self._queue_limit} works wait for the store")
            self._waiting.append(job)
            lead, self._led = not self._led, True
        if not lead:
            job.wait()
        if not job.done:
            self._lead()
        return job.outcome()

    @property
    def waiting(self) -> int:
        """Works that wait for their turn; those of the batch that runs are no longer among them."""
        return len(self._waiting)

    def close(self) -> None:
        """Finish what waits, then stop. May be called again."""
        with self._door:
            self._closed = True
        while True:
            with self._door:
                if not self._led:
                    break
            sleep(_CLOSING_PAUSE)
        self._drop_connection()

    def _lead(self) -> None:
        """Write one batch, of which the caller's own work is the first, and hand over."""
        with self._door:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_limit))]
        try:
            self._commit(batch)
        finally:
            for job in batch:
                job.done = True
            for job in batch[1:]:
                job.wake()
            try:
                if self._connection is not None:
                    self._companion.committed(self._connection)
            finally:
                with self._door:
                    successor = self._waiting[0] if self._waiting else None
                    self._led = successor is not None
                if successor is not None:
                    successor.wake()

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        """Run a batch and commit it, again if need be, or fail all of it."""
        batch, pause = _Batch(jobs), _FIRST_PAUSE
        deadline = monotonic() + self._engine.patience
        while True:
            try:
                with self._companion.turn():
                    self._transact(batch)
                return
            except _Spoiled:
                self._abandon(Fate.AGAIN)
                batch.careful = True
                continue
            except BaseException as cause:
                fate = self._engine.fate(cause)
                self._abandon(fate)
                batch.clashes += fate is Fate.CLASH
                batch.careful |= fate is Fate.CLASH
                if fate is Fate.OWN or batch.clashes > _CLASHES or monotonic() > deadline:
                    for job in jobs:
                        job.result, job.error = None, self._storage_error(cause)
                    return
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _transact(self, batch: _Batch) -> None:
        if self._connection is None:
            self._connection = self._engine.connect()
        cursor = self._connection.cursor()
        cursor.execute(self._engine.begin_write)
        write = Write(cursor, self._statements, self._node, self._engine.guard)
        write.chain.mark()  # where the database locks the chain's end, writers wait here and not half-way
        if batch.doubt is not None and write.chain.holds(batch.doubt):
            cursor.execute("ROLLBACK")
        elif self._run(batch, write, cursor):
            batch.doubt = write.chain.flush()
            cursor.execute("COMMIT")
        else:
            cursor.execute("ROLLBACK")
        cursor.close()

    def _run(self, batch: _Batch, write: Write, cursor: Cursor) -> bool:
        """Run the works; is there anything to commit? A lone work is undone with its transaction."""
        jobs = batch.jobs
        if len(jobs) == 1:
            self._try(jobs[0], write)
            return jobs[0].error is None
        for job in jobs:
            if batch.careful:
                if not self._attempt(job, write, cursor):
                    self._attempt(job, write, cursor, last=True)
                continue
            write.wrote = False
            self._try(job, write)
            if job.error is not None and (write.wrote or isinstance(job.error, StorageError)):
                raise _Spoiled
            if not self._within():  # what followed would be committed by itself
                raise _Spoiled
        return True

    def _within(self) -> bool:
        return self._connection is not None and self._engine.within(self._connection)

    def _try(self, job: _Job[Any], write: Write) -> None:
        """Run one work, with nothing to go back to."""
        job.error = None
        try:
            job.result = job.work(write)
        except BaseException as error:
            if self._engine.fate(error) is not Fate.OWN:
                raise
            job.error = self._own_error(error)

    def _attempt(self, job: _Job[Any], write: Write, cursor: Cursor, *, last: bool = False) -> bool:
        """Run one work so that only it is undone when it raises. False: it may run once more."""
        mark = write.chain.mark()
        cursor.execute("SAVEPOINT work")
        job.error = None
        again = False
        try:
            job.result = job.work(write)
        except BaseException as error:
            fate = self._engine.fate(error)
            if fate in (Fate.AGAIN, Fate.LOST):
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT work")
            write.chain.restore(mark)
            again = fate is Fate.CLASH and not last
            job.error = self._own_error(error)
        cursor.execute("RELEASE SAVEPOINT work")
        return not again

    def _own_error(self, error: BaseException) -> BaseException:
        return self._storage_error(error) if isinstance(error, self._engine.error) else error

    def _storage_error(self, cause: BaseException) -> GatewayError:
        # Named by its class only: a driver's text may quote values.
        error = StorageError(f"the store could not commit: {type(cause).__name__}")
        error.__cause__ = cause
        return error

    def _abandon(self, fate: Fate) -> None:
        """Undo the transaction; when even that fails, or can't be, take a new connection next time."""
        if self._connection is None:
            return
        if fate is Fate.LOST:
            self._drop_connection()
            return
        try:
            cursor = self._connection.cursor()
            cursor.execute("ROLLBACK")
            cursor.close()
        except self._engine.error:
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(self._engine.error):
                self._connection.close()
            self._connection = None

"""One writer at a time per process: works from many threads share one commit.

A durable commit costs a disk a millisecond or so, whatever is in it. So whoever finds nobody writing leads: it takes
what waits (up to a limit, and without waiting for more), runs each work so that it can be undone alone, commits once,
tells the others, and hands the lead to the first of those who came meanwhile. No thread of its own: a lone work runs
where its caller stands, and pays for no switch of threads.

- Nobody hears of a result before the commit that makes it durable.
- A work that raises is undone alone; the others of its batch stand.
- A commit that fails, fails every work of its batch, also those that had raised: what they saw was never true.
"""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Lock
from time import sleep
from typing import Any, Generic, Protocol, TypeVar, cast

from gateway.errors import Draining, GatewayError, Overloaded, StorageError
from gateway.storage.chain import Chain
from gateway.storage.session import Cursor, Session, Statements

T = TypeVar("T")

_CLOSING_PAUSE = 0.002  # seconds between two looks whether the last batch is through


class Connection(Protocol):
    """As much of a DB-API connection as is used here; it is in autocommit, so that BEGIN is ours to say."""

    def cursor(self) -> Cursor: ...

    def close(self) -> None: ...


class Write(Session):
    """The session of a work that writes, with the end of the journal."""

    __slots__ = ("chain",)

    def __init__(self, cursor: Cursor, statements: Statements, node: str) -> None:
        super().__init__(cursor, statements)
        self.chain = Chain(self, node)


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


class Writer:
    """Owns the one connection that writes."""

    def __init__(self, connect: Callable[[], Connection], statements: Statements, *, node: str, begin: str,
                 turn: AbstractContextManager[None], database_error: type[Exception], queue_limit: int,
                 batch_limit: int, committed: Callable[[Connection], None]) -> None:
        """`begin` opens a transaction that may write, inside a `turn` among processes; `database_error` is what the
        driver raises; `committed` is called after each batch, with the connection, when the callers have been told.
        """
        self._connect = connect
        self._statements = statements
        self._node = node
        self._begin = begin
        self._turn = turn
        self._database_error = database_error
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._committed = committed
        self._connection: Connection | None = connect()
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
                    self._committed(self._connection)
            finally:
                with self._door:
                    successor = self._waiting[0] if self._waiting else None
                    self._led = successor is not None
                if successor is not None:
                    successor.wake()

    def _commit(self, batch: list[_Job[Any]]) -> None:
        """Run a batch and commit it, or fail all of it."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._turn:
                cursor = self._connection.cursor()
                cursor.execute(self._begin)
                write = Write(cursor, self._statements, self._node)
                write.chain.mark()  # where the database locks the chain's end, writers wait here and not half-way
                if self._run(batch, write, cursor):
                    write.chain.flush()
                    cursor.execute("COMMIT")
                else:
                    cursor.execute("ROLLBACK")
                cursor.close()
        except BaseException as cause:
            for job in batch:
                job.result, job.error = None, self._storage_error(cause)
            self._abandon()

    def _run(self, batch: list[_Job[Any]], write: Write, cursor: Cursor) -> bool:
        """Run the works; is there anything to commit?

        A lone work is undone with its transaction and needs no savepoint, for which SQLite would copy each page that
        the work changes.
        """
        if len(batch) > 1:
            for job in batch:
                self._attempt(job, write, cursor)
            return True
        job = batch[0]
        try:
            job.result = job.work(write)
        except BaseException as error:
            job.error = self._own_error(error)
        return job.error is None

    def _attempt(self, job: _Job[Any], write: Write, cursor: Cursor) -> None:
        """Run one work so that only it is undone when it raises."""
        mark = write.chain.mark()
        cursor.execute("SAVEPOINT work")
        try:
            job.result = job.work(write)
        except BaseException as error:
            cursor.execute("ROLLBACK TO SAVEPOINT work")
            write.chain.restore(mark)
            job.error = self._own_error(error)
        cursor.execute("RELEASE SAVEPOINT work")

    def _own_error(self, error: BaseException) -> BaseException:
        return self._storage_error(error) if isinstance(error, self._database_error) else error

    def _storage_error(self, cause: BaseException) -> GatewayError:
        # Named by its class only: a driver's text may quote values.
        error = StorageError(f"the store could not commit: {type(cause).__name__}")
        error.__cause__ = cause
        return error

    def _abandon(self) -> None:
        """Undo the transaction; when even that fails, take a new connection next time."""
        if self._connection is None:
            return
        try:
            cursor = self._connection.cursor()
            cursor.execute("ROLLBACK")
            cursor.close()
        except self._database_error:
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(self._database_error):
                self._connection.close()
            self._connection = None

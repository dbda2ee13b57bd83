"""One thread per process that writes: works from many threads share one commit.

A durable commit costs a disk a millisecond or so, whatever is in it. So the writer takes what waits (up to a limit, and
without waiting for more), runs each work under its own savepoint, commits once, and only then tells the callers.

- Nobody hears of a result before the commit that makes it durable.
- A work that raises is undone alone; the others of its batch stand.
- A commit that fails, fails every work of its batch, also those that had raised: what they saw was never true.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, Protocol, TypeVar, cast

from gateway.errors import Draining, GatewayError, Overloaded, StorageError
from gateway.storage.chain import Chain
from gateway.storage.session import Cursor, Session, Statements

T = TypeVar("T")


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

    __slots__ = ("_done", "error", "result", "work")

    def __init__(self, work: Callable[[Write], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self._done = Lock()
        self._done.acquire()

    def wait(self) -> T:
        self._done.acquire()
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # or the traceback and the job would hold each other
        return cast(T, self.result)

    def finish(self) -> None:
        self._done.release()


class Writer:
    """Owns the one connection that writes."""

    def __init__(self, connect: Callable[[], Connection], statements: Statements, *, node: str, begin: str,
                 turn: AbstractContextManager[None], database_error: type[Exception], queue_limit: int,
                 batch_limit: int, committed: Callable[[Connection], None]) -> None:
        """Start the thread.

        `begin` opens a transaction that may write, inside a `turn` among processes; `database_error` is what the
        driver raises; `committed` is called after each batch, on the writer's thread and with its connection, when
        the callers have been told.
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
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._door = Lock()
        self._closed = False
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Write], T]) -> T:
        """Run `work` in the next batch; its result after the commit.

        Raises Draining after close, Overloaded when too many wait, StorageError, and whatever `work` raises.
        """
        job = _Job(work)
        with self._door:  # so that no job can come in behind the one that ends the thread
            if self._closed:
                raise Draining("the store is closed")
            if self._jobs.qsize() >= self._queue_limit:
                raise Overloaded(f"{self._queue_limit} works wait for the store")
            self._jobs.put(job)
        return job.wait()

    def close(self) -> None:
        """Finish what waits, then stop. May be called again."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            self._commit(batch)
            for job in batch:
                job.finish()
            if self._connection is not None:
                self._committed(self._connection)
        self._drop_connection()

    def _take(self) -> list[_Job[Any]]:
        """The works that wait now, at least one; empty at the end."""
        first = self._jobs.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < self._batch_limit:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # nothing stands behind it: this comes back next
                break
            batch.append(job)
        return batch

    def _commit(self, batch: list[_Job[Any]]) -> None:
        """Run a batch and commit it, or fail all of it."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._turn:
                cursor = self._connection.cursor()
                cursor.execute(self._begin)
                write = Write(cursor, self._statements, self._node)
                for job in batch:
                    self._attempt(job, write, cursor)
                write.chain.flush()
                cursor.execute("COMMIT")
                cursor.close()
        except BaseException as cause:
            for job in batch:
                job.result, job.error = None, self._storage_error(cause)
            self._abandon()

    def _attempt(self, job: _Job[Any], write: Write, cursor: Cursor) -> None:
        """Run one work so that only it is undone when it raises."""
        mark = write.chain.mark()
        cursor.execute("SAVEPOINT work")
        try:
            job.result = job.work(write)
        except BaseException as error:
            cursor.execute("ROLLBACK TO SAVEPOINT work")
            write.chain.restore(mark)
            job.error = self._storage_error(error) if isinstance(error, self._database_error) else error
        cursor.execute("RELEASE SAVEPOINT work")

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

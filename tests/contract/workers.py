"""Processes for the tests: each opens the store anew and accepts messages until it is done or killed.

    python -m tests.contract.workers URL FOLDER NAME COUNT THREADS

Prints `ready`, then each number as soon as its receipt could be given.
"""

import sys
from itertools import count as counting
from pathlib import Path
from threading import Lock, Thread

from gateway.storage import KeyDirectory, Sealer, SqlJournal, open_store
from tests.contract.samples import accept, acceptance


def main(url: str, folder: str, name: str, count: int, threads: int) -> None:
    printing, numbers = Lock(), counting()
    with open_store(url) as store:
        journal = SqlJournal(store, Sealer(KeyDirectory(Path(folder) / "keys")))

        def send() -> None:
            while (i := next(numbers)) < count:
                entry = journal.transaction(accept(acceptance(f"{name}-{i}", payload=bytes(3000))))
                with printing:
                    print(entry.referentienummer, flush=True)

        senders = [Thread(target=send) for _ in range(threads)]
        print("ready", flush=True)
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))

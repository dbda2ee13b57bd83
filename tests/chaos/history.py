"""What clients, receivers and the nemesis saw and did, written down as it happens.

One file per actor, one JSON object a line, only ever appended to, and flushed line by line. Times are seconds of this
machine's monotonic clock: every actor is a thread of one process, so they can be compared. What is asked is written
before it leaves, what is answered after it came: the truth lies between the two.

    kind         by           facts
    request      sender       id sender ref conv to digest how          a message is about to be sent (again)
    receipt      sender       id ref to digest position hash at until   … and this is the believable answer
    refused      sender       id code                                   … or the hub refused it
    silent       sender       id why                                    … or nobody knows: no answer, or a failure
    abandoned    sender       sender ref                                never asked again
    listing      receiver     id party
    listed       receiver     id party rows                             [Referentienummer, sender, conversation] each
    collecting   receiver     id party ref
    got          receiver     id party ref sender conv to digest
    absent       receiver     id party ref code                         the hub says there is nothing to collect
    confirming   receiver     id party refs
    confirmed    receiver     id party refs                             those of which it said true
    pushed       receiver     id party ref sender conv to digest message_id
    answered     receiver     id party ref how                          ok, unsure (slow), late, dropped or refused
    drained      receiver     party                                     after the storm, the mailbox was empty
    status       anybody      party ref sender receiver status          what ZoekLogboek says at the end
    act          nemesis      what target kill since until              from the act to when its harm was over
    fell         nemesis      target code                               a process ended that nobody had touched
    journal      auditor      holds entries cause
    entry        auditor      node position hash ref                    the journal's entry of an acceptance
    evidence     auditor      ref holds detail
"""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a history."""

    at: float
    kind: str
    by: str
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]


class Recorder:
    """Appends what one actor saw; `counts` is what the progress line shows of all of them."""

    def __init__(self, folder: Path, by: str, counts: Counter[str]) -> None:
        self._by, self._counts = by, counts
        self._file = (folder / f"{by}.jsonl").open("a", encoding="utf-8")
        self._lock = Lock()
        self._asked = 0

    def __call__(self, kind: str, **facts: object) -> None:
        with self._lock:
            line = {"t": time.monotonic(), "kind": kind, "by": self._by, **facts}
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()
            self._counts[kind] += 1

    def asks(self, kind: str, **facts: object) -> str:
        """Write down what is about to be asked; the id under which its answer goes."""
        with self._lock:
            self._asked += 1
            asked = f"{self._by}/{self._asked}"
        self(kind, id=asked, **facts)
        return asked

    def close(self) -> None:
        self._file.close()


def read(folder: Path) -> list[Event]:
    """Every history of a run, in the order of time."""
    events = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                facts = json.loads(line)
                events.append(Event(at=facts.pop("t"), kind=facts.pop("kind"), by=facts.pop("by"), facts=facts))
    events.sort(key=lambda event: event.at)
    return events

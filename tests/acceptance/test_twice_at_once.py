"""One message sent twice at once over two nodes: the second waits for the conversation of the first, then sees it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from lxml import etree

from gateway import ports
from gateway.values import Acceptance, Reply
from tests.line import KN, SE, Line, code, example

T = TypeVar("T")


class Overtaken:
    """A transaction that looked for the message just before another node committed it."""

    def __init__(self, transaction: ports.Transaction) -> None:
        self._transaction = transaction

    def known(self, acceptance: Acceptance) -> None:
        return None

    def __getattr__(self, name: str) -> object:
        return getattr(self._transaction, name)


@dataclass
class Behind:
    """A journal whose first transaction is overtaken."""

    journal: ports.Journal
    overtaken: int = 0

    def transaction(self, work: Callable[[ports.Transaction], T]) -> T:
        if self.overtaken:
            return self.journal.transaction(work)
        self.overtaken += 1
        return self.journal.transaction(lambda tx: work(Overtaken(tx)))

    def __getattr__(self, name: str) -> object:
        return getattr(self.journal, name)


def facts(reply: Reply) -> dict[str, str]:
    receipt = etree.fromstring(reply.octets).find(f".//{{{KN}}}Ontvangstbevestiging")
    return {one.tag: one.text for one in receipt}


def test_both_get_the_receipt_of_the_one_message(line: Line) -> None:
    first = line.send(example("Kennisgeving-volledig"))
    assert code(first) is None
    line.gate = replace(line.gate, journal=Behind(line.gate.journal))
    second = line.send(example("Kennisgeving-volledig"))
    assert line.gate.journal.overtaken == 1
    assert code(second) is None
    assert facts(second) == facts(first)
    assert line.rows("messages") == 1


def test_another_message_that_comes_too_late_is_still_refused(line: Line) -> None:
    line.send(example("Kennisgeving-volledig"))
    line.gate = replace(line.gate, journal=Behind(line.gate.journal))
    answer = example("BetaalVoorstelAntwoord-volledig")
    assert code(line.send(answer, path=SE, party="energie")) == "SKP011"

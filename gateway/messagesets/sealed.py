"""Sealed bodies: the sender encrypted the content for the addressee, and the hub sees header and size.

The schema and rules of such a set describe the message before it is sealed and after it is opened: they are for sender
and addressee. Here is what is left for the hub (docs/message-sets.md).
"""

from collections.abc import Iterable

from lxml import etree

from gateway.errors import SchemaInvalid
from gateway.messagesets._texts import check_finding
from gateway.messagesets.message import HEADER
from gateway.names import XENC, clark
from gateway.values import Choreography, Transition

ENCRYPTED_DATA = clark(XENC, "EncryptedData")


def is_sealed(message: "etree._Element") -> bool:
    """Does this message hold encrypted content?"""
    return next(message.iterchildren(ENCRYPTED_DATA), None) is not None


def check_shape(message: "etree._Element", place: str) -> "etree._Element":
    """The Berichtheader of a sealed message; `place` is the message's XPath.

    Raises SchemaInvalid when the message holds anything but a header and then one EncryptedData. Of what form that is,
    `security` says.
    """
    blank = not "".join([message.text or "", *(child.tail or "" for child in message)]).strip(" \t\r\n")
    if message.keys() or not blank or [child.tag for child in message] != [HEADER, ENCRYPTED_DATA]:
        raise SchemaInvalid((check_finding("sealed", place),))
    return message[0]


def merged(table: Choreography) -> Choreography:
    """The table as who cannot read content must keep it: states that only content tells apart are one state.

    Where a message leads to this state or that one by its outcome, both become one, named after both; whatever was
    allowed in either is allowed in it. If that makes another message lead two ways, those are merged as well.
    """
    entered = {row.next for row in table.transitions if row.next}
    names = _Names(entered.union({table.initial}, *(row.states for row in table.transitions)))
    while any(names.join(ways) for ways in _ways(table.transitions, names)):
        pass
    rows = (Transition(states=frozenset(map(names.of, row.states)), message=row.message,
                       sender=row.sender, next=names.of(row.next) if row.next else None) for row in table.transitions)
    return Choreography(initial=names.of(table.initial), transitions=tuple(dict.fromkeys(rows)),
                        enforced=table.enforced)


class _Names:
    """States, in groups that are taken for one another."""

    def __init__(self, states: Iterable[str]) -> None:
        self._group = {state: frozenset({state}) for state in states}

    def of(self, state: str) -> str:
        """The name of the group: its members', sorted."""
        return "_OF_".join(sorted(self._group[state]))

    def join(self, states: frozenset[str]) -> bool:
        """Make these states one; were they not yet?"""
        whole = frozenset[str]().union(*(self._group[state] for state in states))
        if all(self._group[state] == whole for state in states):
            return False
        self._group.update(dict.fromkeys(whole, whole))
        return True


def _ways(rows: tuple[Transition, ...], names: _Names) -> list[frozenset[str]]:
    """For each state and message, the states that some outcome could lead to."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for state in row.states:
            found.setdefault((names.of(state), row.message), set()).add(row.next or state)
    return [frozenset(ways) for ways in found.values()]

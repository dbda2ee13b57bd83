"""Rows of the outbox, as they come and go with deliveries: in the transactions of acceptance, confirmation, expiry.

Of one conversation and receiver only the oldest row may be claimed. The others have next_at = WAITS, so that no claim
ever has to look at them; who takes a row out makes the next one due. Both sides hold the conversation's row while they
look at each other, or a row that came while its predecessor went would wait for ever.
"""

from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.storage.push_tables import outbox
from gateway.storage.session import Query
from gateway.storage.tables import conversations
from gateway.storage.writer import Write

WAITS: Final = 2**62  # microseconds; sorts behind every moment, on every engine

_BEFORE = Query(select(outbox.c.message).where(
    outbox.c.conversation == bindparam("conversation"), outbox.c.receiver == bindparam("party"))
    .order_by(outbox.c.message).limit(1))
_ENTER = Query(insert(outbox).values({name: bindparam(name) for name in (
    "message", "receiver", "conversation", "action", "received_at", "attempts", "next_at")}))
_HOLD = Query(select(conversations.c.id).where(conversations.c.id == bindparam("this")).with_for_update())
_LEAVE = Query(delete(outbox).where(outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party")))
_MAKE_DUE = Query(update(outbox).where(
    outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party"), outbox.c.next_at == WAITS)
    .values(next_at=outbox.c.received_at))
_UNDER_WAY = Query(select(outbox.c.message).where(
    outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party"),
    outbox.c.claimed_by.is_not(None), outbox.c.lease_until > bindparam("now")).with_for_update())


def under_way(write: Write, *, message: int, receiver: str, now: int) -> bool:
    """Is somebody handing it to its receiver at this moment? Whatever ends it now may be untrue in a second."""
    return write.one(_UNDER_WAY, this=message, party=receiver, now=now) is not None


def enter(write: Write, *, message: int, receiver: str, conversation: int, opened: bool, action: str,
          received_at: int) -> None:
    """Queue a delivery; `opened`: its conversation began with it, so nothing can be before it.

    The conversation's row is held by this transaction.
    """
    waits = not opened and write.one(_BEFORE, conversation=conversation, party=receiver) is not None
    write.run(_ENTER, message=message, receiver=receiver, conversation=conversation, action=action,
              received_at=received_at, attempts=0, next_at=WAITS if waits else received_at)


def hold(write: Write, conversation: int) -> None:
    """Before a delivery of it that is queued is changed: who records a message takes the two in this order as well."""
    write.one(_HOLD, this=conversation)


def leave(write: Write, *, message: int, receiver: str, conversation: int) -> None:
    """Take a delivery that ended out, and let the next one of its conversation go. It is held."""
    write.run(_LEAVE, this=message, party=receiver)
    following = write.one(_BEFORE, conversation=conversation, party=receiver)
    if following is not None:
        write.run(_MAKE_DUE, this=following[0], party=receiver)

"""What the heir of a party must be able to do, before what waits for that party may be given to it."""

from collections.abc import Mapping

from gateway.routing.admit import plays
from gateway.values import MessageType, Party, RoleRule, SetKey


def missing(
    heir: Party, predecessor: Party, message_type: MessageType, key: SetKey, roles: Mapping[str, RoleRule], *,
    receives: bool, waits: bool,
) -> str | None:
    """What stops `heir` from standing where `predecessor` stood with one message; None: nothing.

    Takes   the message type in the version in which it was or will be delivered; `receives`: it was for the
            predecessor, else from it; `waits`: the heir will still get it, so version and BSN matter too.
    """
    role = roles[message_type.receiver_role if receives else message_type.sender_role]
    if not plays(heir, role):
        return f"{heir.slug} does not play {role.name} in {key.module}"
    versions = heir.modules.get(key.module)
    if not versions:
        return f"{heir.slug} has not switched on {key.module}"
    if waits and key.version not in versions:
        return f"{heir.slug} takes {key.module} {', '.join(versions)}, not {key.version}"
    if waits and message_type.bsn != "never" and predecessor.mag_bsn and not heir.mag_bsn:
        return f"{heir.slug} may not process a BSN, and {message_type.berichttype} may hold one"
    return None

"""What a connected party does: wrap, send, collect, confirm; and take what is pushed to it. Used by the commands, the
demo and the tests.
"""

from gateway.party.client import Collected, PartyClient, PartyEncryption, Sent, Waiting, Wrapped
from gateway.party.inbox import Inbox
from gateway.party.parts import Find, find_files
from gateway.party.receiver import Receiver, pushed_to

__all__ = [
    "Collected", "Find", "Inbox", "PartyClient", "PartyEncryption", "Receiver", "Sent", "Waiting", "Wrapped",
    "find_files", "pushed_to",
]

"""What a connected party does: wrap, send, collect, confirm. Used by the commands, the demo and the tests."""

from gateway.party.client import Collected, PartyClient, PartyEncryption, Sent, Waiting

__all__ = ["Collected", "PartyClient", "PartyEncryption", "Sent", "Waiting"]

"""What the explainer is told about this hub, and when a refusal is worth explaining."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from gateway.errors import (
    AddressingError,
    DecryptionFailed,
    GatewayError,
    MalformedEnvelope,
    NotXml,
    Replayed,
    SecurityRefusal,
    SenderMismatch,
    UnknownMessage,
    UnsupportedContent,
)
from gateway.pipeline.gate import Gate, policy_of
from gateway.ports import Register
from gateway.routing import agreed_encrypted, certificate_refusal, represented
from gateway.security import CheckCertificate, Known, SecurityPolicy, Sent, TrustSnapshot, diagnose, hub_budget
from gateway.soap import Envelope, Limits
from gateway.values import Explained, Party, Purpose, Received, Service

# Refusals to which the engine adds a cause; of the others the fault says all there is.
_ADDS: Final = (SecurityRefusal, MalformedEnvelope, NotXml, UnsupportedContent, AddressingError, UnknownMessage,
                SenderMismatch)
# Of a message that takes much memory no copy is made while its fault waits; `gateway explain` has the time.
_LARGEST: Final = 2_000_000  # octets
# Nor is one explained that is little else than tags and attributes, which cost a hundred times what other octets do:
# the longest lists of claims have one in eighteen octets.
_MARKS: Final = 5_000
_OCTETS_FOR_ONE_MORE: Final = 25
_SAYS_ALL: Final = (Replayed, DecryptionFailed)


def explained(
    received: Received, caller: Party | None, envelope: Envelope | None, error: GatewayError, gate: Gate
) -> tuple[Explained, ...]:
    """Why a caller's request was refused, for the journal; nothing for strangers and where nothing could be added.

    Nor for what is encrypted: how long an answer takes may not depend on what was found inside (docs/decisions/0014).
    Never raises: a mistake in explaining is told to the operator and leaves the refusal as it is.
    """
    if caller is None or not isinstance(error, _ADDS) or isinstance(error, _SAYS_ALL):
        return ()
    size = len(received.octets)
    if size > _LARGEST or _marks(received.octets) > _MARKS + size // _OCTETS_FOR_ONE_MORE:
        return ()
    if b"EncryptedKey" in received.octets or b"EncryptedData" in received.octets:
        return ()
    sent = Sent(octets=received.octets, content_type=received.content_type, soap_action=received.soap_action,
                path=received.path, peer=received.peer, envelope=envelope, refused_as=error)
    known = knowledge(
        now=received.at, policy=policy_of(caller, gate), limits=gate.limits, check_signer=gate.check_signer,
        trust=gate.trust(),
        register=gate.register(), services=gate.catalog.services, addresses=gate.addresses, hub_oin=gate.oin,
    )
    try:
        return diagnose(sent, known, hub_budget(size)).checks
    except Exception as mistake:
        gate.observe("mistake", {"ticket": None, "error": mistake})
        return ()


def _marks(octets: bytes) -> int:
    """Tags, and attributes by their quotes."""
    return octets.count(b"<") + (octets.count(b'"') + octets.count(b"'")) // 2


def knowledge(
    *, now: datetime, clock: bool = True, policy: SecurityPolicy, limits: Limits, check_signer: CheckCertificate,
    trust: TrustSnapshot, register: Register, services: Mapping[str, Service],
    addresses: Callable[[Service], Collection[str]], hub_oin: str,
) -> Known:
    """Everything the hub holds a request against; the address book's two questions are answered by routing's tables."""
    def registered(party: Party, sha256: str) -> bool:
        return certificate_refusal(party, Purpose.SIGNING, sha256, now) is None

    def may_speak(caller: Party, signer: str, claimed: str | None, from_oin: str | None) -> bool:
        try:
            represented(caller=caller, signer_oin=signer, claimed=claimed, from_oin=from_oin, register=register)
        except SenderMismatch:
            return False
        return True

    return Known(
        now=now, clock=clock, policy=policy, limits=limits, check_signer=check_signer, trust=trust, register=register,
        services=services, addresses=addresses, hub_oin=hub_oin, registered=registered, encrypts=agreed_encrypted,
        may_speak=may_speak,
    )

"""What the explainer is told about this hub, and when a refusal is worth explaining."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from gateway.errors import SenderMismatch
from gateway.ports import Register
from gateway.routing import agreed_encrypted, certificate_refusal, represented
from gateway.security import CheckCertificate, Known, SecurityPolicy, TrustSnapshot
from gateway.soap import Limits
from gateway.values import Party, Purpose, Service


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

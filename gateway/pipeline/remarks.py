"""The tolerances one request used, as far as it came: for the count on its caller's page, and as remarks in a fault."""

from typing import TYPE_CHECKING, Final

from gateway.security import is_short_key, tolerated_header
from gateway.soap import tolerated_blocks, tolerated_octets
from gateway.tolerances import CLOCK_SKEW, FROM_ABSENT, SHORT_KEY_SIGNING, SHORT_KEY_TLS, Tolerance
from gateway.values import Step

if TYPE_CHECKING:
    from gateway.pipeline.refusal import Trail

# Known of a request only when its signature holds. In a security fault they would tell that it did.
AFTER_SIGNATURE: Final = (CLOCK_SKEW, SHORT_KEY_SIGNING)
_NOT_ASKING: Final = frozenset((Step.RECORD, Step.CONFIRM))  # WA001 asks wsa:From, but for queries


def remarks(trail: "Trail") -> tuple[Tolerance, ...]:
    """In the order in which the line looks at things; empty for a request as the standards ask it."""
    received, envelope, verified = trail.received, trail.envelope, trail.verified
    used = tolerated_octets(received.octets, received.soap_action)
    if envelope is not None:
        used += tolerated_blocks(envelope)
    permit, addressing = trail.permit, trail.addressing
    if permit and addressing and addressing.sender is None and permit.operation.step in _NOT_ASKING:
        used.append(FROM_ABSENT)
    if envelope is not None:
        used += tolerated_header(envelope)
    if verified is not None and verified.skewed:
        used.append(CLOCK_SKEW)
    if trail.certificate is not None and is_short_key(trail.certificate):
        used.append(SHORT_KEY_TLS)
    if verified is not None and is_short_key(verified.signer):
        used.append(SHORT_KEY_SIGNING)
    return tuple(used)

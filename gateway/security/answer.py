"""Believing the answer to a request of ours: a party's that called the hub, the hub's that called a party.

Only what is signed counts, by whoever may sign it, confirming our signature and related to our MessageID. A fault that
meets that is believed too, and raised.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.errors import GatewayError, PeerFailed, PeerRefused, ReceiptInvalid
from gateway.names import answer_action
from gateway.parted import Parted
from gateway.security._xmlenc import DecryptionKey
from gateway.security.encryption import decrypt_content, is_encrypted
from gateway.security.parted import verify_all_but_body, verify_body
from gateway.security.seal import SignedEnvelope
from gateway.security.wsse import CheckCertificate, SecurityPolicy, Verified, confirms_something
from gateway.soap import Envelope, Limits, parse, read_addressing, read_fault
from gateway.values import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was sent, as far as its answer is held against it."""

    action: str
    signed: SignedEnvelope
    encrypted: bool  # in profile 2W-be-SE, the answer too


def believe(
    octets: bytes, asked: Asked, *, status: int, policy: SecurityPolicy, check: CheckCertificate,
    refuse_signer: Callable[[Certificate], str | None], keys: tuple[DecryptionKey, ...], limits: Limits, now: datetime,
    files: Callable[[Envelope], Parted | None] = lambda envelope: None,
) -> Verified:
    """The answer, proven: its signature, by a signer that may; SignatureConfirmation, RelatesTo, Action.

    Takes   the octets of an envelope and the HTTP status it came with; `refuse_signer`: why an answer of this signer
            does not count, None when it does; `files`: what came beside the envelope.
    Raises  ReceiptInvalid; PeerRefused, PeerFailed, with the fault.
    """
    policy = replace(policy, confirms=(asked.signed.signature_value,))
    try:
        envelope = parse(octets, limits)
        if is_encrypted(envelope):
            envelope, policy = decrypt_content(envelope, octets, keys, limits), replace(policy, encrypted=True)
        elif asked.encrypted and not envelope.is_fault:  # a fault may come before all is known
            raise ReceiptInvalid("the answer is not encrypted, as 2W-be-SE asks")
        # A fault given before our envelope was parsed can confirm no signature, and says so (WSS SMS §8.5).
        if envelope.is_fault and not confirms_something(envelope):
            policy = replace(policy, confirms=("",))
        verified = verify_body(verify_all_but_body(envelope, policy, check, now), files(envelope))
        addressing = read_addressing(envelope)
    except ReceiptInvalid:
        raise
    except GatewayError as error:
        raise ReceiptInvalid(f"HTTP {status}, {type(error).__name__}: {error.detail}") from error
    reason = refuse_signer(verified.signer)
    if reason is not None:
        raise ReceiptInvalid(reason)
    if addressing.relates_to not in (None, asked.signed.message_id):
        raise ReceiptInvalid("the answer relates to another request")
    if envelope.is_fault:
        raise _told(envelope)
    if addressing.action != answer_action(asked.action) or addressing.relates_to is None:
        raise ReceiptInvalid("the answer is to another operation")
    return verified


def _told(envelope: Envelope) -> PeerFailed | PeerRefused:
    fault = read_fault(envelope)
    kind = PeerFailed if fault.faultcode.endswith(":Server") else PeerRefused
    return kind(f"{fault.code or fault.faultcode}: {fault.faultstring}", fault=fault)

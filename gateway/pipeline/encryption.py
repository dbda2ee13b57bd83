"""What profile 2W-be-SE adds to the line: a request is opened before it is verified, an answer encrypted to somebody.

Whoever sends octets to be decrypted learns from the answer whether all of it held, and nothing else: neither from its
words, nor from what work was done (docs/decisions/0011).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.errors import CertificateRejected, Misconfigured, SecurityRefusal, TrustStale
from gateway.pipeline.gate import Encrypting, Encryption, Gate
from gateway.routing import agreed_encrypted, check_element, encryption_certificate
from gateway.security import Recipient, SecurityPolicy, Verified, decrypt_content, encrypt_body, recipient_of, verify
from gateway.soap import Envelope, parse, write_collected
from gateway.values import Acceptance, EncryptedBody, Party, Permit, Received


def open_request(
    envelope: Envelope, permit: Permit, policy: SecurityPolicy, received: Received, gate: Gate
) -> Verified:
    """decrypt → verify → the Body's element is the operation's: an encrypted request, proven.

    Raises  SecurityRefusal in one of its forms; ActionMismatch only for what its signer meant to send here.
    """
    policy, keys = replace(policy, encrypted=True), _encryption(gate).keys
    try:
        opened = decrypt_content(envelope, received.octets, keys, gate.limits)
    except SecurityRefusal:
        with suppress(SecurityRefusal):  # what a request with a wrong signature costs, this one costs too
            verify(parse(received.octets, gate.limits), policy, gate.check_signer, received.at)
        raise
    verified = verify(opened, policy, gate.check_signer, received.at)
    check_element(permit.operation, opened.child_name)
    return verified


def registered_recipient(caller: Party, gate: Encrypting, now: datetime) -> Recipient | None:
    """Whom an answer to this party is encrypted to by the address book; None when it names no certificate.

    Raises  CertificateRejected: the certificate does not hold, or is another organisation's; TrustStale.
    """
    registered = encryption_certificate(caller, now)
    if registered is None or registered.der is None:
        return None
    return _recipient(registered.der, caller.oin, gate, now)


def signing_recipient(verified: Verified, gate: Gate, now: datetime) -> Recipient:
    """Whom the answer is encrypted to where nobody registered a certificate: the request's signer (WB012).

    Raises  CertificateRejected: one may not encrypt to that certificate, so no answer is possible; TrustStale.
    """
    return _recipient(verified.token, verified.signer.oin, gate, now)


def encrypt_for_addressees(acceptance: Acceptance, gate: Gate) -> Mapping[str, EncryptedBody]:
    """By addressee's id, what it will collect, encrypted now to its certificate alone (docs/decisions/0022).

    Of those that agreed 2W-be-SE for the mailbox and whose registered certificate holds at this moment: what is
    encrypted to another, nobody could ever open. The hub can't read it again, and only signs its digest later.
    """
    mailbox = gate.catalog.mailbox
    if mailbox is None:
        return MappingProxyType({})
    able = {party.id: found for party in acceptance.receivers if agreed_encrypted(party, mailbox)
            and (found := _addressee(party, gate, acceptance.received_at)) is not None}
    return MappingProxyType({
        party: encrypt_body(_to_collect(acceptance, party), recipient, gate.new_id())
        for party, recipient in able.items()})


def _addressee(party: Party, gate: Gate, now: datetime) -> Recipient | None:
    """Whom to encrypt to for this party; None: it registered no certificate, or it does not hold."""
    with suppress(CertificateRejected, TrustStale):  # then it can't collect either, and a sender can't help that
        return registered_recipient(party, gate, now)
    return None


def _to_collect(acceptance: Acceptance, party: str) -> bytes:
    """The answer of HaalBerichtOp, in the version in which this addressee gets the message."""
    message = acceptance.bridged.get(party, acceptance)
    return write_collected(
        acceptance.header.referentienummer, acceptance.received_at, message.message_digest, message.payload)


def _recipient(der: bytes, oin: str, gate: Encrypting, now: datetime) -> Recipient:
    try:
        checked = _encryption(gate).check(der, now)
    except CertificateRejected as error:
        raise CertificateRejected(f"to encrypt the answer to: {error.detail}") from error
    found = recipient_of(der)
    if found is None or checked.certificate.oin != oin:
        raise CertificateRejected(f"to encrypt the answer to: it is of OIN {checked.certificate.oin}, not {oin}")
    return found


def _encryption(gate: Encrypting) -> Encryption:
    if gate.encryption is None:
        raise Misconfigured("2W-be-SE is agreed, but gateway.toml has no [encryption]; add it")
    return gate.encryption

"""What profile 2W-be-SE adds to the line: a request is opened before it is verified, an answer encrypted to somebody.

Whoever sends octets to be decrypted learns from the answer whether all of it held, and nothing else: neither from its
words, nor from what work was done (docs/decisions/0011).
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.errors import CertificateRejected, Misconfigured, SecurityRefusal, TooLarge, TrustStale
from gateway.parted import Parted, Payload, length, whole
from gateway.pipeline.gate import Encrypting, Encryption, Gate
from gateway.routing import (
    Addressed,
    agreed_encrypted,
    agreed_encrypted_push,
    check_element,
    encryption_certificate,
    sift,
)
from gateway.security import Recipient, SecurityPolicy, Verified, decrypt_content, encrypt_body, recipient_of, verify
from gateway.soap import Envelope, parse, write_collected
from gateway.values import Acceptance, Bridged, EncryptedBody, Finding, Party, Permit, Received


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


def encrypt_for_addressees(acceptance: Acceptance, gate: Gate) -> Acceptance:
    """The message with what some of its addressees will get, encrypted now to their certificates alone.

    Of those that agreed 2W-be-SE for every way by which they may get it, the mailbox and push where they take that, and
    whose registered certificate holds at this moment: what is encrypted to another, nobody could ever open. Each way
    has a form of its own. The hub can't read them again, it only signs their digests later (docs/decisions/0022, 0025).
    """
    able = [(party, found) for party in acceptance.receivers if _always_encrypted(party, acceptance, gate)
            and (found := _addressee(party, gate, acceptance.received_at)) is not None]
    if not able:
        return acceptance
    collected = {party.id: encrypt_body(_to_collect(acceptance, party), recipient, gate.new_id())
                 for party, recipient in able}
    pushed = {party.id: _to_push(acceptance, party, recipient, gate.new_id())
              for party, recipient in able if party.push is not None}
    return replace(acceptance, addressed=MappingProxyType(collected), pushed=MappingProxyType(pushed))


def encryptable(asked: Addressed, payload: Payload, gate: Gate) -> Addressed:
    """The addressees that can get this message; one with files apart that does not fit in line can't be encrypted
    to anybody (docs/decisions/0030). Raises TooLarge, or what another leg was refused for, when nobody is left.
    """
    if not isinstance(payload, Parted) or length(payload) <= gate.limits.max_octets:
        return asked
    mailbox = gate.catalog.mailbox

    def readable(party: Party) -> Party:
        if mailbox is not None and agreed_encrypted(party, mailbox):
            raise _too_large(party)
        return party

    receivers, refused = sift(asked.receivers, readable, lambda party: party.id, asked.refused)
    return Addressed(receivers=receivers, refused=refused)


def _too_large(party: Party) -> TooLarge:
    error = TooLarge(f"too large to encrypt to {party.slug}, which agreed 2W-be-SE for its mailbox")
    error.findings = (Finding(
        xpath="/", rule="mtom-2w-be-se", nl="Voor een ontvanger met 2W-be-SE moet het bericht met zijn bijlagen als "
        "base64 binnen de grens voor één XML-document blijven. Verklein of verdeel de bijlagen.",
        en="For an addressee with 2W-be-SE the message with its attachments as base64 must stay within the limit of "
        "one XML document. Reduce or divide the attachments."),)
    return error


def _always_encrypted(party: Party, acceptance: Acceptance, gate: Gate) -> bool:
    """Is 2W-be-SE agreed for every way by which this addressee may get the message?"""
    mailbox, key = gate.catalog.mailbox, _for(party, acceptance).key
    return mailbox is not None and agreed_encrypted(party, mailbox) and (
        party.push is None or agreed_encrypted_push(party, key, gate.catalog.sets[key].profile))


def _addressee(party: Party, gate: Gate, now: datetime) -> Recipient | None:
    """Whom to encrypt to for this party; None: it registered no certificate, or it does not hold."""
    with suppress(CertificateRejected, TrustStale):  # then it can't collect either, and a sender can't help that
        return registered_recipient(party, gate, now)
    return None


def _for(party: Party, acceptance: Acceptance) -> Acceptance | Bridged:
    """The message in the version in which this addressee gets it."""
    return acceptance.bridged.get(party.id, acceptance)


def _to_collect(acceptance: Acceptance, party: Party) -> bytes:
    """The answer of HaalBerichtOp."""
    message = _for(party, acceptance)
    return write_collected(
        acceptance.header.referentienummer, acceptance.received_at, message.message_digest, whole(message.payload))


def _to_push(acceptance: Acceptance, party: Party, recipient: Recipient, nonce: str) -> EncryptedBody:
    """The Body in which the message itself is pushed."""
    message = _for(party, acceptance)
    return replace(encrypt_body(whole(message.payload), recipient, nonce), message_digest=message.message_digest)


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

"""The way in. It reads like the line: receive → authenticate → parse → admit → verify → validate → last step → answer.

`answer` is the one place where an error becomes a fault.
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import (
    CertificateRejected,
    GatewayError,
    InternalError,
    NotAuthenticated,
    NotFound,
)
from gateway.messagesets import NO_FILES, Files, validate
from gateway.multipart import Package
from gateway.names import ANONYMOUS, answer_action
from gateway.parted import Parted
from gateway.pipeline.encryption import open_request, registered_recipient, signing_recipient
from gateway.pipeline.gate import Gate, policy_of
from gateway.pipeline.packages import way_out
from gateway.pipeline.refusal import Trail, count_tolerances, refuse
from gateway.pipeline.steps import LAST_STEPS, Request
from gateway.pipeline.switches import refuse_paused
from gateway.ports import Register
from gateway.routing import admit, certificate_refusal, represented
from gateway.security import Awaiting, Outgoing, SecurityPolicy, Verified, check_sealed, seal, verify, verify_body
from gateway.soap import Envelope, check_request, claimed_oin, parse, read_addressing
from gateway.values import Addressing, Certificate, Party, Permit, Purpose, Received, Reply


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admitted:
    """A request that was let in: everything up to, not including, its signature."""

    register: Register  # one state of the address book for the whole request
    permit: Permit
    envelope: Envelope
    addressing: Addressing
    arrived: "Arrived | None" = None  # of a request that came as MTOM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrived:
    """What came with a request in parts of their own (intake.py)."""

    awaiting: Awaiting
    parted: Parted | None  # None: it has no files
    files: Files


def answer(received: Received, gate: Gate) -> Reply:
    """One request → its answer, signed. Never raises."""
    trail = Trail(received=received)
    try:
        return answered(enter(received, gate, trail), gate, trail)
    except Exception as error:
        return refuse(trail, known_error(error), gate)


def answered(admitted: Admitted, gate: Gate, trail: Trail) -> Reply:
    """The rest of the line for a request that was let in. Raises GatewayError."""
    service, operation = admitted.permit.service, admitted.permit.operation
    octets = gate.dispatch(service.path, operation.name, lambda: serve(admitted, gate, trail))
    count_tolerances(trail, gate)
    gate.observe("answered", {"action": operation.action, "caller": admitted.permit.caller.slug})
    if trail.package is None:
        return Reply(status=200, octets=octets)
    return Reply(status=200, octets=octets, package=trail.package, content_type=trail.package.content_type)


def known_error(error: Exception) -> GatewayError:
    """Of our own mistake the peer learns only that it was one, the operator where."""
    if isinstance(error, GatewayError):
        return error
    mistake = InternalError(type(error).__name__)
    mistake.__cause__ = error
    return mistake


def decline(received: Received, error: GatewayError, gate: Gate) -> Reply:
    """The answer to a request that HTTP alone could refuse: a signed fault where the caller is known. Never raises."""
    trail = Trail(received=received)
    try:
        trail.caller = authenticate(trail, gate, gate.register())
    except GatewayError as unknown:
        return refuse(trail, unknown, gate)
    return refuse(trail, error, gate)


def enter(received: Received, gate: Gate, trail: Trail) -> Admitted:
    """receive → authenticate → parse → admit: the cheap refusals, before any signature is looked at.

    An envelope that the trail has is not parsed anew.
    """
    register = gate.register()
    caller = trail.caller = authenticate(trail, gate, register)
    service = gate.catalog.services.get(received.path)
    if service is None:
        raise NotFound(received.path)
    envelope = trail.envelope = trail.envelope or parse(received.octets, gate.limits)
    addressing = trail.addressing = read_addressing(envelope)
    check_request(addressing, received.soap_action, gate.addresses(service), gate.oin)
    permit = trail.permit = admit(
        service=service, action=addressing.action, body=envelope.child_name, caller=caller, register=register
    )
    if permit.encrypted:
        trail.recipient = registered_recipient(caller, gate, received.at)
    refuse_paused(service.key, gate.switches())
    return Admitted(register=register, permit=permit, envelope=envelope, addressing=addressing)


def authenticate(trail: Trail, gate: Gate, register: Register) -> Party:
    """Who the TLS certificate says is calling: checked anew per request, so that a revocation counts at once.

    Raises  NotAuthenticated, TrustStale.
    """
    try:
        certificate = trail.certificate = gate.check_caller(trail.received.peer, trail.received.at).certificate
        party = register.by_oin(certificate.oin)
        check_registered(certificate, party, Purpose.TLS, trail.received.at)
    except CertificateRejected as error:
        raise NotAuthenticated(error.detail) from error
    if party is None or not party.active:
        raise NotAuthenticated(f"OIN {certificate.oin} is no active party")
    return party


def serve(admitted: Admitted, gate: Gate, trail: Trail) -> bytes:
    """(decrypt) → verify → validate → last step → answer: the octets of the signed answer."""
    permit, register, now = admitted.permit, admitted.register, trail.received.at
    verified = trail.verified = _prove(admitted, policy_of(permit.caller, gate), gate, trail)
    check_registered(verified.signer, register.by_oin(verified.signer.oin), Purpose.SIGNING, now)
    message_set = gate.catalog.sets[permit.service.key]
    arrived = admitted.arrived
    files = arrived.files if arrived else NO_FILES
    message = validate(verified.child, permit.operation, message_set, files)
    if message_set.sealed:
        check_sealed(message.element)
    trail.header = message.header
    sender = represented(
        caller=permit.caller, signer_oin=verified.signer.oin, register=register,
        claimed=message.header.afzender if message.header else message.text("Namens"),
        from_oin=claimed_oin(admitted.addressing.sender),
    )
    signing = gate.signers.matching(verified.signature_method, now)  # nothing is accepted that could not be answered
    message_id, own_id = admitted.addressing.message_id, gate.new_id()
    request = Request(register=register, permit=permit, verified=verified, message=message, sender=sender, now=now,
                      message_id=message_id, parted=arrived.parted if arrived else None, files=files,
                      takes_mtom=trail.received.takes_mtom and trail.recipient is None)
    body, apart = way_out(LAST_STEPS[permit.operation.step](request, gate), mtom=request.takes_mtom, nonce=own_id)
    outgoing = Outgoing(
        action=answer_action(permit.operation.action), message_id=f"urn:uuid:{own_id}", to=ANONYMOUS,
        relates_to=message_id, confirmations=(b64encode(verified.signature_value).decode(),),
        body=body, recipient=trail.recipient,
    )
    octets = seal(outgoing, signing, now, own_id).octets
    if apart:
        trail.package = Package(boundary=gate.new_id(), root=octets, parts=apart)
    return octets


def _prove(admitted: Admitted, policy: SecurityPolicy, gate: Gate, trail: Trail) -> Verified:
    """The request as its signer made it; where 2W-be-SE is agreed, once it is known whom the answer is encrypted to."""
    permit, received, arrived = admitted.permit, trail.received, admitted.arrived
    if arrived is not None:
        return verify_body(arrived.awaiting, arrived.parted)
    if not permit.encrypted:
        return verify(admitted.envelope, policy, gate.check_signer, received.at)
    verified = open_request(admitted.envelope, permit, policy, received, gate)
    trail.recipient = trail.recipient or signing_recipient(verified, gate, received.at)
    return verified


def check_registered(certificate: Certificate, party: Party | None, purpose: Purpose, now: datetime) -> None:
    refusal = certificate_refusal(party, purpose, certificate.sha256, now) if party is not None else None
    if refusal is not None:
        raise CertificateRejected(refusal)

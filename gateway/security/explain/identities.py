"""Caller, signer and sender: who they are, and whether they go together (docs/contract.md §3)."""

from typing import Final

from cryptography import x509

from gateway.errors import CertificateRejected
from gateway.names import KN, clark
from gateway.security import _x509
from gateway.security.explain.case import Case, found
from gateway.soap import claimed_oin
from gateway.values import Diagnosis, Party

_BODY: Final = "/soap:Envelope/soap:Body/*"
_SENDER: Final = f"{clark(KN, 'Berichtheader')}/{clark(KN, 'Stuurgegevens')}/{clark(KN, 'Afzender')}"
_ON_BEHALF: Final = clark(KN, "Namens")


def identities(case: Case) -> list[Diagnosis] | None:
    """The three identities against the address book. Without TLS certificate the signer stands for the caller."""
    register, allowed = case.known.register, case.known.may_speak
    if register is None or allowed is None or not case.certificates:
        return None
    signer = oin_in(case.certificates[0])
    caller = signer if case.sent.peer is None else oin_in(case.sent.peer)
    if signer is None or caller is None:
        return None
    party = register.by_oin(caller)
    if party is None:
        return [found("caller-not-registered", "TLS", oin=caller)]
    claimed = _claimed(case)
    sender = register.by_id(claimed) if claimed else register.by_oin(signer)
    from_oin = claimed_oin(case.address("From"))
    if allowed(party, signer, claimed, from_oin):
        return []
    return [_why(case, signer=signer, caller=party, sender=sender)]


def _why(case: Case, *, signer: str, caller: Party, sender: Party | None) -> Diagnosis:
    if sender is None or not sender.active:
        return found("sender-not-registered", _BODY, caller=caller.oin, signer=signer)
    register, allowed = case.known.register, case.known.may_speak
    assert register is not None
    assert allowed is not None
    shown = {"caller": caller.oin, "signer": signer, "sender": sender.oin}
    if register.by_oin(signer) is None:
        return found("signer-not-registered", _BODY, **shown)
    if allowed(caller, signer, sender.id, None):
        return found("from-other-oin", "/soap:Envelope/soap:Header/wsa:From", caller=caller.oin, sender=sender.oin)
    return found("identities-differ", _BODY, **shown)


def _claimed(case: Case) -> str | None:
    """The id of the party in whose name the message says it speaks."""
    if case.message is None:
        return None
    value = case.message.findtext(_SENDER) or case.message.findtext(_ON_BEHALF)
    return value.strip().lower() if value else None


def oin_in(der: bytes) -> str | None:
    """The OIN a certificate names, if it names one."""
    try:
        return _x509.oin_of(x509.load_der_x509_certificate(der))
    except (*_x509.UNREADABLE, CertificateRejected):
        return None

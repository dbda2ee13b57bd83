"""A party changes a certificate: both lines of the address book hold at every request, by the request's own clock."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from gateway.errors import CertificateRejected, NotAuthenticated
from gateway.routing import AddressBook
from gateway.values import Purpose, Registered, Rollover
from tests.hostile.attack import Target, message
from tests.hostile.certificates import identity
from tests.line import code

DAY = timedelta(days=1)


def named(name: str, der: bytes) -> Registered:
    return Registered(name=name, sha256=sha256(der).hexdigest())


def register(target: Target, **facts: object) -> None:
    """Other facts about the municipality in the address book of this hub."""
    book = target.line.instance.read_register()
    changed = [replace(one, **facts) if one.slug == "gemeente" else one for one in book.everyone]
    target.line.gate = replace(target.line.gate, register=lambda: AddressBook(changed))


def change(purpose: Purpose, old: bytes, new: bytes, start: datetime) -> Rollover:
    return Rollover(purpose=purpose, old=named("old.pem", old), new=named("new.pem", new), accepted=start,
                    preferred=start + DAY, retired=start + 2 * DAY)


@pytest.mark.clause("§6.4", "PKI002")
@pytest.mark.parametrize("pinned", [False, True])
def test_a_signer_and_a_caller_change_their_certificates(fresh: Target, pinned: bool) -> None:
    line = fresh.line
    old = line.identity("gemeente")
    new = identity(line, until_days=300)
    old_tls, new_tls = line.peer("gemeente"), identity(line, purposes=("clientAuth",), until_days=300).certificate
    start = line.at + DAY
    pins = frozenset(sha256(one).hexdigest() for one in (old.certificate, old_tls)) if pinned else frozenset()
    register(fresh, pins=pins, rollovers=(change(Purpose.SIGNING, old.certificate, new.certificate, start),
                                          change(Purpose.TLS, old_tls, new_tls, start)))

    def verdicts() -> list[str | int]:
        """Old and new signer by the old or new caller, whichever is taken; then old and new caller."""
        peer = old_tls if line.at < start + 2 * DAY else new_tls
        signers = [code(line.post(fresh.signed(message(), identity=one), peer=peer)) or "ok" for one in (old, new)]
        signer = old if line.at < start + 2 * DAY else new
        callers = [line.post(fresh.signed(message(), identity=signer), peer=one).status for one in (old_tls, new_tls)]
        return [*signers, *callers]

    assert verdicts() == ["ok", "SKP015", 200, 403]  # announced
    assert "is announced, accepted from" in line.refusals()[-1]
    for _ in range(2):  # both accepted, new preferred
        line.skip(days=1)
        assert verdicts() == ["ok", "ok", 200, 200]
    line.skip(days=1)
    assert verdicts() == ["SKP015", "ok", 403, 200]  # old retired
    assert "tls certificate old.pem of gemeente was retired on" in line.refusals()[-1]


def test_a_rollover_lets_no_other_certificate_in(fresh: Target) -> None:
    """The announced one of another purpose, and one that nobody named, stay refused by the pins."""
    line = fresh.line
    old, new, third = line.identity("gemeente"), identity(line), identity(line, purposes=("clientAuth",))
    pins = frozenset(sha256(one).hexdigest() for one in (old.certificate, line.peer("gemeente")))
    register(fresh, pins=pins, rollovers=(change(Purpose.SIGNING, old.certificate, new.certificate, line.at - DAY),))
    fresh.still_serves("gemeente")
    fresh.repels(fresh.signed(identity=third), CertificateRejected, reason="not registered")
    fresh.repels(fresh.signed(), NotAuthenticated, peer=third.certificate, reason="not registered")
    assert code(line.post(fresh.signed(identity=new))) is None


def test_a_rollover_of_one_party_is_no_word_about_another(fresh: Target) -> None:
    """A certificate counts for the OIN it holds, whoever names it in a rollover."""
    line = fresh.line
    foreign_one = line.identity("energie")
    register(fresh, rollovers=(change(Purpose.SIGNING, line.identity("gemeente").certificate,
                                      foreign_one.certificate, line.at - DAY),))
    reply = line.post(fresh.signed(message(), identity=foreign_one))
    assert code(reply) == "SKP003"

"""Which fetched revocation list replaces the one in hand, and when a list lapses."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import Misconfigured, TrustStale
from gateway.security import Usage, accept_list, lapses
from gateway.security.pki import CertificateCache, build_trust, check_certificate
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key, revocation_list
from tests.conftest import Pki

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Ca:
    """One CA and the lists it publishes around `now`."""

    def __init__(self, pki: Pki, name: str = "Voorbeeld CA lijst") -> None:
        self.now = pki.now
        spec = CertificateSpec(file="ca", name=name, authority=True, usage=("keyCertSign", "cRLSign"))
        self.pair: Pair = issue(spec, new_key("P-256"), issuer=None, now=pki.now)
        self.source = (name, self.pair.certificate.public_bytes(Encoding.DER))

    def crl(self, *, number: int = 1, since: timedelta = -HOUR, until: timedelta = DAY, revoked: tuple = ()) -> bytes:
        made = revocation_list(self.pair, revoked, this_update=self.now + since, next_update=self.now + until,
                               number=number)
        return made.public_bytes(Encoding.DER)

    def take(self, fetched: bytes, kept: bytes | None) -> bytes:
        return accept_list(fetched, kept, [self.source], source="http://ca.example/ca.crl", now=self.now)


@pytest.fixture(scope="module")
def ca(pki: Pki) -> Ca:
    return Ca(pki)


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


@pytest.mark.clause("WT004", "PKI003")
def test_a_newer_list_replaces_the_one_in_hand(ca: Ca) -> None:
    old, new = ca.crl(), ca.crl(number=2, since=-HOUR / 2)
    assert ca.take(new, old) == new
    assert ca.take(pem(new), old) == pem(new)
    assert ca.take(new, None) == new
    assert ca.take(new, b"spoilt") == new  # a file that broke is healed


def test_the_same_list_leaves_the_octets_in_hand(ca: Ca) -> None:
    der = ca.crl()
    for kept in (der, pem(der)):
        for fetched in (der, pem(der)):
            assert ca.take(fetched, kept) is kept


@pytest.mark.clause("PKI003", "§6.3")
@pytest.mark.parametrize(("changes", "reason"), [
    ({"number": 1}, "it is older than the one in hand"),  # another list, number gone back
    ({"number": 3, "since": -2 * HOUR}, "it is older than the one in hand"),
    ({"number": 9, "since": HOUR}, "which is not now"),
    ({"number": 9, "until": -HOUR / 2}, "which is not now"),
])
def test_an_older_or_untimely_list_is_refused(ca: Ca, changes: dict, reason: str) -> None:
    kept = ca.crl(number=2)
    with pytest.raises(Misconfigured) as caught:
        ca.take(ca.crl(**{"since": -HOUR / 2, **changes}), kept)
    assert reason in caught.value.detail
    assert "http://ca.example/ca.crl" in caught.value.detail


@pytest.mark.clause("PKI003", "§6.3")
def test_a_list_by_another_signer_or_of_another_ca_is_refused(ca: Ca, pki: Pki) -> None:
    twin, other = Ca(pki), Ca(pki, "Voorbeeld andere CA lijst")
    kept = ca.crl()
    tampered = bytearray(ca.crl(number=2, since=-HOUR / 2))
    tampered[-1] ^= 1
    for octets, reason in ((twin.crl(number=2), "none of the trust anchors signed it"),
                           (bytes(tampered), "none of the trust anchors signed it"),
                           (b"<html>404</html>", "cannot be read"), (b"", "cannot be read"),
                           (pem(ca.crl()) + pem(ca.crl(number=2)), "holds several lists")):
        with pytest.raises(Misconfigured) as caught:
            ca.take(octets, kept)
        assert reason in caught.value.detail
    for stranger in (other, twin):  # another name; the same name, another key: a CA that has a new one
        with pytest.raises(Misconfigured, match="the one in hand is that of CN=Voorbeeld CA lijst"):
            accept_list(stranger.crl(number=2), kept, [ca.source, stranger.source], source="u", now=ca.now)


# --- when it lapses ------------------------------------------------------------------------------------------


def snapshot(ca: Ca, crl: bytes | None, *, proven: timedelta = timedelta(), max_age: timedelta = 4 * HOUR):
    return build_trust([ca.source], [("ca.crl", crl)] if crl else [], loaded_at=ca.now, max_age=max_age,
                       proven={"ca.crl": ca.now - proven})


@pytest.mark.parametrize(("until", "proven", "max_age", "lapses_in", "alarms_in", "cause"), [
    # of a list that lives for days its nextUpdate counts, and the alarm goes the configured time before it
    (30 * DAY, 0 * HOUR, 999 * DAY, 30 * DAY, 29 * DAY, "renew"),
    # of one that lives for hours it goes at half of them
    (3 * HOUR, 0 * HOUR, 999 * DAY, 3 * HOUR, 1 * HOUR, "renew"),
    # one that nobody proved lapses by its age, however long the CA gave it
    (30 * DAY, 0 * HOUR, 4 * HOUR, 4 * HOUR, 2 * HOUR, "proven"),
    (30 * DAY, 3 * HOUR, 4 * HOUR, 1 * HOUR, -1 * HOUR, "proven"),
])
def test_a_list_lapses_and_alarms_before_it(
    ca: Ca, until: timedelta, proven: timedelta, max_age: timedelta, lapses_in: timedelta, alarms_in: timedelta,
    cause: str,
) -> None:
    (lapse,) = lapses(snapshot(ca, ca.crl(until=until), proven=proven, max_age=max_age), DAY)
    second = timedelta(seconds=1)
    assert lapse.at is not None
    assert abs(lapse.at - ca.now - lapses_in) <= second
    assert abs(lapse.alarm_at - ca.now - alarms_in) <= second
    assert cause in lapse.cause
    assert not lapse.alarms(lapse.alarm_at - second)
    assert lapse.alarms(lapse.alarm_at)


def test_a_ca_without_a_list_alarms_at_once(ca: Ca) -> None:
    (lapse,) = lapses(snapshot(ca, None), DAY)
    assert (lapse.at, lapse.alarms(ca.now)) == (None, True)


@pytest.mark.clause("PKI003", "WT004")
def test_trust_ends_when_the_list_was_not_proven_current_for_too_long(ca: Ca) -> None:
    """Fail closed, by the cached verdict too; and good again once the list is proven anew."""
    spec = CertificateSpec(file="x", name="x", oins=("00000099000000050000",), purposes=("clientAuth",))
    leaf = issue(spec, new_key("P-256"), issuer=ca.pair, now=ca.now).certificate.public_bytes(Encoding.DER)
    crl, cache = ca.crl(until=30 * DAY), CertificateCache()
    old, fresh = snapshot(ca, crl, proven=3 * HOUR), snapshot(ca, crl)
    assert old.version == fresh.version
    later = ca.now + HOUR + timedelta(seconds=1)
    for check in (check_certificate, cache.check):
        assert check(leaf, old, ca.now, usage=Usage.CLIENT)
        with pytest.raises(TrustStale, match=r"ca\.crl: revocation list, last proven .* is over 4:00:00 old"):
            check(leaf, old, later, usage=Usage.CLIENT)
        assert check(leaf, fresh, later, usage=Usage.CLIENT)

"""The hub's own signing certificates: of the list, only one in force ever signs."""

from base64 import b64decode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.names import WSSE, clark
from gateway.pipeline import Signers
from gateway.security.keys import SigningKey
from gateway.security.throwaway import EXAMPLE_HUB_OIN, CertificateSpec, issue, new_key
from gateway.values import Reply
from tests.hostile.attack import Target, message
from tests.hostile.certificates import authority


def hub_key(target: Target, *, key: str = "RSA-2048", from_days: int = -1, until_days: int = 300) -> SigningKey:
    own, at = new_key(key), target.line.at
    spec = CertificateSpec(file="hub", name="Voorbeeldknooppunt", oins=(EXAMPLE_HUB_OIN,), key=key,
                           from_days=from_days, until_days=until_days)
    made = issue(spec, own, issuer=authority(target.line), now=at).certificate
    return SigningKey(certificate=made.public_bytes(Encoding.DER), private_key=own,
                      family="rsa" if key.startswith("RSA") else "ecdsa", oin=EXAMPLE_HUB_OIN,
                      not_before=made.not_valid_before_utc, not_after=made.not_valid_after_utc)


def sign_with(target: Target, *keys: SigningKey) -> None:
    target.line.gate = replace(target.line.gate, signers=Signers(keys=keys))


def token(reply: Reply) -> bytes:
    return b64decode(etree.fromstring(reply.octets).findtext(f".//{clark(WSSE, 'BinarySecurityToken')}"))


@pytest.fixture(scope="module")
def keys(target: Target) -> dict[str, SigningKey]:
    return {"next": hub_key(target, from_days=2), "now": hub_key(target), "gone": hub_key(target, from_days=-9,
                                                                                         until_days=-1),
            "ec": hub_key(target, key="P-256"), "ec-next": hub_key(target, key="P-256", from_days=2)}


@pytest.mark.clause("PKI002", "§6.4")
@pytest.mark.parametrize(("listed", "party", "signs"), [
    (("next", "now"), "gemeente", "now"),  # the newest waits for its day
    (("now", "gone"), "gemeente", "now"),
    (("gone", "now"), "gemeente", "now"),  # an expired one at the top is passed over
    (("now", "ec"), "gemeente", "now"),
    (("now", "ec"), "deurwaarder", "ec"),  # in the family of the request
    (("now", "ec-next"), "deurwaarder", "now"),  # the family has none in force: any other will do
])
def test_only_a_certificate_in_force_signs(
    target: Target, keys: dict[str, SigningKey], listed: tuple[str, ...], party: str, signs: str,
) -> None:
    before = target.line.gate
    sign_with(target, *(keys[one] for one in listed))
    reply = target.line.send(b'<Ping xmlns="urn:schuldenknooppunt:knooppunt:1.0"/>',
                             path="/soap/knooppunt/1.0/beheer", party=party)
    target.line.gate = before
    assert reply.status == 200
    assert token(reply) == keys[signs].certificate


def test_the_next_certificate_signs_from_its_first_day(fresh: Target, keys: dict[str, SigningKey]) -> None:
    sign_with(fresh, keys["next"], keys["now"])
    assert token(fresh.line.post(fresh.signed(message()))) == keys["now"].certificate
    fresh.line.skip(days=2, seconds=1)
    assert token(fresh.line.post(fresh.signed(message()))) == keys["next"].certificate


def test_without_a_certificate_in_force_nothing_is_accepted_and_nothing_signed(
    fresh: Target, keys: dict[str, SigningKey],
) -> None:
    """Not the message, as its receipt could not be signed; and no fault with an expired signature either."""
    sign_with(fresh, keys["next"], keys["gone"])
    for octets in (fresh.signed(message()), b"<nonsense"):
        reply = fresh.line.post(octets)
        assert (reply.status, reply.content_type) == (500, "text/plain; charset=utf-8")
    assert fresh.line.rows("messages") == 0
    assert [event for event, _ in fresh.line.events].count("answer-not-signed") == 2
    assert "no certificate of [signing] is in force" in fresh.line.refusals()[0]

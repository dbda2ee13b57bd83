"""What being accepted means: a signed receipt for exactly what was sent, and the addressee gets exactly that."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from lxml import etree

from gateway.values import Reply
from tests import foreign
from tests.foreign import D, S
from tests.hostile.attack import Target, message
from tests.line import KN, POSTBUS, code
from tests.tolerant.writing import Style, compose, sign


@dataclass(kw_only=True)
class Host:
    """A hub, and a municipality that writes to it."""

    target: Target

    def write(self, text: str | None = None, *, identity: foreign.Identity | None = None, **style: object) -> bytes:
        """A signed envelope around a message element, in a style (fields of writing.Style)."""
        identity = identity or self.target.line.identity("gemeente")
        text, made = text or body_text(message()), Style(**style)
        return sign(compose(text, self.target.line, identity, made), identity, made)

    def takes(self, octets: bytes, *, soap_action: str | None = '""') -> Reply:
        """Accepted, receipted with proof, and delivered unchanged."""
        line = self.target.line
        before = line.rows("messages")
        reply = line.post(octets, soap_action=soap_action)
        assert (reply.status, code(reply)) == (200, None), line.refusals()[-1:]
        assert line.rows("messages") == before + 1
        root = etree.fromstring(octets)
        value = "".join(next(root.iter(f"{{{D}}}SignatureValue")).text.split())
        envelope = self.target.verify_answer(reply, value)
        sent = foreign.canonical(root.find(f"{{{S}}}Body")[0])
        receipt = {etree.QName(one).localname: one.text for one in envelope.child}
        assert receipt["BerichtDigest"] == b64encode(hashlib.sha256(sent).digest()).decode()
        assert foreign.canonical(self.collect(receipt["Referentienummer"])) == sent
        return reply

    def collect(self, number: str) -> etree._Element:
        """The message element as its addressee gets it."""
        child = f'<HaalBerichtOp xmlns="{KN}"><Referentienummer>{number}</Referentienummer></HaalBerichtOp>'
        reply = self.target.line.send(child.encode(), path=POSTBUS, party="energie")
        assert (reply.status, code(reply)) == (200, None)
        return next(etree.fromstring(reply.octets).iter("{urn:schuldenknooppunt:schuldregeling:2.0}Kennisgeving"))


def body_text(octets: bytes) -> str:
    """A message element without the XML declaration of its file."""
    text = octets.decode()
    return text[text.index("?>") + 2:].strip() if text.startswith("<?xml") else text

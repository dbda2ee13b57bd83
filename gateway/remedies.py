"""Refusals that several rooms give and that name a remedy."""

from gateway.errors import TooLarge
from gateway.values import Finding


def too_large(detail: str) -> TooLarge:
    """A request that is too large for one XML document: files can go beside it."""
    error = TooLarge(detail)
    error.findings = (Finding(
        xpath="/", rule="mtom-nodig",
        nl="Het bericht past niet in één XML-document. Stuur de bijlagen als delen naast het bericht (MTOM), of "
           "verklein of verdeel ze.",
        en="The message does not fit in one XML document. Send the attachments as parts beside the message (MTOM), or "
           "reduce or divide them."),)
    return error

"""The two lines: from octets to a receipt, and from the mailbox out again."""

from gateway.pipeline.gate import Encryption, Gate, Signers
from gateway.pipeline.inbound import answer, decline

__all__ = ["Encryption", "Gate", "Signers", "answer", "decline"]

"""The two lines: from octets to a receipt, and from the mailbox out again."""

from gateway.pipeline.explaining import knowledge
from gateway.pipeline.gate import Encryption, Gate, Signers
from gateway.pipeline.inbound import answer, decline
from gateway.pipeline.intake import Intake, begin
from gateway.pipeline.notices import lapsed
from gateway.pipeline.outbound import Outlet, deliver
from gateway.pipeline.refusal import write_tally
from gateway.pipeline.tally import Tally

__all__ = [
    "Encryption", "Gate", "Intake", "Outlet", "Signers", "Tally", "answer", "begin", "decline", "deliver",
    "knowledge", "lapsed", "write_tally",
]

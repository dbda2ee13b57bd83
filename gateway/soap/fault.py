"""Faults: the error table as SOAP 1.1 on the wire, and a fault read back by a caller.

Every fault holds detail/kn:Foutbericht, security refusals too: without its ticket nobody could ask for the reason
(docs/decisions/0003).
"""

from collections.abc import Iterable
from datetime import datetime

from gateway.errors import GatewayError, row
from gateway.names import FAULT_ACTION, KN, SOAP_FAULT_ACTION, clark
from gateway.soap._xml import declare, leaf, stamp, text
from gateway.soap.envelope import Element, Envelope
from gateway.tolerances import Tolerance
from gateway.values import FaultSeen, Finding, Remark


def fault_action(error: GatewayError) -> str:
    """The wsa:Action of the fault (WS-Addressing 1.0 SOAP Binding §6)."""
    return FAULT_ACTION if row(error).faultcode.startswith("wsa:") else SOAP_FAULT_ACTION


def fault_prefixes(error: GatewayError) -> tuple[str, ...]:
    """Prefixes that stand only in the text of faultcode: the signature must protect their meaning (exc-c14n §2.1)."""
    prefix = row(error).faultcode.partition(":")[0]
    return () if prefix == "soap" else (prefix,)


def write_fault(
    error: GatewayError, *, ticket: str, at: datetime, referentienummer: str | None = None,
    tolerated: Iterable[Tolerance] = (),
) -> bytes:
    """The Body's child, canonical where the prefix soap is in scope; `tolerated` are remarks beside the error.

    Children and order by SOAP 1.1 §4.4; no dot notation (BP R1031); kn:Foutbericht as docs/contract.md §7.
    """
    line = row(error)
    label = f"[{line.wus}] {line.text}" if line.wus else line.text
    code = text(line.faultcode)
    return (
        f"<soap:Fault><faultcode{declare(*fault_prefixes(error))}>{code}</faultcode>"
        f"<faultstring>{text(label)}</faultstring>"
        f"<detail><kn:Foutbericht{declare('kn')}>"
        + leaf("kn:Code", line.code)
        + leaf("kn:WusCode", line.wus)
        + leaf("kn:Plek", line.plek)
        + leaf("kn:Omschrijving", line.text)
        + leaf("kn:Description", line.text_en)
        + leaf("kn:Referentienummer", referentienummer)
        + leaf("kn:Ticket", ticket)
        + leaf("kn:Tijdstip", stamp(at))
        + _findings(error.findings)
        + _remarks(tolerated)
        + "</kn:Foutbericht></detail></soap:Fault>"
    ).encode()


def _findings(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    lines = (
        "<kn:Bevinding>"
        + leaf("kn:XPath", finding.xpath)
        + leaf("kn:Regel", finding.rule)
        + leaf("kn:Omschrijving", finding.nl)
        + leaf("kn:Description", finding.en)
        + "</kn:Bevinding>"
        for finding in findings
    )
    return f"<kn:Bevindingen>{''.join(lines)}</kn:Bevindingen>"


def _remarks(tolerated: Iterable[Tolerance]) -> str:
    lines = "".join(
        f"<kn:Opmerking>{leaf('kn:Code', one.id)}{leaf('kn:Omschrijving', one.nl)}{leaf('kn:Description', one.en)}"
        "</kn:Opmerking>"
        for one in tolerated
    )
    return f"<kn:Opmerkingen>{lines}</kn:Opmerkingen>" if lines else ""


def read_fault(envelope: Envelope) -> FaultSeen:
    """What a fault says, as far as it says it."""
    fault = envelope.child
    detail = fault.find(f"detail/{clark(KN, 'Foutbericht')}")

    def field(name: str) -> str | None:
        return None if detail is None else detail.findtext(clark(KN, name))

    def several(group: str, name: str) -> list[Element]:
        return [] if detail is None else detail.findall(f"{clark(KN, group)}/{clark(KN, name)}")

    return FaultSeen(
        faultcode=fault.findtext("faultcode") or "",
        faultstring=fault.findtext("faultstring") or "",
        code=field("Code"),
        ticket=field("Ticket"),
        omschrijving=field("Omschrijving"),
        findings=tuple(
            Finding(
                xpath=one.findtext(clark(KN, "XPath")) or "",
                rule=one.findtext(clark(KN, "Regel")) or "",
                nl=one.findtext(clark(KN, "Omschrijving")) or "",
                en=one.findtext(clark(KN, "Description")) or "",
            )
            for one in several("Bevindingen", "Bevinding")
        ),
        remarks=tuple(
            Remark(
                code=one.findtext(clark(KN, "Code")) or "",
                nl=one.findtext(clark(KN, "Omschrijving")) or "",
                en=one.findtext(clark(KN, "Description")) or "",
            )
            for one in several("Opmerkingen", "Opmerking")
        ),
    )

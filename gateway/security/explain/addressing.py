"""WS-Addressing and the operation: To, Action, the Body's element and SOAPAction must name one thing.

Sources: Digikoppeling WA001, WS002; WS-Addressing 1.0 SOAP Binding §4.2; docs/profile.md §5.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from lxml import etree

from gateway.names import ANONYMOUS, ANSWER_SUFFIX, BASE, NO_ADDRESS, WSA, WSA_OLD, clark
from gateway.security.explain.case import Case, found
from gateway.soap import Element, claimed_oin, is_message_id
from gateway.values import Diagnosis, Operation, Service

_HEADER: Final = "/soap:Envelope/soap:Header"
_MAX_VALUE: Final = 1024
_VERSIONED: Final = re.compile(re.escape(BASE) + r":([a-z-]{1,40}):(\d{1,2}\.\d{1,2})")


def addressing(case: Case) -> list[Diagnosis] | None:
    """To, Action, MessageID present and of the right form; ReplyTo and FaultTo anonymous; no RelatesTo."""
    if case.header is None or any(etree.QName(one).namespace in WSA_OLD for one in case.blocks):
        return None
    wrong = [found("wsa-missing", _HEADER, header=name) for name in ("To", "Action", "MessageID")
             if not case.address(name)]
    for block in case.blocks:
        wrong += _value(block)
    message_id = case.address("MessageID")
    if message_id and not is_message_id(message_id):
        wrong.append(found("message-id-form", f"{_HEADER}/wsa:MessageID"))
    if case.block("RelatesTo") is not None:
        wrong.append(found("relates-to-in-request", f"{_HEADER}/wsa:RelatesTo"))
    if case.address("ReplyTo") not in (None, ANONYMOUS):
        wrong.append(found("reply-to-not-anonymous", f"{_HEADER}/wsa:ReplyTo"))
    if case.address("FaultTo") not in (None, ANONYMOUS, NO_ADDRESS):
        wrong.append(found("fault-to-not-anonymous", f"{_HEADER}/wsa:FaultTo"))
    return wrong + _to(case)


def _value(block: Element) -> list[Diagnosis]:
    """The shape of one block: text, or one Address."""
    name = etree.QName(block)
    if name.namespace != WSA:
        return []
    if name.localname in ("From", "ReplyTo", "FaultTo"):
        if [one.tag for one in block.iterchildren("{*}*")] != [clark(WSA, "Address")]:
            return [found("endpoint-reference", block, header=name.localname)]
    elif len(block):
        return [found("wsa-value-form", block)]
    return [found("wsa-value-form", block)] if len("".join(block.itertext())) > _MAX_VALUE else []


def _to(case: Case) -> list[Diagnosis]:
    """How wsa:To differs from the addresses of the service."""
    to, service, known = case.address("To"), case.service(), case.known
    if not to or known.addresses is None or to == ANONYMOUS:
        return []
    place = f"{_HEADER}/wsa:To"
    if known.hub_oin is not None and claimed_oin(to) not in (None, known.hub_oin):
        return [found("to-other-oin", place, hub=known.hub_oin)]
    if service is None:
        return [found("to-no-service", place)]
    address = re.sub(r"\?OIN=[0-9A-Za-z]{20}", "", to, count=1)
    wanted = known.addresses(service)
    return [] if address in wanted else [_mismatch(address, wanted, place)]


def _mismatch(address: str, wanted: Collection[str], place: str) -> Diagnosis:
    best = sorted(wanted)[0] if wanted else ""
    try:
        ours = [urlsplit(one) for one in sorted(wanted)]
        theirs = urlsplit(address)
        port = theirs.port
    except ValueError:
        return found("to-other-path", place, address=best)
    for identifier, differs in (
        ("to-query", bool(theirs.query or theirs.fragment)),
        ("to-other-path", all(theirs.path != one.path for one in ours)),
        ("to-other-scheme", all(theirs.scheme != one.scheme for one in ours)),
        ("to-other-host", all(theirs.hostname != one.hostname for one in ours)),
        ("to-other-port", all(port != one.port for one in ours)),
    ):
        if differs:
            return found(_slash(theirs, ours, identifier), place, address=best)
    return found("to-spelling", place, address=best)


def _slash(theirs: SplitResult, ours: list[SplitResult], identifier: str) -> str:
    only = identifier == "to-other-path" and any(theirs.path.rstrip("/").lower() == one.path.lower() for one in ours)
    return "to-spelling" if only else identifier


def operation(case: Case) -> list[Diagnosis] | None:
    """SOAPAction, wsa:Action and the Body's element name one operation of the service."""
    action = case.address("Action")
    if not action:
        return None
    wrong = _soap_action(case, action)
    services, service = case.known.services, case.service()
    if services is None or case.message is None or case.encrypted:
        return wrong if case.sent.soap_action is not None else None
    place = f"{_HEADER}/wsa:Action"
    known = {one for each in services.values() for one in each.operations}
    if action not in known:
        return [*wrong, *_unknown_action(action, known, place)]
    name = etree.QName(case.message)
    body = (name.namespace or "", name.localname)
    asked = next(each.operations[action] for each in services.values() if action in each.operations)
    if body != (asked.namespace, asked.name):
        wrong.append(_other_body(body, asked))
    elif service is not None and action not in service.operations:
        wrong.append(found("action-of-other-service", place, paths=_paths(action, services)))
    return wrong


def _soap_action(case: Case, action: str) -> list[Diagnosis]:
    wanted = (case.sent.soap_action or "").strip()
    if len(wanted) >= 2 and wanted[0] == wanted[-1] == '"':
        wanted = wanted[1:-1]
    return [] if wanted in ("", action) else [found("soap-action-differs", "HTTP/SOAPAction")]


def _unknown_action(action: str, known: set[str], place: str) -> list[Diagnosis]:
    if action.endswith(ANSWER_SUFFIX) and action.removesuffix(ANSWER_SUFFIX) in known:
        return [found("action-of-answer", place)]
    local = re.split(r"[:/#]", action)[-1]
    same = sorted(one for one in known if one.rpartition(":")[2] == local)
    if same and not action.startswith(BASE):
        return [found("action-without-namespace", place, action=same[0])]
    if same:
        return [found("action-other-version", place, actions=", ".join(same)[:300])]
    return [found("action-unknown", place)]


def _other_body(body: tuple[str, str], asked: Operation) -> Diagnosis:
    """The Body holds the right element of another version, or another element."""
    place = "/soap:Envelope/soap:Body/*"
    theirs, ours = _VERSIONED.fullmatch(body[0]), _VERSIONED.fullmatch(asked.namespace)
    if theirs and ours and body[1] == asked.name and theirs[1] == ours[1]:
        return found("body-other-version", place, namespace=asked.namespace, version=theirs[2])
    if body[1] == asked.name:
        return found("body-other-namespace", place, namespace=asked.namespace)
    return found("body-other-element", place, element=asked.name)


def _paths(action: str, services: Mapping[str, Service]) -> str:
    return ", ".join(sorted(path for path, one in services.items() if action in one.operations))

"""The step from a verified body to a Message: all that can be said about one message by itself.

1. The element is the operation's own, and holds no attribute of the XML Schema instance namespace.
2. The schema accepts it.
3. Its header names this message type and version.
4. No rule of the shared set or of its own set is broken.
5. The named checks hold, and a BSN stands where it must and nowhere else.
6. The outcomes that the choreography asks for are found.

Of a sealed message the same is asked of its header alone: steps 1 to 3, the shared rules, attachments of the header.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from lxml import etree

from gateway.errors import AttachmentWrong, BsnNotAllowed, GatewayError, NotXml, SchemaInvalid, VersionNotAgreed
from gateway.messagesets._texts import check_finding
from gateway.messagesets._xpath import parser
from gateway.messagesets.checks import (
    NO_FILES,
    Files,
    Wrong,
    check_accounts,
    check_attachments,
    check_bsn,
    check_contacts,
    has_text,
)
from gateway.messagesets.message import Message, read_fields, read_header, read_term
from gateway.messagesets.rules import Rulebook, broken_rules
from gateway.messagesets.schema import MAX_FINDINGS
from gateway.messagesets.sealed import check_shape, is_sealed
from gateway.messagesets.sets import MessageSet, Requirements
from gateway.names import XSI, clark
from gateway.values import Finding, Header, MessageType, Operation

# libxml2 would follow xsi:schemaLocation; xsi:type and xsi:nil are outside the profile (BP R1017).
_XSI = etree.XPath("descendant-or-self::*/@xsi:*/..", namespaces={"xsi": XSI})

# For each character that a pattern might have to go back to, libxml2 keeps 36 octets: a value of 10 MB takes 350 MB and
# a second. So values that no type would take are refused unread; attachments may be long, and have no pattern.
_MAX_VALUE = 8192  # characters, white space around them included; the longest type has 4000
_LONG_VALUES = etree.XPath(f"descendant::text()[string-length() > {_MAX_VALUE}]/..")

# libxml2 tells of each mistake, in 3 microseconds; 64 unknown attributes on each of 500 claims cost half a second.
_MAX_ATTRIBUTES = 100  # of a message whose schema has none
_MANY_ATTRIBUTES = etree.XPath(f"count(descendant-or-self::*/@*) > {_MAX_ATTRIBUTES}")
_ATTRIBUTED = etree.XPath("descendant-or-self::*[@*]")

# All asked as one question first: a path to attributes costs a sixth of a predicate on each element, and nearly no
# message has a long value, which only one with much text can have. Counted, as boolean() would sort what it found.
_LOOK_CLOSER = etree.XPath(
    f"count(descendant-or-self::*/@xsi:*) > 0 or count(descendant-or-self::*/@*) > {_MAX_ATTRIBUTES}"
    f" or string-length() > {_MAX_VALUE}", namespaces={"xsi": XSI})


def validate(element: "etree._Element", asked: Operation | MessageType, message_set: MessageSet,
             files: Files = NO_FILES) -> Message:
    """Judge the one child of a verified soap:Body; the element is read where it stands and never changed.

    `files`: what is known of attachments that came apart, by the placeholder that stands in the place of each.

    Raises SchemaInvalid, VersionNotAgreed, AttachmentWrong, BsnNotAllowed, each with its findings.
    """
    message_type = asked.message_type if isinstance(asked, Operation) else asked
    name = asked.name if isinstance(asked, Operation) else asked.element
    if element.tag != clark(message_set.namespace, name):
        raise SchemaInvalid((check_finding("element-name", "/*"),))
    if message_set.sealed and message_type is not None:
        return _sealed_message(element, message_type, message_set, files)
    return _message(element, message_type, message_set, files)


def _sealed_message(element: "etree._Element", message_type: MessageType, message_set: MessageSet,
                    files: Files) -> Message:
    """All that can be said about a message whose content is not for us: its header, by schema, rules and checks.

    Whether it holds a BSN is known only where its type says that it always does.
    """
    place, needed = f"/{message_set.prefix}:{message_type.element}", message_set.requirements[message_type.element]
    header_element = check_shape(element, place)
    _fits_schema(header_element, message_set)
    header = read_header(element, place)
    _is_as_declared(header, message_type, message_set)
    _meets_rules(element, needed.shared_books, message_set)
    _meets_attachment_checks(header_element, needed, message_set, files)
    return Message(element=element, element_name=message_type.element, header=header,
                   has_bsn=message_type.bsn == "always")


def _message(element: "etree._Element", message_type: MessageType | None, message_set: MessageSet,
             files: Files = NO_FILES) -> Message:
    """Steps 2 to 6, of a message that can be read."""
    name = etree.QName(element).localname
    _fits_schema(element, message_set)
    if message_type is None:
        return Message(element=element, element_name=name, header=None, fields=read_fields(element))
    place = f"/{message_set.prefix}:{name}"
    header = read_header(element, place)
    _is_as_declared(header, message_type, message_set)
    needed = message_set.requirements[name]
    _meets_rules(element, needed.books, message_set)
    vocabulary = message_set.schema.vocabulary
    there = frozenset([str(node.tag) for node in element.iter(*vocabulary.marked)])
    has_bsn = not there.isdisjoint(vocabulary.bsn) and has_text(element, vocabulary.bsn)
    if there:
        _meets_checks(element, needed, message_set, files, there)
    _bsn_belongs(element, has_bsn, message_type, message_set)
    return Message(
        element=element,
        element_name=name,
        header=header,
        outcomes=frozenset([name for name, test in needed.outcomes if test(element, m=element)]),
        has_bsn=has_bsn,
        answer_by=read_term(needed.answer_by(element, m=element), place) if needed.answer_by else None,
    )


def _fits_schema(element: "etree._Element", message_set: MessageSet) -> None:
    if _LOOK_CLOSER(element):
        _holds_nothing_odd(element, message_set)
    found = message_set.schema.findings(element, message_set.naming)
    if found:
        raise SchemaInvalid(found)


def _holds_nothing_odd(element: "etree._Element", message_set: MessageSet) -> None:
    """No xsi attribute, no value longer than any type takes, attachments apart, and no crowd of unknown attributes."""
    schema = message_set.schema
    _refuse_odd("xsi-attribute", _XSI(element), element, message_set)
    _refuse_odd("value-length", [node for node in _LONG_VALUES(element) if node.tag not in schema.vocabulary.attached],
                element, message_set)
    if not schema.vocabulary.attributes and _MANY_ATTRIBUTES(element):
        _refuse_odd("attributes", _ATTRIBUTED(element), element, message_set)


def _refuse_odd(rule: str, nodes: "list[etree._Element]", element: "etree._Element", message_set: MessageSet) -> None:
    if nodes:
        raise SchemaInvalid(tuple(
            check_finding(rule, message_set.naming.xpath(node, element)) for node in nodes[:MAX_FINDINGS]))


def _is_as_declared(header: Header, message_type: MessageType, message_set: MessageSet) -> None:
    if header.berichttype == message_type.berichttype and header.versie == message_type.version:
        return
    place = f"/{message_set.prefix}:{message_type.element}/kn:Berichtheader/kn:Stuurgegevens/kn:"
    if header.berichttype != message_type.berichttype:
        raise SchemaInvalid((check_finding("berichttype", place + "Berichttype"),))
    raise _with_findings(
        VersionNotAgreed(f"Versie is not {message_type.version}"), (check_finding("versie", place + "Versie"),))


def _meets_rules(element: "etree._Element", books: tuple[Rulebook, ...], message_set: MessageSet) -> None:
    found: list[Finding] = []
    for book in books:
        found.extend(
            Finding(xpath=message_set.naming.xpath(node, element), rule=rule.id, nl=rule.nl, en=rule.en)
            for node, rule in islice(broken_rules(book, element), MAX_FINDINGS - len(found)))
    if found:
        raise SchemaInvalid(tuple(found))


def _meets_checks(element: "etree._Element", needed: Requirements, message_set: MessageSet,
                  files: Files, there: frozenset[str]) -> None:
    """`there`: of the marked elements those that stand in the message, found in one walk instead of one a check."""
    demand, vocabulary = needed.demand, message_set.schema.vocabulary
    if not there.isdisjoint(vocabulary.contact):
        _refuse_wrong(check_contacts(element, vocabulary.contact), element, message_set, SchemaInvalid)
    if "eleven-test" in demand.checks and not there.isdisjoint(vocabulary.bsn):
        _refuse_wrong(check_bsn(element, vocabulary.bsn), element, message_set, SchemaInvalid)
    if "mod-97" in demand.checks and not there.isdisjoint(vocabulary.iban):
        _refuse_wrong(check_accounts(element, vocabulary.iban), element, message_set, SchemaInvalid)
    if not there.isdisjoint(vocabulary.attached):
        _meets_attachment_checks(element, needed, message_set, files)


def _meets_attachment_checks(element: "etree._Element", needed: Requirements, message_set: MessageSet,
                             files: Files) -> None:
    demand, vocabulary = needed.demand, message_set.schema.vocabulary
    if "attachments" in demand.checks:
        wrong = check_attachments(element, vocabulary.attached, demand.attachments, files)
        _refuse_wrong(wrong, element, message_set,
                      lambda found: _with_findings(AttachmentWrong(_summary(found)), found))


def _refuse_wrong(wrong: Iterator[Wrong], element: "etree._Element", message_set: MessageSet,
                  error: Callable[[tuple[Finding, ...]], GatewayError]) -> None:
    found = tuple(
        check_finding(one.rule, message_set.naming.xpath(one.node, element)) for one in islice(wrong, MAX_FINDINGS))
    if found:
        raise error(found)


def _bsn_belongs(element: "etree._Element", has_bsn: bool, message_type: MessageType,
                 message_set: MessageSet) -> None:
    """A BSN where none may be, or none where one must be. Whether both parties may use one: routing knows."""
    if message_type.bsn == "never" and has_bsn:
        nodes = element.iter(*message_set.schema.vocabulary.bsn)
        found = tuple(check_finding("bsn-never", message_set.naming.xpath(node, element))
                      for node in islice(nodes, MAX_FINDINGS))
    elif message_type.bsn == "always" and not has_bsn:
        found = (check_finding("bsn-always", f"/{message_set.prefix}:{message_type.element}"),)
    else:
        return
    raise _with_findings(BsnNotAllowed(_summary(found)), found)


def _summary(found: tuple[Finding, ...]) -> str:
    return "; ".join(f"{finding.xpath}: {finding.rule}" for finding in found[:5])


def _with_findings(error: GatewayError, found: tuple[Finding, ...]) -> GatewayError:
    error.findings = found
    return error


def refuse_attachment(node: "etree._Element", rule: str, element: "etree._Element",
                      message_set: MessageSet) -> GatewayError:
    """The refusal of an attachment that is too much before all of it has come; `element` is the message."""
    found = (check_finding(rule, message_set.naming.xpath(node, element)),)
    return _with_findings(AttachmentWrong(_summary(found)), found)


def read_message(octets: bytes, find: Callable[[str], MessageSet | None], files: Files = NO_FILES) -> Message:
    """Judge a file that holds one message element (not an envelope); `find` gives the set of a namespace.

    An element that is no message but that the schema declares (an answer, a receipt) is judged by its schema alone.
    Raises NotXml, and what validate() raises.
    """
    try:
        element = etree.fromstring(octets, parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _with_findings(NotXml(), (check_finding("not-xml", "/"),)) from error
    if element.getroottree().docinfo.doctype:
        raise _with_findings(NotXml("DTD"), (check_finding("not-xml", "/"),))
    qname = etree.QName(element)
    message_set = find(qname.namespace or "")
    if message_set is None:
        raise SchemaInvalid((check_finding("namespace", "/*"),))
    asked = message_set.messages.get(qname.localname) or next(
        (operation for service in message_set.services.values() for operation in service.operations.values()
         if operation.name == qname.localname), None)
    if isinstance(asked, MessageType) and message_set.sealed and not is_sealed(element):
        return _message(element, asked, message_set, files)  # as its sender has it before, its addressee after
    if asked is not None:
        return validate(element, asked, message_set, files)
    _fits_schema(element, message_set)
    return Message(element=element, element_name=qname.localname, header=None, fields=read_fields(element))


def validate_text(octets: bytes, find: Callable[[str], MessageSet | None]) -> tuple[Finding, ...]:
    """The findings of `read_message`; none when the message is valid."""
    try:
        read_message(octets, find)
    except GatewayError as error:
        return error.findings
    return ()

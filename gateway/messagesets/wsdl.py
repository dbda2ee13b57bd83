"""Write the WSDL 1.1 of a message set: a pure function of the set, the same octets every time.

Document/literal wrapped, one portType per file (Digikoppeling WUS WS001-WS008, WW001-WW004; WS-I BP 1.1 §4). The
schemas are imported from where they lie on disk, so the same relative paths hold when they are served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from os.path import relpath
from xml.sax.saxutils import escape, quoteattr

from gateway import names
from gateway.messagesets.sets import MessageSet

BASE_URL = "https://localhost:8443"

_PROFILES = {
    "2W-be": "Digikoppeling WUS 2W-be: tweezijdig TLS; geen ondertekening.",
    "2W-be-S": "Digikoppeling WUS 2W-be-S: tweezijdig TLS en ondertekende berichten (WS-Security 1.1). Ondertekend "
               "zijn soap:Body, elke WS-Addressing-header, de Timestamp en het BinarySecurityToken.",
    "2W-be-SE": "Digikoppeling WUS 2W-be-SE: tweezijdig TLS, ondertekende berichten (WS-Security 1.1) en een na "
                "ondertekening versleutelde soap:Body (AES-256-GCM, sleutel met RSA-OAEP en SHA-256). Ondertekend zijn "
                "soap:Body, elke WS-Addressing-header, de Timestamp en het BinarySecurityToken.",
}
_SEALED = ("De inhoud is verzegeld: de afzender vervangt alles na kn:Berichtheader door een xenc:EncryptedData (XML "
           "Encryption 1.1, AES-256-GCM en RSA-OAEP met SHA-256) voor het certificaat van de ontvanger; het schema "
           "beschrijft het bericht daarvoor en daarna. ")
_TRANSPORT = ("Verplicht zijn TLS 1.2 of 1.3 met certificaten aan beide kanten (OIN in het serialNumber van het "
              "subject), SOAP 1.1 in UTF-8 en WS-Addressing 1.0. SOAPAction is leeg of gelijk aan wsa:Action.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    name: str
    request: str  # QName
    answer: str  # QName
    action: str
    documentation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contract:
    """One WSDL file."""

    stem: str  # of the file, and last part of address and namespace
    word: str  # for the names of service and portType
    documentation: str
    operations: tuple[_Operation, ...]


def write_wsdl(message_set: MessageSet, *, base_url: str = BASE_URL) -> dict[str, str]:
    """The WSDL files of a set: file name → text.

    For a module: `<role>.wsdl` with what that role may send to the hub, and `<role>-ontvangst.wsdl` with what a party
    in that role takes when messages are pushed to it. For the shared set: one file per service, and what the hub itself
    tells a party. `base_url` is the
    public address of the hub; a receiving party puts its own there.
    """
    contracts = (*_services(message_set), *_roles(message_set))
    return {f"{contract.stem}.wsdl": _document(message_set, contract, base_url) for contract in contracts}


def _roles(message_set: MessageSet) -> Iterable[_Contract]:
    title = f"{message_set.title_nl} {message_set.key.version}"
    for role in message_set.roles.values():
        directions = (("", "", True), ("-ontvangst", "Ontvangst", False))
        for suffix, word, sends in directions[1:] if message_set.core else directions:
            messages = [message for message in message_set.messages.values()
                        if role.name == (message.sender_role if sends else message.receiver_role)]
            if not messages:
                continue
            what = "wat deze rol aan het knooppunt stuurt" if sends else "wat het knooppunt bij deze rol bezorgt"
            yield _Contract(
                stem=role.endpoint + suffix,
                word=_word(role.endpoint) + word,
                documentation=f"{title}, rol {role.name} ({role.title_nl}): {what}.",
                operations=tuple(
                    _Operation(
                        name=message.element,
                        request=f"{message_set.prefix}:{message.element}",
                        answer="kn:Ontvangstbevestiging",
                        action=names.action(message.namespace, message.element),
                        documentation=f"{message.title_nl}, van {message.sender_role} aan {message.receiver_role}.",
                    ) for message in messages),
            )


def _services(message_set: MessageSet) -> Iterable[_Contract]:
    for rule in message_set.service_rules:
        yield _Contract(
            stem=rule.name,
            word=_word(rule.name),
            documentation=f"{message_set.title_nl} {message_set.key.version}: {rule.title_nl}.",
            operations=tuple(
                _Operation(
                    name=name,
                    request=f"{message_set.prefix}:{name}",
                    answer=f"{message_set.prefix}:{name}Antwoord",
                    action=names.action(message_set.namespace, name),
                    documentation=f"{rule.title_nl}: {name}.",
                ) for name in rule.operations),
        )


def _word(name: str) -> str:
    """`meldingen-bewindvoering` as MeldingenBewindvoering."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("_", "-").split("-"))


def _document(message_set: MessageSet, contract: _Contract, base_url: str) -> str:
    key = message_set.key
    suffix = "_v" + key.version.replace(".", "_")  # in names of service and portType (Best Practices WUS, versions)
    word = _word(key.module) + contract.word
    port = f"{word}{suffix}"
    own = "" if message_set.core else f'\n    xmlns:{message_set.prefix}="{message_set.namespace}"'
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<wsdl:definitions name="{word}Service{suffix}"\n    targetNamespace="{_namespace(message_set, contract)}"'
        f'\n    xmlns:tns="{_namespace(message_set, contract)}"{own}\n    xmlns:kn="{names.KN}"'
        f'\n    xmlns:wsdl="{names.WSDL}"\n    xmlns:soap="{names.WSDL_SOAP}"\n    xmlns:wsam="{names.WSAM}"'
        f'\n    xmlns:xsd="{names.XSD}">',
        f"  <wsdl:documentation>{escape(contract.documentation)} {_PROFILES[message_set.profile]} "
        f"{_SEALED if message_set.sealed else ''}{_TRANSPORT}"
        "</wsdl:documentation>",
        *_types(message_set),
        *_messages(contract),
        f'  <wsdl:portType name="{port}">', *(_abstract(operation) for operation in contract.operations),
        "  </wsdl:portType>",
        f'  <wsdl:binding name="{word}Binding{suffix}" type="tns:{port}">',
        f'    <soap:binding style="document" transport="{names.SOAP_HTTP}"/>',
        *(_bound(operation) for operation in contract.operations),
        "  </wsdl:binding>",
        f'  <wsdl:service name="{word}Service{suffix}">',
        f'    <wsdl:port name="{word}Port{suffix}" binding="tns:{word}Binding{suffix}">',
        f"      <soap:address location={quoteattr(f'{base_url}/soap/{key.module}/{key.version}/{contract.stem}')}/>",
        "    </wsdl:port>",
        "  </wsdl:service>",
        "</wsdl:definitions>",
    ]
    return "\n".join(parts) + "\n"


def _namespace(message_set: MessageSet, contract: _Contract) -> str:
    return f"{message_set.namespace}:wsdl:{contract.stem}"


def _types(message_set: MessageSet) -> Iterable[str]:
    """One schema that only imports; such a schema has no targetNamespace of its own (BP R2105)."""
    here = message_set.folder  # wsdl/<module>/<version>/ lies beside xsd/<module>/<version>/
    root = here.parent.parent
    first: dict[str, str] = {}
    files = message_set.schema.vocabulary.files
    included = {reference.path for file in files for reference in file.references
                if reference.namespace == file.namespace}
    for file in files:
        if file.path not in included:
            first.setdefault(file.namespace, relpath(file.path, root).replace("\\", "/"))
    yield "  <wsdl:types>"
    yield "    <xsd:schema>"
    for namespace, location in first.items():
        yield f'      <xsd:import namespace="{namespace}" schemaLocation="../../../{root.name}/{location}"/>'
    yield "    </xsd:schema>"
    yield "  </wsdl:types>"


def _messages(contract: _Contract) -> Iterable[str]:
    for operation in contract.operations:
        yield _message(operation.name, operation.request)
    for answer in dict.fromkeys(operation.answer for operation in contract.operations):
        yield _message(_answer_name(answer), answer)
    yield _message("Foutbericht", "kn:Foutbericht", part="fault")


def _message(name: str, element: str, part: str = "parameters") -> str:
    return (f'  <wsdl:message name="{name}">\n    <wsdl:part name="{part}" element="{element}"/>\n'
            "  </wsdl:message>")


def _answer_name(answer: str) -> str:
    return answer.partition(":")[2]


def _abstract(operation: _Operation) -> str:
    return "\n".join((
        f'    <wsdl:operation name="{operation.name}">',
        f"      <wsdl:documentation>{escape(operation.documentation)}</wsdl:documentation>",
        f'      <wsdl:input message="tns:{operation.name}" wsam:Action="{operation.action}"/>',
        f'      <wsdl:output message="tns:{_answer_name(operation.answer)}" '
        f'wsam:Action="{names.answer_action(operation.action)}"/>',
        f'      <wsdl:fault name="Foutbericht" message="tns:Foutbericht" wsam:Action="{names.SOAP_FAULT_ACTION}"/>',
        "    </wsdl:operation>",
    ))


def _bound(operation: _Operation) -> str:
    return "\n".join((
        f'    <wsdl:operation name="{operation.name}">',
        f'      <soap:operation soapAction="{operation.action}"/>',
        '      <wsdl:input><soap:body use="literal"/></wsdl:input>',
        '      <wsdl:output><soap:body use="literal"/></wsdl:output>',
        '      <wsdl:fault name="Foutbericht"><soap:fault name="Foutbericht" use="literal"/></wsdl:fault>',
        "    </wsdl:operation>",
    ))

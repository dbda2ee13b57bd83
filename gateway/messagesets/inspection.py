"""What must be true of a message set before it may be used: for `gateway sets check`, and for every build."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from lxml import etree

from gateway import errors
from gateway.errors import GatewayError
from gateway.messagesets._pattern import element_names
from gateway.messagesets.sets import MessageSet
from gateway.messagesets.validation import read_message
from gateway.messagesets.wsdl import write_wsdl
from gateway.names import KN, clark

_PROMISE = frozenset(("code", "xpath", "rule"))


def check_set(message_set: MessageSet, *, wsdl: Path) -> list[str]:
    """Every problem of one set, as text with file and remedy; none when it may be used.

    `wsdl` is the folder that holds `<module>/<version>/*.wsdl`. What stops a set from being read at all, such as an
    unknown key or a schema outside the folder, is an error of `load_catalog`.
    """
    return [
        *_hashes(message_set),
        *_schemas(message_set),
        *_rules(message_set),
        *_choreography(message_set),
        *_examples(message_set),
        *_wsdl(message_set, wsdl / message_set.key.module / message_set.key.version),
    ]


def _hashes(message_set: MessageSet) -> Iterator[str]:
    manifest = message_set.folder / "manifest.toml"
    present = {path.relative_to(message_set.folder).as_posix(): path for path in sorted(message_set.folder.rglob("*"))
               if path.suffix in (".xsd", ".sch", ".xsl", ".xslt")}
    for name in sorted(message_set.hashes.keys() - present.keys()):
        yield f"{manifest}: [files] names {name}, which is not here; remove the line or restore the file"
    for name, path in present.items():
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if name not in message_set.hashes:
            yield f'{manifest}: [files] lacks {name}; add "{name}" = "{actual}"'
        elif message_set.hashes[name] != actual:
            yield (f"{path}: differs from its SHA-256 in the manifest; restore it, or, when this version was never "
                   f'released, write "{name}" = "{actual}"')


def _schemas(message_set: MessageSet) -> Iterator[str]:
    for file in message_set.schema.vocabulary.files:
        if not file.qualified:
            yield f'{file.path}: write elementFormDefault="qualified" on xs:schema'
    for name in ("Berichtheader", "Ontvangstbevestiging", "Foutbericht"):
        if clark(KN, name) not in message_set.schema.vocabulary.globals:
            yield f"{message_set.schema.path}: kn:{name} is not declared; import knooppunt.xsd of the shared set"
    if message_set.core:
        for name in sorted(name for rule in message_set.service_rules for name in rule.operations):
            if f"{name}Antwoord" not in message_set.elements:
                yield f"{message_set.schema.path}: {name} has no answer; add the element {name}Antwoord"


def _rules(message_set: MessageSet) -> Iterator[str]:
    """A misspelt name in a rule is valid XPath that finds nothing; so every name must be one of the schema."""
    spaces = {message_set.prefix: message_set.namespace, "kn": KN}
    for element, needed in message_set.requirements.items():
        for name, test in needed.demand.outcomes.items():
            for unknown in unknown_names(test, spaces, message_set):
                yield f"{message_set.folder / 'manifest.toml'}: {element}: outcome {name} names {unknown}; correct it"
    if message_set.rules is None:
        return
    path, spaces = message_set.rules.path, dict(message_set.rules.namespaces)
    live = {one.id for needed in message_set.requirements.values() for book in needed.books for one in book.asserts}
    for rule in (rule for pattern in message_set.rules.patterns for rule in pattern):
        for one in rule.asserts:
            for unknown in unknown_names(" | ".join((*rule.contexts, one.test)), spaces, message_set):
                yield f"{path}: {one.id} names {unknown}, which the schema does not; correct it"
            if one.id not in live and not message_set.core:
                yield f"{path}: {one.id} can fire in no message of the set; correct its context"


def unknown_names(expression: str, spaces: Mapping[str, str], message_set: MessageSet) -> list[str]:
    """The element names in an expression that the set's schema does not have."""
    return [name for name in sorted(element_names(expression))
            if clark(spaces.get(name.partition(":")[0], ""), name.partition(":")[2]) not in message_set.naming.known]


def _choreography(message_set: MessageSet) -> Iterator[str]:
    if message_set.core:
        return
    manifest = message_set.folder / "manifest.toml"
    table = message_set.choreography
    reached, before = {table.initial}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {row.next for row in table.transitions if row.next and row.states & reached}
    for state in sorted({state for row in table.transitions for state in row.states} - reached):
        yield f"{manifest}: state {state} is never reached; add a transition to it, or take it out"
    for element in sorted(message_set.messages.keys() - {row.message for row in table.transitions}):
        yield f"{manifest}: {element} stands in no transition; add one"
    for name in sorted(message_set.roles):
        if not any(name in (message.sender_role, message.receiver_role) for message in message_set.messages.values()):
            yield f"{manifest}: role {name} sends and receives nothing; take it out"


def _examples(message_set: MessageSet) -> Iterator[str]:
    folder = message_set.folder / "examples"
    seen: dict[str, set[str]] = {"valid": set(), "invalid": set()}
    for path in sorted((folder / "valid").glob("*.xml")):
        seen["valid"].add(_element(path))
        error = examine(path.read_bytes(), message_set)
        if error is not None:
            yield f"{path}: should be valid, but is refused with {_told(error)}; correct the example or the set"
    for path in sorted((folder / "invalid").glob("*.xml")):
        seen["invalid"].add(_element(path))
        yield from _invalid(path, message_set)
    for element in sorted(message_set.messages):
        for kind in ("minimaal", "volledig"):
            if not (folder / "valid" / f"{element}-{kind}.xml").is_file():
                yield f"{folder / 'valid'}: {element}-{kind}.xml is missing; add it"
        for kind in ("valid", "invalid"):
            if element not in seen[kind]:
                yield f"{folder / kind}: there is no {kind} example of {element}; add one"


def _invalid(path: Path, message_set: MessageSet) -> Iterator[str]:
    promise_file = path.with_suffix(".toml")
    try:
        promise = tomllib.loads(promise_file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        yield f"{promise_file}: no readable TOML ({error}); write code, xpath and rule"
        return
    if promise.keys() != _PROMISE:
        yield f"{promise_file}: write exactly the keys code, xpath and rule"
        return
    refusal = examine(path.read_bytes(), message_set)
    if refusal is None:
        yield f"{path}: should be refused, but is valid; correct the example or the set"
    elif errors.row(refusal).code != promise["code"] or not any(
            (found.xpath, found.rule) == (promise["xpath"], promise["rule"]) for found in refusal.findings):
        yield (f"{promise_file}: promises {promise['code']} {promise['xpath']} {promise['rule']}, "
               f"but it is {_told(refusal)}")


def examine(octets: bytes, message_set: MessageSet) -> GatewayError | None:
    """Why these octets are refused as a message of the set; None when they are valid."""
    try:
        read_message(octets, {message_set.namespace: message_set}.get)
    except GatewayError as error:
        return error
    return None


def _told(error: GatewayError) -> str:
    return " | ".join([errors.row(error).code, *(f"{found.xpath} {found.rule}" for found in error.findings)])


def _element(path: Path) -> str:
    try:
        return etree.QName(etree.parse(path).getroot()).localname
    except etree.XMLSyntaxError:
        return path.stem.partition("-")[0]


def _wsdl(message_set: MessageSet, folder: Path) -> Iterator[str]:
    written = write_wsdl(message_set)
    present = {path.name for path in folder.glob("*")} if folder.is_dir() else set()
    for name in sorted(present - written.keys()):
        yield f"{folder / name}: no service has this contract; remove the file"
    for name, text in written.items():
        if name not in present:
            yield f"{folder / name}: is missing; run `gateway sets wsdl`"
        elif (folder / name).read_bytes() != text.encode():
            yield f"{folder / name}: differs from the message set; run `gateway sets wsdl`"

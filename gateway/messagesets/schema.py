"""Compile a set's XML Schema closed-world, validate with it, and say what is wrong without repeating a value.

Closed-world: before libxml2 sees a schema, every file it would open is found and checked here; each lies inside the
xsd root and is named by a relative path. So nothing is fetched, whatever a schema says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets._places import Children, Graph, children, holdings
from gateway.messagesets._texts import check_finding, schema_finding
from gateway.messagesets._xpath import Naming, from_libxml2, parser
from gateway.names import XSD, clark
from gateway.values import Finding

MAX_FINDINGS = 20  # the sender corrects these first; more would only lengthen the fault

_BSN = frozenset({"bsn", "bsntype", "burgerservicenummer", "burgerservicenummertype"})
_IBAN = frozenset({"iban", "ibantype", "rekeningnummer", "rekeningnummertype"})
_CONTACT = frozenset({"contactpersoontype", "contactgegevenstype"})
_REMOTE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:|^[/\\]|\\")
_REFERENCES = tuple(clark(XSD, name) for name in ("import", "include"))
_FORBIDDEN = tuple(clark(XSD, name) for name in ("redefine", "override"))
_ATTRIBUTES = tuple(clark(XSD, name) for name in ("attribute", "attributeGroup", "anyAttribute"))
_NOTHING = etree.Element("nothing")  # no schema declares it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One xs:import or xs:include."""

    path: Path
    namespace: str  # that the file must have
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFile:
    """What one schema file declares; names in Clark form."""

    path: Path
    namespace: str
    qualified: bool
    references: tuple[Reference, ...]
    globals: frozenset[str]
    typed: tuple[tuple[str, str], ...]  # (element, its type); the type is "" when it has none by name
    derived: Mapping[str, str]  # simple type → its base
    values: frozenset[str]  # of enumerations
    attributes: bool  # does it declare any?
    holdings: Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a whole schema declares: the words that may appear in a finding, and which elements hold what."""

    files: tuple[SchemaFile, ...]  # the set's own schema first
    globals: frozenset[str]
    elements: frozenset[str]
    values: frozenset[str]
    bsn: tuple[str, ...]
    iban: tuple[str, ...]
    contact: tuple[str, ...]  # someone who must be reachable
    attached: tuple[str, ...]  # the content of an attachment
    attributes: bool  # may an element have one?
    marked: tuple[str, ...]  # bsn, iban, contact and attached together, and at least one name
    children: Children


def read_vocabulary(schema: Path, root: Path, known: dict[Path, SchemaFile]) -> Vocabulary:
    """Read `schema` and all it imports or includes. `known` keeps what was read, for the next set.

    Raises Misconfigured for a file outside `root`, an absolute or remote location, another namespace than stated,
    or anything that is no schema.
    """
    files = _closure(schema.resolve(), root.resolve(), known)
    derived = {name: base for file in files.values() for name, base in file.derived.items()}
    typed = [pair for file in files.values() for pair in file.typed]
    bsn, iban, contact = (_holding(typed, derived, words) for words in (_BSN, _IBAN, _CONTACT))
    attached = tuple(sorted({element for element, _ in typed if etree.QName(element).localname == "Inhoud"}))
    return Vocabulary(
        files=tuple(files.values()),
        globals=frozenset(name for file in files.values() for name in file.globals),
        elements=frozenset(element for element, _ in typed),
        values=frozenset(value for file in files.values() for value in file.values),
        bsn=bsn, iban=iban, contact=contact, attached=attached,
        attributes=any(file.attributes for file in files.values()),
        marked=tuple(sorted({str(_NOTHING.tag), *bsn, *iban, *contact, *attached})),
        children=children(file.holdings for file in files.values()),
    )


def _closure(schema: Path, root: Path, known: dict[Path, SchemaFile]) -> dict[Path, SchemaFile]:
    files: dict[Path, SchemaFile] = {}
    todo = [schema]
    while todo:
        path = todo.pop()
        if path in files:
            continue
        file = files[path] = known.get(path) or _read_file(path, root)
        known[path] = file
        todo.extend(reference.path for reference in file.references)
    for file in files.values():
        for reference in file.references:
            if files[reference.path].namespace != reference.namespace:
                raise Misconfigured(f"{file.path}, line {reference.line}: {reference.path.name} has targetNamespace "
                                    f"{files[reference.path].namespace}; correct the reference")
    return files


def _holding(typed: list[tuple[str, str]], derived: Mapping[str, str], words: frozenset[str]) -> tuple[str, ...]:
    """The elements that carry one of these words as their name, or as the name of their type or a base of it."""

    def named(name: str) -> bool:
        return etree.QName(name).localname.lower() in words if name else False

    def is_one(type_name: str) -> bool:
        seen: set[str] = set()
        while type_name and type_name not in seen:
            if named(type_name):
                return True
            seen.add(type_name)
            type_name = derived.get(type_name, "")
        return False

    return tuple(sorted({element for element, type_name in typed if named(element) or is_one(type_name)}))


def _read_file(path: Path, root: Path) -> SchemaFile:
    try:
        tree = etree.fromstring(path.read_bytes(), parser())
    except (OSError, etree.XMLSyntaxError) as error:
        raise Misconfigured(f"{path}: no readable schema ({error}); correct the file or the reference to it") from error
    namespace = tree.get("targetNamespace", "")
    if tree.getroottree().docinfo.doctype or tree.tag != clark(XSD, "schema") or not namespace:
        raise Misconfigured(f"{path}: write an xs:schema with a targetNamespace and without a DTD")
    simple = (*tree.iter(clark(XSD, "simpleType")), *tree.iter(clark(XSD, "complexType")))
    named = [element for element in tree.iter(clark(XSD, "element")) if element.get("name")]
    return SchemaFile(
        path=path,
        namespace=namespace,
        qualified=tree.get("elementFormDefault") == "qualified",
        references=tuple(_references(tree, path, root, namespace)),
        globals=frozenset(clark(namespace, one.get("name", "")) for one in named if one.getparent() is tree),
        typed=tuple((clark(namespace, element.get("name", "")), _type(element)) for element in named),
        derived={clark(namespace, one.get("name", "")): _base(one) for one in simple if one.get("name")},
        values=frozenset(one.get("value", "") for one in tree.iter(clark(XSD, "enumeration"))),
        attributes=next(tree.iter(*_ATTRIBUTES), None) is not None,
        holdings=holdings(tree, namespace, _resolve),
    )


def _references(tree: "etree._Element", path: Path, root: Path, namespace: str) -> Iterator[Reference]:
    for node in tree.iterchildren(*_REFERENCES, *_FORBIDDEN):
        location = node.get("schemaLocation", "")
        where = f"{path}, line {node.sourceline}"
        if node.tag in _FORBIDDEN:
            raise Misconfigured(f"{where}: xs:redefine is not used here; derive a type of your own")
        if not location or _REMOTE.search(location):
            raise Misconfigured(f"{where}: schemaLocation must be a relative path to a file that is here")
        target = (path.parent / location).resolve()
        if not target.is_relative_to(root) or not target.is_file():
            raise Misconfigured(f"{where}: {location} is no file inside the folder of all message sets")
        included = node.tag == clark(XSD, "include")
        yield Reference(path=target, namespace=namespace if included else node.get("namespace", ""),
                        line=node.sourceline or 0)


def _type(element: "etree._Element") -> str:
    if element.get("type"):
        return _resolve(element, element.get("type", ""))
    inner = element.find(clark(XSD, "simpleType"))
    inner = element.find(clark(XSD, "complexType")) if inner is None else inner
    return "" if inner is None else _base(inner)


def _base(node: "etree._Element") -> str:
    """The type this one restricts or extends; "" when it does neither by name."""
    content = node.find(clark(XSD, "simpleContent"))
    for way in ("restriction", "extension"):
        step = (node if content is None else content).find(clark(XSD, way))
        if step is not None:
            return _resolve(step, step.get("base", ""))
    return ""


def _resolve(node: "etree._Element", qname: str) -> str:
    prefix, _, local = qname.rpartition(":")
    return clark(node.nsmap.get(prefix or None) or "", local) if local else ""


class Schema:
    """A compiled schema; may be asked from many threads."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.path = path
        self.vocabulary = vocabulary
        try:
            self._compiled = etree.XMLSchema(etree.parse(path, parser()))
        except etree.XMLSchemaParseError as error:
            raise Misconfigured(f"{path}: the schema does not compile ({error}); correct it") from error

    def accepts(self, element: "etree._Element") -> bool:
        """Is this element, where it stands in its tree, valid? The tree is not changed."""
        return bool(self._compiled.validate(element))

    def findings(self, element: "etree._Element", naming: Naming) -> tuple[Finding, ...]:
        """What is wrong with this element, at most MAX_FINDINGS; none when it is valid.

        libxml2 collects the errors in one log per compiled schema, which threads share; lxml also keeps the last
        hundred for each thread, as an exception would tell them. To validate again, alone, would cost a thousand
        errors twice. So of more than a hundred mistakes some of the last are told.
        """
        etree.clear_error_log()
        if self.accepts(element):
            return ()
        log = [(entry.type_name, entry.path, entry.message) for entry in etree.LxmlError("").error_log
               if entry.domain == etree.ErrorDomains.SCHEMASV]
        self._forget()
        known = self.vocabulary.elements | self.vocabulary.globals
        found: dict[tuple[str, str], Finding] = {}
        nodes: dict[str, etree._Element] = {}
        for type_name, path, message in log:
            if len(found) == MAX_FINDINGS:
                break
            finding = schema_finding(
                naming.xpath(from_libxml2(element, path or "", nodes), element),
                type_name.removeprefix("SCHEMAV_").lower().replace("_", "-"),
                message,
                known,
                self.vocabulary.values,
                naming,
            )
            found.setdefault((finding.xpath, finding.rule), finding)
        return tuple(found.values()) or (check_finding("schema", naming.xpath(element, element)),)

    def _forget(self) -> None:
        """What is wrong quotes values, and libxml2 and lxml remember it until something else is: so something is."""
        self._compiled.validate(_NOTHING)
        etree.clear_error_log()

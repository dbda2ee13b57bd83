"""One message set, compiled: its manifest, its schema, and what each message must meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lxml import etree

from gateway import names
from gateway.errors import Misconfigured
from gateway.messagesets._bridge import Bridge, compile_bridges
from gateway.messagesets._places import Children
from gateway.messagesets._xpath import Naming
from gateway.messagesets.manifest import Demand, Manifest, ServiceRule
from gateway.messagesets.rules import (
    Rulebook,
    RuleFile,
    Stage,
    XPath,
    compile_rules,
    compile_text,
    compile_xpath,
    read_rules,
)
from gateway.messagesets.schema import Schema, SchemaFile, Vocabulary, read_vocabulary
from gateway.messagesets.sealed import merged
from gateway.values import Choreography, MessageType, Operation, RoleRule, Service, SetKey, Step

if TYPE_CHECKING:
    import xmlschema

SERVED = frozenset(("draft", "test", "active", "deprecated"))  # closed and archived sets have no address any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All that a message must meet beyond its schema, compiled."""

    books: tuple[Rulebook, ...] = ()
    shared_books: tuple[Rulebook, ...] = ()  # those of them that are the shared set's, about the header
    demand: Demand = field(default_factory=Demand)
    outcomes: tuple[tuple[str, XPath], ...] = ()
    answer_by: XPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MessageSet:
    """One version of one module."""

    key: SetKey
    namespace: str
    prefix: str
    title_nl: str
    title_en: str
    status: str
    profile: str
    sealed: bool  # the sender encrypts the content; the hub sees header and size only
    core: bool  # the shared set of the hub itself
    roles: Mapping[str, RoleRule]
    messages: Mapping[str, MessageType]  # by element
    choreography: Choreography  # of the shared set: empty
    services: Mapping[str, Service]  # by path; empty when the status gives it no address
    service_rules: tuple[ServiceRule, ...]  # of the shared set
    folder: Path
    schema: Schema
    naming: Naming
    requirements: Mapping[str, Requirements]  # by element
    bridges: Mapping[str, tuple[Bridge, ...]]  # by element; to other versions of the module
    rules: RuleFile | None
    hashes: Mapping[str, str]  # file → SHA-256, as the manifest states them

    @property
    def enforced(self) -> bool:
        """Is a step outside the choreography refused, or only noted?"""
        return self.choreography.enforced

    @property
    def schema_files(self) -> tuple[Path, ...]:
        """Every schema file this set reads, its own first; all lie in the folder of all sets."""
        return tuple(file.path for file in self.schema.vocabulary.files)

    @property
    def elements(self) -> frozenset[str]:
        """Local names of the global elements of the set's own namespace."""
        return frozenset(
            qname.localname for qname in map(etree.QName, self.schema.vocabulary.globals)
            if qname.namespace == self.namespace)


def read_schema(message_set: MessageSet) -> "xmlschema.XMLSchema10":
    """A set's schema as xmlschema reads it: for documentation, forms, samples and a second opinion. Slow.

    Which files it opens was checked when the set was compiled (xmlschema's own sandbox stops at the set's folder).
    """
    import xmlschema  # here: it takes half a second to import, and the hub itself never needs it

    return xmlschema.XMLSchema10(
        message_set.schema.path, allow="local", defuse="always", use_fallback=False)


def compile_set(manifest: Manifest, shared: RuleFile | None, known: dict[Path, SchemaFile]) -> MessageSet:
    """Compile one set; `shared` are the rules of the shared set, `known` the schema files read so far.

    Raises Misconfigured for whatever is wrong in its folder.
    """
    vocabulary = _vocabulary(manifest, known)
    own = read_rules(manifest.folder / manifest.rules) if manifest.rules else None
    naming = Naming(
        prefixes=MappingProxyType({manifest.namespace: manifest.prefix, names.KN: "kn"}),
        known=vocabulary.elements | vocabulary.globals,
    )
    tops, files = _tops(manifest, vocabulary.children), (shared, None if manifest.services else own)
    return MessageSet(
        key=manifest.key,
        namespace=manifest.namespace,
        prefix=manifest.prefix,
        title_nl=manifest.title_nl,
        title_en=manifest.title_en,
        status=manifest.status,
        profile=manifest.profile,
        sealed=manifest.sealed,
        core=bool(manifest.services),
        roles=manifest.roles,
        messages=manifest.messages,
        choreography=_choreography(manifest),
        services=MappingProxyType(_services(manifest)),
        service_rules=manifest.services,
        folder=manifest.folder,
        schema=Schema(manifest.folder / manifest.schema, vocabulary),
        naming=naming,
        requirements=MappingProxyType({
            element: _requirements(manifest, element, files,
                                   Stage.of(names.clark(manifest.namespace, element), tops, vocabulary.children))
            for element in manifest.messages
        }),
        bridges=compile_bridges(manifest),
        rules=own,
        hashes=manifest.files,
    )


def _vocabulary(manifest: Manifest, known: dict[Path, SchemaFile]) -> Vocabulary:
    path = manifest.folder / manifest.schema
    vocabulary = read_vocabulary(path, manifest.folder.parent.parent, known)
    if vocabulary.files[0].namespace != manifest.namespace:
        raise Misconfigured(f"{path}: targetNamespace must be {manifest.namespace}, as the folder says")
    declared = set(manifest.messages) | {name for rule in manifest.services for name in rule.operations}
    for element in sorted(declared):
        if names.clark(manifest.namespace, element) not in vocabulary.globals:
            raise Misconfigured(f"{path}: there is no element {element}; add it, or take it out of the manifest")
    return vocabulary


def _tops(manifest: Manifest, children: Children) -> frozenset[str]:
    """The messages of the set (Clark names) that stand in no other element."""
    nested = frozenset(name for below in children.values() for name in below or ())
    return frozenset(names.clark(manifest.namespace, name) for name in manifest.messages) - nested


def _choreography(manifest: Manifest) -> Choreography:
    table = manifest.choreography or Choreography(initial="", transitions=())
    return merged(table) if manifest.sealed else table


def _requirements(
    manifest: Manifest, element: str, files: tuple[RuleFile | None, RuleFile | None], stage: Stage
) -> Requirements:
    """Compile what one message must meet; `files` are the shared rules and the set's own."""
    shared, own = ([book for book in (compile_rules(file, stage),) if book.judges] if file else [] for file in files)
    demand = manifest.demands[element]
    spaces = {manifest.prefix: manifest.namespace, "kn": names.KN}
    where = f"{manifest.folder / 'manifest.toml'}: {element}:"
    return Requirements(
        books=(*shared, *own),
        shared_books=tuple(shared),
        demand=demand,
        outcomes=tuple((name, compile_xpath(test, spaces, f"{where} outcome {name}"))
                       for name, test in demand.outcomes.items()),
        answer_by=compile_text(demand.answer_by, spaces, f"{where} answer_by") if demand.answer_by else None,
    )


def _services(manifest: Manifest) -> dict[str, Service]:
    if manifest.status not in SERVED:
        return {}
    base = f"/soap/{manifest.key.module}/{manifest.key.version}/"
    services: dict[str, Service] = {}
    for role in () if manifest.services else manifest.roles.values():  # what the hub sends, nobody can send to it
        sent = [message for message in manifest.messages.values() if message.sender_role == role.name]
        if sent:
            services[base + role.endpoint] = Service(
                path=base + role.endpoint, key=manifest.key, role=role, profile=manifest.profile,
                operations=_operations(manifest.namespace, {message.element: Step.RECORD for message in sent},
                                       manifest.messages))
    for rule in manifest.services:
        services[base + rule.name] = Service(
            path=base + rule.name, key=manifest.key, role=None, profile=manifest.profile,
            operations=_operations(manifest.namespace, rule.operations, {}))
    return services


def _operations(namespace: str, steps: Mapping[str, Step],
                messages: Mapping[str, MessageType]) -> Mapping[str, Operation]:
    return MappingProxyType({
        names.action(namespace, name): Operation(
            name=name, namespace=namespace, action=names.action(namespace, name), step=step,
            message_type=messages.get(name))
        for name, step in steps.items()
    })

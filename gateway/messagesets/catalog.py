"""All message sets of one folder: found, compiled, and looked up by key, namespace or address."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gateway.errors import Misconfigured
from gateway.messagesets.bridges import Way, check_inverses, ways
from gateway.messagesets.inspection import check_set
from gateway.messagesets.manifest import read_manifest
from gateway.messagesets.proof import check_bridges
from gateway.messagesets.rules import read_rules
from gateway.messagesets.schema import SchemaFile
from gateway.messagesets.sets import SERVED, MessageSet, compile_set
from gateway.names import KN
from gateway.values import MessageType, RoleRule, Service, SetKey, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every message set the hub knows; never changes while it runs."""

    root: Path
    sets: Mapping[SetKey, MessageSet]
    services: Mapping[str, Service]  # by path of the SOAP listener
    namespaces: Mapping[str, MessageSet]
    ways: Mapping[tuple[SetKey, str], Mapping[str, Way]]  # set and element → version → the versions on the way to it
    families: Mapping[tuple[SetKey, str], MessageType]  # set and MessageType.correlates_as
    mailbox: Service | None  # where messages are collected

    def get(self, key: SetKey) -> MessageSet | None:
        return self.sets.get(key)

    def by_namespace(self, namespace: str) -> MessageSet | None:
        return self.namespaces.get(namespace)

    def message_type(self, key: SetKey, family: str) -> MessageType | None:
        """The type that a conversation knows under this name, as this set has it; None when the set has left."""
        return self.families.get((key, family))

    def bridged_to(self, key: SetKey, element: str) -> Mapping[str, RoleRule]:
        """The served versions to which this message may be bridged, as far as its type can say; who receives there."""
        role = self.sets[key].messages[element].receiver_role
        return {version: way[-1].roles[role] for version, way in self.ways.get((key, element), {}).items()
                if way[-1].status in SERVED}

    def problems(self, wsdl: Path | None = None) -> list[str]:
        """What `check_set` and `check_bridges` find in all sets; `wsdl` is by default the folder beside the sets'."""
        return [
            problem for message_set in self.sets.values()
            for problem in (*check_set(message_set, wsdl=wsdl or self.root.parent / "wsdl"),
                            *check_bridges(message_set, self.sets))
        ]


def load_catalog(root: Path) -> Catalog:
    """Read and compile every `<root>/<module>/<version>/manifest.toml`.

    Call once, at start, in the main thread: libxml2 compiles schemas there most safely.
    Raises Misconfigured, naming file, line and remedy, at the first thing that is wrong.
    """
    root = root.resolve()
    manifests = [read_manifest(path) for path in sorted(root.glob("*/*/manifest.toml"))]
    shared = next((manifest for manifest in manifests if manifest.namespace == KN), None)
    if shared is None:
        raise Misconfigured(f"{root}: the shared set knooppunt/1.0 is not here; point to the folder that holds xsd/")
    rules = read_rules(shared.folder / shared.rules) if shared.rules else None
    known: dict[Path, SchemaFile] = {}
    compiled = [compile_set(manifest, rules, known) for manifest in manifests]
    sets = MappingProxyType({message_set.key: message_set for message_set in compiled})
    services = {path: service for message_set in compiled for path, service in message_set.services.items()}
    check_inverses(sets)
    return Catalog(
        root=root,
        sets=sets,
        services=MappingProxyType(services),
        namespaces=MappingProxyType({message_set.namespace: message_set for message_set in compiled}),
        ways=ways(sets),
        families=MappingProxyType({(message_set.key, one.correlates_as): one for message_set in compiled
                                   for one in message_set.messages.values()}),
        mailbox=next((service for service in services.values()
                      if any(one.step is Step.COLLECT for one in service.operations.values())), None),
    )

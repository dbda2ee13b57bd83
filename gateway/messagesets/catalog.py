"""All message sets of one folder: found, compiled, and looked up by key, namespace or address."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gateway.errors import Misconfigured
from gateway.messagesets.inspection import check_set
from gateway.messagesets.manifest import read_manifest
from gateway.messagesets.rules import read_rules
from gateway.messagesets.schema import SchemaFile
from gateway.messagesets.sets import MessageSet, compile_set
from gateway.names import KN
from gateway.values import Service, SetKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every message set the hub knows; never changes while it runs."""

    root: Path
    sets: Mapping[SetKey, MessageSet]
    services: Mapping[str, Service]  # by path of the SOAP listener
    namespaces: Mapping[str, MessageSet]

    def get(self, key: SetKey) -> MessageSet | None:
        return self.sets.get(key)

    def by_namespace(self, namespace: str) -> MessageSet | None:
        return self.namespaces.get(namespace)

    def problems(self, wsdl: Path | None = None) -> list[str]:
        """What `check_set` finds in all sets; `wsdl` is the folder of WSDL files, by default beside the sets'."""
        return [
            problem for message_set in self.sets.values()
            for problem in check_set(message_set, wsdl=wsdl or self.root.parent / "wsdl")
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
    return Catalog(
        root=root,
        sets=MappingProxyType({message_set.key: message_set for message_set in compiled}),
        services=MappingProxyType({
            path: service for message_set in compiled for path, service in message_set.services.items()}),
        namespaces=MappingProxyType({message_set.namespace: message_set for message_set in compiled}),
    )

"""The mappings that a manifest declares, compiled. What is done with them: bridges.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lxml import etree

from gateway.messagesets._stylesheet import Stylesheet
from gateway.messagesets.manifest import BridgeRule, Manifest
from gateway.messagesets.rules import XPath, compile_xpath
from gateway.names import KN


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bridge:
    """One mapping of a message to another version, compiled."""

    rule: BridgeRule
    when: XPath | None
    stylesheet: Stylesheet

    def takes(self, message: "etree._Element") -> bool:
        """Is this one of the messages of which nothing would be lost, as far as the manifest can say?"""
        return self.when is None or bool(self.when(message, m=message))


def compile_bridges(manifest: Manifest) -> Mapping[str, tuple[Bridge, ...]]:
    """The mappings of one set by message, in the manifest's order. Raises Misconfigured."""
    sheets: dict[str, Stylesheet] = {}
    found: dict[str, tuple[Bridge, ...]] = {}
    spaces = {manifest.prefix: manifest.namespace, "kn": KN}
    for rule in manifest.bridges:
        if rule.xslt not in sheets:
            sheets[rule.xslt] = Stylesheet(manifest.folder / rule.xslt, manifest.folder)
        where = f"{manifest.folder / 'manifest.toml'}: [[bridge]] {rule.message} to {rule.to}: when"
        when = compile_xpath(rule.when, spaces, where) if rule.when else None
        bridge = Bridge(rule=rule, when=when, stylesheet=sheets[rule.xslt])
        found[rule.message] = (*found.get(rule.message, ()), bridge)
    return MappingProxyType(found)

"""One XSLT 1.0 file of a message set: compiled when the set is loaded, and unable to reach anything but the message.

Refused at load: what reads another file (xsl:import, xsl:include, document()), what asks for an extension, and every
function outside XSLT 1.0. libxslt is told the same once more: no file, no network, neither read nor written.
"""

import re
import threading
from pathlib import Path
from typing import Final

from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets._pattern import functions
from gateway.messagesets._xpath import parser
from gateway.messagesets.rules import FUNCTIONS
from gateway.names import XSLT, clark

_FUNCTIONS: Final = FUNCTIONS | {"current", "format-number", "generate-id", "key"}
_ELSEWHERE: Final = frozenset(clark(XSLT, name) for name in ("import", "include"))
_EXTENDING: Final = frozenset({"extension-element-prefixes", clark(XSLT, "extension-element-prefixes")})
_TEMPLATE: Final = re.compile(r"\{([^}]*)\}")  # an expression within an attribute's text


class Stylesheet:
    """A stylesheet that any thread may use.

    libxml2 keeps names in dictionaries without locks, and a stylesheet shares its own with everything it makes: so each
    thread that uses one compiles it for itself, from the octets that were read at load.
    """

    def __init__(self, path: Path, root: Path) -> None:
        """Read `path`, a file inside `root`. Raises Misconfigured, naming file, line and remedy."""
        if not path.resolve().is_relative_to(root.resolve()):
            raise Misconfigured(f"{path}: lies outside {root}; put the stylesheet in the folder of the set")
        self._path = path
        try:
            self._octets = path.read_bytes()
            tree = etree.fromstring(self._octets, parser())
        except (OSError, etree.XMLSyntaxError) as error:
            raise Misconfigured(f"{path}: no readable stylesheet ({error}); correct file or [[bridge]]") from error
        self._check(tree)
        self._of_thread = threading.local()
        try:
            self._compiled()
        except etree.XSLTParseError as error:
            raise Misconfigured(f"{path}: the stylesheet does not compile ({error}); correct it") from error

    def _check(self, tree: "etree._Element") -> None:
        if tree.tag != clark(XSLT, "stylesheet") or tree.getroottree().docinfo.doctype:
            raise Misconfigured(f"{self._path}: write an xsl:stylesheet, without a DTD")
        for node in tree.iter("*"):
            called = {name for value in node.attrib.values() for name in _called(str(value))} - _FUNCTIONS
            if node.tag in _ELSEWHERE or _EXTENDING & set(node.attrib) or called:
                what = f"calls {', '.join(sorted(called))}" if called else "reaches outside this file"
                raise Misconfigured(f"{self._path}, line {node.sourceline}: {what}; use XSLT 1.0 without document(), "
                                    "import, include and extensions")

    def _compiled(self) -> etree.XSLT:
        found: etree.XSLT | None = getattr(self._of_thread, "xslt", None)
        if found is None:
            found = self._of_thread.xslt = etree.XSLT(
                etree.fromstring(self._octets, parser()), access_control=etree.XSLTAccessControl.DENY_ALL, regexp=False)
        return found

    def __call__(self, message: "etree._Element") -> bytes | None:
        """What the stylesheet makes of a message, in exclusive canonical form; None where it stops or makes nothing."""
        try:
            made = self._compiled()(message).getroot()
        except etree.XSLTApplyError:
            return None
        return None if made is None else exclusive(made)


def _called(value: str) -> set[str]:
    """The functions called in an attribute: an expression, or a text with expressions in braces."""
    return functions(value).union(*map(functions, _TEMPLATE.findall(value)))


def exclusive(element: "etree._Element") -> bytes:
    """Exclusive C14N without comments."""
    octets: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    return octets

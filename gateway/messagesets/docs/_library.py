"""What the pages are made from: the sets, their schemas as people read them, and where each thing has its page."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from threading import Lock

from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets.catalog import Catalog
from gateway.messagesets.docs._elements import Row, Schemas, Words
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.sets import MessageSet
from gateway.messagesets.wsdl import write_wsdl
from gateway.names import KN, clark
from gateway.values import SetKey


class Library:
    """The sets of one catalog. Schemas are read when they are first asked for; many threads may ask."""

    def __init__(self, catalog: Catalog, public_url: str) -> None:
        self.catalog = catalog
        self.public_url = public_url.rstrip("/")
        self.sets = tuple(sorted(catalog.sets.values(), key=lambda one: (one.core, one.key.module, _number(one.key))))
        self.wsdl = cache(partial(write_wsdl, base_url=self.public_url))  # MessageSet → file name → text
        self._schemas: dict[SetKey, Schemas] = {}
        self._lock = Lock()  # lxml's trees are not for several threads at once

    @property
    def shared(self) -> MessageSet:
        """The set of the hub itself."""
        return self.catalog.namespaces[KN]

    # --- places ------------------------------------------------------------------------------------------------

    def set_path(self, one: MessageSet) -> str:
        return f"{one.key}/index.html"

    def element_path(self, one: MessageSet, element: str) -> str:
        return f"{one.key}/berichten/{element}.html"

    def global_path(self, name: str) -> str:
        """The page of an element of the shared set; Clark name."""
        return self.element_path(self.shared, etree.QName(name).localname)

    def file_path(self, path: Path) -> str:
        """Where a file of the sets' folder lies in the site."""
        return f"files/{self.catalog.root.name}/{path.relative_to(self.catalog.root).as_posix()}"

    def wsdl_path(self, one: MessageSet, name: str) -> str:
        return f"files/wsdl/{one.key}/{name}"

    def zip_path(self, one: MessageSet) -> str:
        return f"files/zip/{one.key.module}-{one.key.version}.zip"

    # --- what there is -----------------------------------------------------------------------------------------

    def subjects(self, one: MessageSet) -> tuple[str, ...]:
        """The elements that have a page: messages; of the shared set its operations and what every message knows."""
        if not one.core:
            return tuple(one.messages)
        operations = tuple(name for rule in one.service_rules for name in rule.operations)
        answers = {f"{name}Antwoord" for name in operations}
        return (*operations, *sorted(one.elements - answers - set(operations)))

    def words(self, one: MessageSet, element: str) -> Words:
        with self._lock:
            return self._read(one).words(clark(one.namespace, element))

    def rows(self, one: MessageSet, element: str) -> tuple[Row, ...]:
        with self._lock:
            return self._read(one).rows(clark(one.namespace, element))

    def about(self, one: MessageSet) -> tuple[tuple[Path, str], ...]:
        """What the set's own schema files say of themselves."""
        with self._lock:
            return tuple((path, text) for path, text in self._read(one).about if path.is_relative_to(one.folder))

    def has_bsn(self, one: MessageSet, element: str) -> bool:
        known = {one.naming.name(name) for name in one.schema.vocabulary.bsn}
        return any(row.name in known for row in self.rows(one, element))

    def examples(self, one: MessageSet, element: str, kind: str) -> tuple[Path, ...]:
        """The example files of an element, `kind` valid or invalid; the minimal and the full one first."""
        paths = (one.folder / "examples" / kind).glob("*.xml")
        order = {f"{element}-minimaal": 0, f"{element}-volledig": 1}
        return tuple(sorted((path for path in paths if path.stem.partition("-")[0] == element),
                            key=lambda path: (order.get(path.stem, 2), path.name)))

    def downloads(self, one: MessageSet) -> tuple[Path, ...]:
        """Every file of the set's folder that is meant for others."""
        kept = (".xsd", ".sch", ".xml", ".toml", ".xsl", ".xslt")
        return tuple(sorted(path for path in one.folder.rglob("*") if path.suffix in kept and path.is_file()))

    def bundle(self, one: MessageSet) -> Iterator[tuple[str, bytes]]:
        """The files of the set's zip: its own, the schemas they import, the contracts."""
        root = self.catalog.root
        shared = [self.shared.rules.path] if self.shared.rules else []
        for path in {*self.downloads(one), *one.schema_files, *shared}:
            yield f"{root.name}/{path.relative_to(root).as_posix()}", _octets(path)
        for name, text in self.wsdl(one).items():
            yield f"wsdl/{one.key}/{name}", text.encode()

    def _read(self, one: MessageSet) -> Schemas:
        if one.key not in self._schemas:
            shared = self.shared
            elsewhere = frozenset(clark(KN, name) for name in self.subjects(shared))
            self._schemas[one.key] = Schemas(one.schema_files, one.naming.prefixes, elsewhere)
        return self._schemas[one.key]


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; restore the file of the message set") from error


def _number(key: SetKey) -> tuple[int, ...]:
    """Newest version first."""
    return tuple(-int(part) if part.isdigit() else 0 for part in key.version.split("."))


def role_title(one: MessageSet, name: str, lang: Lang) -> str:
    """A role as `Schuldeiser (SE)`."""
    rule = one.roles.get(name)
    title = lang(rule.title_nl, rule.title_en) if rule else ""
    return f"{title} ({name})" if title else name


def set_title(one: MessageSet, lang: Lang) -> str:
    return f"{lang(one.title_nl, one.title_en)} {one.key.version}"


def element_title(one: MessageSet, element: str, lang: Lang) -> str:
    message = one.messages.get(element)
    return lang(message.title_nl, message.title_en) if message else element

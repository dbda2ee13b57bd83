"""Message sets for the commands: where they are, what is wrong with them, their WSDL, samples and changes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.errors import GatewayError, Misconfigured, row
from gateway.messagesets import Catalog, MessageSet, load_catalog, validate_text
from gateway.messagesets import write_wsdl as wsdl_of
from gateway.soap import check_xml_octets
from gateway.transport import Document
from gateway.values import Finding

if TYPE_CHECKING:
    from gateway.messagesets import SiteFile

_BESIDE: Final = Path(__file__).resolve().parent.parent.parent
XSD: Final = _BESIDE / "xsd"
WSDL: Final = _BESIDE / "wsdl"
DOCS: Final = ("nl", "en", "files")  # folders of the documentation
_KEPT: Final = 32  # documents in memory


@cache
def catalog_in(xsd: Path | None = None) -> Catalog:
    """The sets in this folder, or those that come with the gateway; loaded once per process."""
    return load_catalog(xsd or XSD)


def _write(path: Path, octets: bytes) -> bool:
    """Whether the file was not there, or not so."""
    if path.is_file() and path.read_bytes() == octets:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)
    return True


def validate_file(file: Path, xsd: Path | None) -> list[Finding]:
    """Findings on a message element in a file. Raises Misconfigured when the file can't be read."""
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from error
    catalog = catalog_in(xsd)
    try:
        check_xml_octets(octets)
    except GatewayError as error:  # what the line would refuse before it looks at the message
        return [Finding(xpath="/", rule="not-xml", nl=row(error).text, en=row(error).text_en)]
    return list(validate_text(octets, catalog.by_namespace))


def list_sets(xsd: Path | None) -> list[dict[str, object]]:
    """One row per set."""
    catalog = catalog_in(xsd)
    return [
        {"module": key.module, "version": key.version, "title": one.title_nl, "status": one.status,
         "namespace": one.namespace, "roles": sorted(one.roles), "messages": len(one.messages)}
        for key, one in sorted(catalog.sets.items(), key=lambda item: str(item[0]))
    ]


def check_sets(xsd: Path | None, wsdl: Path | None) -> list[str]:
    """Everything wrong with any set, in words with file and remedy."""
    return catalog_in(xsd).problems(wsdl or WSDL)


def write_wsdl(xsd: Path | None, wsdl: Path | None) -> Iterator[tuple[Path, bool]]:
    """Write every WSDL; gives each path and whether its octets changed."""
    for key, one in catalog_in(xsd).sets.items():
        folder = (wsdl or WSDL) / key.module / key.version
        for name, text in sorted(wsdl_of(one).items()):
            yield folder / name, _write(folder / name, text.encode())


def write_docs(out: Path, *, xsd: Path | None, public_url: str | None) -> tuple[int, int]:
    """Write the documentation of every set into a folder; gives how many files it has and how many are new or changed.

    Other files in the folder are left alone.
    """
    from gateway.messagesets import build_docs  # here: a hub starts without it

    catalog = catalog_in(xsd)
    site = build_docs(catalog, public_url=public_url) if public_url else build_docs(catalog)
    return len(site), sum([_write(out / name, file.make()) for name, file in site.items()])


def documentation(catalog: Catalog, public_url: str) -> Callable[[str], Document | None]:
    """The documentation for the web listener, by path: nothing is made before somebody asks for it."""
    @cache
    def site() -> Mapping[str, "SiteFile"]:
        from gateway.messagesets import build_docs  # here: a hub starts without it

        return build_docs(catalog, public_url=public_url)

    @lru_cache(maxsize=_KEPT)
    def find(path: str) -> Document | None:
        file = site().get(path)
        return Document(content_type=file.content_type, octets=file.make()) if file else None

    return find


def _find(name: str, xsd: Path | None) -> MessageSet:
    catalog = catalog_in(xsd)
    found = next((one for key, one in catalog.sets.items() if str(key) == name), None)
    if found is None:
        raise Misconfigured(f"there is no message set {name}; use one of {', '.join(map(str, catalog.sets))}")
    return found


def sample_messages(
    name: str, element: str, *, seeds: range, mode: str, sender: str | None, receivers: tuple[str, ...],
    at: datetime | None, documents: tuple[str, ...], bsn: bool, xsd: Path | None,
) -> Iterator[tuple[str, bytes]]:
    """A file name and a valid message per seed, of the set `name` (module/version). Raises Misconfigured."""
    from gateway.messagesets import sample_message  # here: the hub never makes one, and this needs xmlschema

    message_set = _find(name, xsd)
    for seed in seeds:
        yield f"{element}-{seed}.xml", sample_message(
            message_set, element, seed=seed, mode=mode, sender=sender, receivers=receivers, at=at,
            documents=documents, bsn=bsn)


def diff_sets(old: str, new: str, xsd: Path | None) -> list[dict[str, object]]:
    """What changed from one set (module/version) to another: kind, where, old, new, nl, en, messages."""
    from gateway.messagesets import compare_sets  # here: as above

    return [asdict(one) for one in compare_sets(_find(old, xsd), _find(new, xsd))]

"""Message sets for the commands: where they are, what is wrong with them, their WSDL."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from gateway.errors import Misconfigured
from gateway.messagesets import Catalog, load_catalog, validate_text
from gateway.messagesets import write_wsdl as wsdl_of
from gateway.values import Finding

_BESIDE: Final = Path(__file__).resolve().parent.parent.parent
XSD: Final = _BESIDE / "xsd"
WSDL: Final = _BESIDE / "wsdl"


@cache
def default_catalog() -> Catalog:
    """The sets that come with the gateway, loaded once per process."""
    return load_catalog(XSD)


def validate_file(file: Path, xsd: Path | None) -> list[Finding]:
    """Findings on a message element in a file. Raises Misconfigured when the file can't be read."""
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from error
    catalog = load_catalog(xsd) if xsd else default_catalog()
    return list(validate_text(octets, catalog.by_namespace))


def list_sets(xsd: Path | None) -> list[dict[str, object]]:
    """One row per set."""
    catalog = load_catalog(xsd) if xsd else default_catalog()
    return [
        {"module": key.module, "version": key.version, "title": one.title_nl, "status": one.status,
         "namespace": one.namespace, "roles": sorted(one.roles), "messages": len(one.messages)}
        for key, one in sorted(catalog.sets.items(), key=lambda item: str(item[0]))
    ]


def check_sets(xsd: Path | None, wsdl: Path | None) -> list[str]:
    """Everything wrong with any set, in words with file and remedy."""
    return load_catalog(xsd or XSD).problems(wsdl or WSDL)


def write_wsdl(xsd: Path | None, wsdl: Path | None) -> Iterator[tuple[Path, bool]]:
    """Write every WSDL; gives each path and whether its octets changed."""
    for key, one in load_catalog(xsd or XSD).sets.items():
        folder = (wsdl or WSDL) / key.module / key.version
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(wsdl_of(one).items()):
            path, octets = folder / name, text.encode()
            changed = not path.is_file() or path.read_bytes() != octets
            if changed:
                path.write_bytes(octets)
            yield path, changed

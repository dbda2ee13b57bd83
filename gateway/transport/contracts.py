"""The contract documents of GET <service>?wsdl and ?xsd=<name>: the committed files, with their addresses made real.

Everything is made once, at start, into one mapping; a request only looks its key up in it. No path is ever built from
what a peer sends, so there is nothing to traverse. Of a file only three kinds of attribute value are replaced
(soap:address location, schemaLocation of import and include, location of wsdl:import); all other octets stay as
committed.
"""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from gateway.errors import Misconfigured
from gateway.values import Service

_ADDRESS = re.compile(rb"""(<(?:[\w.-]+:)?address\s[^>]*?\blocation\s*=\s*)(["'])(.*?)\2""", re.DOTALL)
_REFERENCE = re.compile(
    rb"""(<(?:[\w.-]+:)?(?:import|include|redefine)\s(?:[^>]*?\s)?(?:schemaLocation|location)\s*=\s*)(["'])(.*?)\2""",
    re.DOTALL)


def build(
    services: Mapping[str, Service], *, wsdl_root: Path, xsd_root: Path, public_url: str,
) -> dict[tuple[str, str], bytes]:
    """The documents by (service path, query); the query is `wsdl`, `wsdl=<name>` or `xsd=<module>/<version>/<file>`.

    Takes   the services by path; the roots that hold <module>/<version>/…; the address parties use for this hub,
            without a path. The WSDL of /soap/<module>/<version>/<name> is <module>/<version>/<name>.wsdl.
    Gives   for each service its WSDL and every schema and WSDL that it leads to.
    Raises  Misconfigured where a file is missing, or refers to one outside the two roots.
    Source  WSDL 1.1 §3.8; WS-I BP 1.1 R2001-R2007 (imports by location, absolute so that any tool can follow).
    """
    roots = {"wsdl": wsdl_root.resolve(), "xsd": xsd_root.resolve()}
    files: dict[Path, bytes] = {}
    documents: dict[tuple[str, str], bytes] = {}
    for path, service in services.items():
        start = roots["wsdl"] / service.key.module / service.key.version / f"{path.rpartition('/')[2]}.wsdl"
        address = public_url.rstrip("/") + path
        reached = _reach(start, address, roots, files)
        documents.update({(path, query): octets for query, octets in reached.items()})
        documents[path, "wsdl"] = reached[_query(start, roots)]
    return documents


def _reach(start: Path, address: str, roots: Mapping[str, Path], files: dict[Path, bytes]) -> dict[str, bytes]:
    """Every document one service's WSDL leads to, by query."""
    waiting, done = [start], dict[str, bytes]()
    while waiting:
        file = waiting.pop()
        query = _query(file, roots)
        if query in done:
            continue
        if file not in files:
            files[file] = _read(file)
        octets = _ADDRESS.sub(lambda found: _put(found, address), files[file])

        def refer(found: re.Match[bytes], file: Path = file) -> bytes:
            location = found[3].decode()
            if ":" in location:  # absolute already: a standard's own schema
                return found[0]
            other = (file.parent / location).resolve()
            waiting.append(other)
            return _put(found, f"{address}?{_query(other, roots)}")

        done[query] = _REFERENCE.sub(refer, octets)
    return done


def _query(file: Path, roots: Mapping[str, Path]) -> str:
    for kind, root in roots.items():
        if file.is_relative_to(root):
            return f"{kind}={file.relative_to(root).as_posix()}"
    raise Misconfigured(f"a contract refers to {file}, outside wsdl/ and xsd/; correct the reference")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"contract file {file}: {error.strerror}; write the WSDL files with `gateway sets wsdl`"
        ) from error


def _put(found: re.Match[bytes], value: str) -> bytes:
    return found[1] + found[2] + escape(value).encode() + found[2]

"""The documentation of all message sets as a site: every file of it by path, each made when it is asked for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from gateway.messagesets.catalog import Catalog
from gateway.messagesets.docs._archive import write_zip
from gateway.messagesets.docs._connect import connect_page
from gateway.messagesets.docs._faults import faults_page
from gateway.messagesets.docs._frame import CONNECT, FAULTS, HOME, MESSAGES, STYLE, Page, write_page
from gateway.messagesets.docs._home import home_page, messages_page
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._library import Library
from gateway.messagesets.docs._message_page import message_page
from gateway.messagesets.docs._set_page import set_page
from gateway.messagesets.docs._style import CSS
from gateway.messagesets.wsdl import BASE_URL

SEARCH = "files/messages.json"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json",
    ".zip": "application/zip", ".toml": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFile:
    """One file of the site. `make` gives the same octets every time."""

    content_type: str
    make: Callable[[], bytes]


def build_docs(catalog: Catalog, *, public_url: str = BASE_URL) -> Mapping[str, SiteFile]:
    """The documentation of these sets: path → file. Cheap; the work is done in each file's `make`.

    All links are relative, so the files work from any folder or address. `public_url` is the hub's address for parties,
    as pages and contracts show it. `index.html` is the Dutch first page; below `nl/` and `en/` the same pages have the
    same paths.

    `make` raises Misconfigured when a file of a set is gone.
    """
    library = Library(catalog, public_url)
    pages = _pages(library)
    made: dict[str, Callable[[], bytes]] = {"index.html": partial(write_page, pages[HOME], Lang.NL, HOME, at=HOME)}
    for lang in Lang:
        made.update({f"{lang.value}/{path}": partial(write_page, page, lang, path) for path, page in pages.items()})
    made[STYLE] = CSS.encode
    made[SEARCH] = partial(_search, library)
    for one in library.sets:
        made.update({library.file_path(path): path.read_bytes for path in library.downloads(one)})
        made.update({library.wsdl_path(one, name): text.encode for name, text in library.wsdl(one).items()})
        made[library.zip_path(one)] = partial(lambda each: write_zip(dict(library.bundle(each))), one)
    return MappingProxyType({path: SiteFile(content_type=_type(path), make=make)
                             for path, make in sorted(made.items())})


def _pages(library: Library) -> dict[str, Page]:
    """Every page, by its path below the language's folder."""
    pages: dict[str, Page] = {
        HOME: partial(home_page, library), MESSAGES: partial(messages_page, library),
        CONNECT: partial(connect_page, library), FAULTS: faults_page,
    }
    for one in library.sets:
        pages[library.set_path(one)] = partial(set_page, library, one)
        for element in library.subjects(one):
            pages[library.element_path(one, element)] = partial(message_page, library, one, element)
    return pages


def _search(library: Library) -> bytes:
    """All messages for a search of one's own: what they are called, and where their pages lie."""
    rows = [
        {"module": one.key.module, "version": one.key.version, "status": one.status, "element": element,
         "nl": message.title_nl if message else element, "en": message.title_en if message else element,
         "path": library.element_path(one, element)}
        for one in library.sets for element in library.subjects(one) for message in (one.messages.get(element),)
    ]
    return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()


def _type(path: str) -> str:
    return _TYPES.get(Path(path).suffix, "application/xml")

"""What every page has around it: head, navigation, the way back, the same page in the other language."""

from collections.abc import Callable
from dataclasses import dataclass
from posixpath import dirname, relpath
from typing import Final
from urllib.parse import quote

from gateway.messagesets.docs._html import Html, Part, join, tag
from gateway.messagesets.docs._lang import Lang

HOME: Final = "index.html"
CONNECT: Final = "connect.html"
MESSAGES: Final = "messages.html"
FAULTS: Final = "faults.html"
STYLE: Final = "files/docs.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The page that is being written: where it lies, and so how it reaches the others. All links are relative."""

    lang: Lang
    path: str  # below the language's folder, the same in both languages
    at: str  # in the whole site

    def file(self, path: str, anchor: str = "") -> str:
        """The link to any file of the site."""
        return quote(relpath(path, dirname(self.at) or ".")) + (f"#{quote(anchor)}" if anchor else "")

    def to(self, path: str, anchor: str = "") -> str:
        """The link to a page in this page's language."""
        return self.file(f"{self.lang.value}/{path}", anchor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one page says, without its frame."""

    title: str
    body: Html
    trail: tuple[tuple[str, str], ...] = ()  # the pages above this one, as (path, title)


Page = Callable[[Here], Sheet]


def write_page(page: Page, lang: Lang, path: str, *, at: str = "") -> bytes:
    """A page as octets. `at` is where it lies when that is not in its language's folder."""
    here = Here(lang=lang, path=path, at=at or f"{lang.value}/{path}")
    sheet = page(here)
    site = lang("Berichten van het Schuldenknooppunt", "Messages of the Schuldenknooppunt")
    return join(
        Html("<!DOCTYPE html>\n"),
        tag("html", _head(here, sheet, site), "\n", tag(
            "body",
            tag("a", lang("Direct naar de inhoud", "Skip to the content"), href="#inhoud", class_="skip"), "\n",
            _header(here, site), "\n", _trail(here, sheet),
            tag("main", tag("h1", sheet.title), "\n", sheet.body, id="inhoud"), "\n",
            tag("footer", tag("p", lang(
                "Deze pagina's zijn gemaakt uit de berichtensets zelf: wat hier staat, is wat het knooppunt "
                "controleert.",
                "These pages are made from the message sets themselves: what they say is what the hub checks."))),
        ), lang=lang.value), "\n",
    ).encode()


def _head(here: Here, sheet: Sheet, site: str) -> Html:
    other = here.file(f"{here.lang.other.value}/{here.path}")
    title = site if sheet.title == site else f"{sheet.title} – {site}"
    return tag(
        "head", tag("meta", charset="utf-8"), tag("title", title),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="stylesheet", href=here.file(STYLE)),
        tag("link", rel="alternate", hreflang=here.lang.other.value, href=other))


def _header(here: Here, site: str) -> Html:
    lang, other = here.lang, here.lang.other
    links = (
        (HOME, lang("Berichtensets", "Message sets")), (MESSAGES, lang("Alle berichten", "All messages")),
        (CONNECT, lang("Verbind uw systeem", "Connect your system")), (FAULTS, lang("Fouten", "Faults")),
    )
    items = [tag("li", tag("a", text, href=here.to(path), aria_current="page" if path == here.path else None))
             for path, text in links]
    switch = tag("a", other("Nederlands", "English"), href=here.file(f"{other.value}/{here.path}"),
                 hreflang=other.value, lang=other.value, class_="switch")
    return tag("header", tag("div", tag("p", tag("a", site, href=here.to(HOME)), class_="site"), switch, class_="bar"),
               tag("nav", tag("ul", items), aria_label=lang("Hoofdmenu", "Main menu"), class_="main"))


def _trail(here: Here, sheet: Sheet) -> Part:
    if not sheet.trail:
        return None
    items = [tag("li", tag("a", title, href=here.to(path))) for path, title in sheet.trail]
    items.append(tag("li", tag("span", sheet.title, aria_current="page")))
    return join(tag("nav", tag("ol", items), aria_label=here.lang("Kruimelpad", "Breadcrumb"), class_="trail"), "\n")

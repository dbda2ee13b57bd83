"""The first page and the list of all messages."""

from itertools import groupby

from gateway.messagesets.docs._frame import CONNECT, FAULTS, MESSAGES, Here, Sheet
from gateway.messagesets.docs._html import Html, join, row, table, tag
from gateway.messagesets.docs._library import Library, element_title, set_title
from gateway.messagesets.docs._set_page import status
from gateway.messagesets.sets import MessageSet


def home_page(library: Library, here: Here) -> Sheet:
    """All sets by module, with their status."""
    lang = here.lang
    cards = [_card(library, list(sets), here) for _, sets in groupby(library.sets, lambda one: one.key.module)]
    body = join(
        tag("p", lang(
            "Via het Schuldenknooppunt wisselen schuldhulpverleners, schuldeisers en anderen berichten uit over "
            "schulden. Hier staat van elke berichtenset waar die voor is, hoe een conversatie verloopt en wat er in "
            "elk bericht mag "
            "staan.",
            "Through the Schuldenknooppunt debt counsellors, creditors and others exchange messages about debts. Here "
            "you find of every message set what it is for, how a conversation runs and what each message may hold."),
            class_="lead"),
        tag("ul",
            tag("li", tag("a", lang("Verbind uw systeem in vijf stappen", "Connect your system in five steps"),
                          href=here.to(CONNECT))),
            tag("li", tag("a", lang("Zoek een bericht in de lijst van A tot Z",
                                    "Find a message in the list from A to Z"),
                          href=here.to(MESSAGES))),
            tag("li", tag("a", lang("Zoek de oorzaak van een foutcode", "Find the cause of a fault code"),
                          href=here.to(FAULTS)))),
        tag("h2", lang("Modules en hun versies", "Modules and their versions"), id="modules"),
        tag("ul", cards, class_="cards"))
    return Sheet(title=lang("Berichten van het Schuldenknooppunt", "Messages of the Schuldenknooppunt"), body=body)


def _card(library: Library, sets: list[MessageSet], here: Here) -> Html:
    lang = here.lang
    newest = sets[0]
    versions = [tag("li", tag("a", set_title(one, lang), href=here.to(library.set_path(one))), " ", status(one, lang))
                for one in sets]
    links = [tag("li", tag("a", element_title(newest, name, lang), href=here.to(library.element_path(newest, name))))
             for name in library.subjects(newest)]
    what = lang("onderdelen", "parts") if newest.core else lang("berichten", "messages")
    count = f"{len(links)} {what} in {newest.key.version}"
    return tag("li", tag("h3", lang(newest.title_nl, newest.title_en), id=newest.key.module), tag("ul", versions),
               tag("details", tag("summary", count), tag("ul", links)))


def messages_page(library: Library, here: Here) -> Sheet:
    """Every message of every set, by its element's first letter."""
    lang = here.lang
    every = sorted(((name, one) for one in library.sets for name in library.subjects(one)),
                   key=lambda pair: (pair[0].lower(), library.sets.index(pair[1])))
    groups = [(letter, list(pairs)) for letter, pairs in groupby(every, lambda pair: pair[0][0].upper())]
    heads = (lang("Element", "Element"), lang("Titel", "Title"), lang("Berichtenset", "Message set"),
             lang("Status", "Status"))
    body = join(
        tag("nav", tag("ul", [tag("li", tag("a", letter, href=f"#letter-{letter}")) for letter, _ in groups],
                       class_="toc"), aria_label=lang("Letters", "Letters")),
        [join(tag("h2", letter, id=f"letter-{letter}"),
              table(lang(f"Berichten met {letter}", f"Messages with {letter}"), heads,
                    [_entry(library, name, one, here) for name, one in pairs])) for letter, pairs in groups])
    return Sheet(title=lang("Alle berichten", "All messages"), body=body)


def _entry(library: Library, name: str, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    return row(tag("a", tag("code", name), href=here.to(library.element_path(one, name))),
               element_title(one, name, lang),
               tag("a", set_title(one, lang), href=here.to(library.set_path(one))), status(one, lang))

"""The page of one message, or of one element of the shared set."""

import tomllib
from pathlib import Path

from gateway import names
from gateway.messagesets.docs._faults import fault_list, possible_faults
from gateway.messagesets.docs._frame import HOME, Here, Sheet
from gateway.messagesets.docs._html import Html, Part, join, row, table, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._library import Library, element_title, role_title, set_title
from gateway.messagesets.docs._machine import read_machine
from gateway.messagesets.docs._set_page import bsn, days
from gateway.messagesets.docs._table import element_table
from gateway.messagesets.docs._xml_view import xml_view
from gateway.messagesets.sets import MessageSet
from gateway.values import MessageType

_CHECKS = {
    "eleven-test": ("Elk burgerservicenummer voldoet aan de elfproef.",
                    "Each citizen service number passes the eleven-test."),
    "mod-97": ("Elk rekeningnummer (IBAN) voldoet aan de controle modulo 97.",
               "Each account number (IBAN) passes the modulo 97 check."),
    "attachments": ("Van elke bijlage kloppen omvang, SHA-256 en MimeType; zij is ten hoogste {} octetten groot. Samen "
                    "zijn het er ten hoogste {} van {} octetten.",
                    "Of each attachment size, SHA-256 and MimeType are right; it is at most {} octets. Together they "
                    "are at most {} with {} octets."),
}
_MAX_SHOWN = 200_000  # octets; a larger example is offered as a download only


def message_page(library: Library, one: MessageSet, element: str, here: Here) -> Sheet:
    """Everything about one element."""
    lang = here.lang
    message = one.messages.get(element)
    words = library.words(one, element)
    parts = [("elementen", lang("Inhoud", "Content"), _contents(library, one, element, here))]
    if message is not None:
        parts.append(("regels", lang("Regels en controles", "Rules and checks"), _rules(one, message, lang)))
    parts.append(("voorbeelden", lang("Voorbeelden", "Examples"), _examples(library, one, element, here)))
    if message is not None:
        reasons = possible_faults(one, message, has_bsn=library.has_bsn(one, element))
        parts.append(("fouten", lang("Fouten", "Faults"), fault_list(here, reasons)))
    parts.append(("downloads", "Downloads", _downloads(library, one, message, here)))
    return Sheet(
        title=element_title(one, element, lang),
        trail=((HOME, lang("Berichtensets", "Message sets")), (library.set_path(one), set_title(one, lang))),
        body=join(
            tag("p", lang.dutch(words.text), class_="lead") if words.text else None,
            _facts(library, one, element, words.basis, here),
            tag("nav", tag("ul", [tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in parts], class_="toc"),
                aria_label=lang("Op deze pagina", "On this page")),
            [join("\n", tag("h2", title, id=key), part) for key, title, part in parts]))


def _facts(library: Library, one: MessageSet, element: str, basis: str, here: Here) -> Html:
    lang = here.lang
    message = one.messages.get(element)
    facts: list[tuple[str, Part]] = [
        ("Element", join(tag("code", element), lang(" in namespace ", " in namespace "), tag("code", one.namespace)))]
    if message is not None:
        facts += _message_facts(library, one, message, here)
    operation = next((path for path, service in one.services.items()
                      for each in service.operations.values() if each.name == element), None)
    if operation:
        facts += [("wsa:Action", tag("code", names.action(one.namespace, element))),
                  (lang("Adres", "Address"), tag("code", "POST ", library.public_url + operation))]
    if basis:
        facts.append((lang("Grond", "Basis"), lang.dutch(basis)))
    return tag("dl", [join(tag("dt", term), tag("dd", value)) for term, value in facts], class_="facts")


def _message_facts(library: Library, one: MessageSet, message: MessageType, here: Here) -> list[tuple[str, Part]]:
    lang = here.lang
    by_type = {other.berichttype: element for element, other in one.messages.items()}
    answered = [element for element, other in one.messages.items() if message.berichttype in other.answers]
    facts: list[tuple[str, Part]] = [
        (lang("Richting", "Direction"), f"{role_title(one, message.sender_role, lang)} → "
                                        f"{role_title(one, message.receiver_role, lang)}"),
        (lang("In de header", "In the header"), f"Berichttype {message.berichttype}, Versie {message.version}"),
    ]
    if message.answers:
        optional = lang("; mag ook ongevraagd", "; may also come unasked") if message.unasked else ""
        more = lang("; meer dan eens per vraag", "; more than once for a question") if message.repeatable else ""
        facts.append((lang("Antwoord op", "Answers"), join(_links(
            library, one, [by_type[name] for name in sorted(message.answers)], here), optional, more)))
    if answered:
        facts.append((lang("Wordt beantwoord met", "Is answered by"), _links(library, one, answered, here)))
    if message.answer_working_days:
        facts.append((lang("Antwoord binnen", "Answer within"), days(message.answer_working_days, lang)))
    if answer_by := one.requirements[message.element].demand.answer_by:
        facts.append((lang("Of zoals het bericht zegt", "Or as the message says"), tag("code", answer_by)))
    if message.expires_working_days:
        facts.append((lang("Op te halen binnen", "To be collected within"), days(message.expires_working_days, lang)))
    if message.max_per_conversation:
        facts.append((lang("Per conversatie", "Per conversation"), lang(
            f"ten hoogste {message.max_per_conversation}", f"at most {message.max_per_conversation}")))
    if message.max_receivers > 1 or message.routes:
        routes = lang(" of Routering met ", " or Routering by ") + ", ".join(sorted(message.routes))
        facts.append((lang("Ontvangers", "Receivers"), lang(
            f"ten hoogste {message.max_receivers}", f"at most {message.max_receivers}") + (
                routes if message.routes else "")))
    facts.append(("BSN", bsn(message, lang)))
    documents = [", ".join(sorted(message.documents))] if message.documents else []
    if message.ground:
        documents.append(lang("wat het adresboek van de afzender vraagt", "what the address book asks of the sender"))
    if documents:
        facts.append((lang("Verplichte documenten", "Required documents"), "; ".join(documents)))
    facts.append((lang("Mag in toestand", "Allowed in state"), _states(library, one, message, here)))
    return facts


def _links(library: Library, one: MessageSet, elements: list[str], here: Here) -> Html:
    return join([join(", " if number else None, tag(
        "a", tag("code", element), href=here.to(library.element_path(one, element))))
        for number, element in enumerate(elements)])


def _states(library: Library, one: MessageSet, message: MessageType, here: Here) -> Html:
    machine = read_machine(one.choreography)
    states = dict.fromkeys(move.source for move in machine.moves if move.message == message.element)
    ordered = [state for state in machine.states if state in states]
    return join([join(", " if number else None, tag(
        "a", tag("code", state), href=here.to(library.set_path(one), f"toestand-{state}")))
        for number, state in enumerate(ordered)])


def _contents(library: Library, one: MessageSet, element: str, here: Here) -> Html:
    lang = here.lang
    basis = here.to(library.set_path(one), "toelichting")

    def shown(name: str, caption: str) -> Html:
        return element_table(library.rows(one, name), lang, caption,
                             lambda clark_name: here.to(library.global_path(clark_name)), basis)

    own = shown(element, lang(f"Onderdelen van {element}", f"Parts of {element}"))
    answer = f"{element}Antwoord"
    if one.core and answer in one.elements:
        words = library.words(one, answer)
        return join(own, tag("h3", lang("Het antwoord: ", "The answer: "), tag("code", answer)),
                    tag("p", lang.dutch(words.text)), shown(answer, lang(f"Onderdelen van {answer}",
                                                                         f"Parts of {answer}")))
    return own


def _rules(one: MessageSet, message: MessageType, lang: Lang) -> Html:
    needed = one.requirements[message.element]
    rules = [row(rule.id, lang(rule.nl, rule.en), tag("details", tag("summary", lang("toets", "test")), tag(
        "code", rule.test))) for book in needed.books for rule in book.asserts]
    demand = needed.demand
    limit, total = (f"{octets:,}".replace(",", lang(".", ",")) for octets in (
        demand.max_attachment_octets, demand.max_attachments_octets))
    checks = [tag("li", tag("code", name), ": ", lang(*_CHECKS[name]).format(
        limit, demand.max_attachments, total) if name in _CHECKS else name)
              for name in sorted(needed.demand.checks)]
    return join(
        table(lang("Regels naast het schema", "Rules beside the schema"),
              (lang("Regel", "Rule"), lang("Eis, of melding bij een fout", "Demand, or text of the finding"),
               lang("XPath", "XPath")), rows=rules)
        if rules else tag("p", lang("Naast het schema zijn er geen regels.", "There are no rules beside the schema.")),
        join(tag("h3", lang("Controles", "Checks")), tag("ul", checks)) if checks else None)


def _examples(library: Library, one: MessageSet, element: str, here: Here) -> Html:
    lang = here.lang
    named = (element, f"{element}Antwoord") if one.core else (element,)
    valid = [path for name in named for path in library.examples(one, name, "valid")]
    shown = [_example(library, path, here, opened=not number) for number, path in enumerate(valid)]
    wrong = [one_row for path in library.examples(one, element, "invalid")
             for one_row in [_refused(library, path, here)]]
    return join(
        shown or tag("p", lang("Er is geen voorbeeld.", "There is no example.")),
        join(tag("h3", lang("Voorbeelden die worden geweigerd", "Examples that are refused")),
             table(lang("Wat er mis is, en wat het knooppunt erover zegt",
                        "What is wrong, and what the hub says of it"),
                   (lang("Bestand", "File"), "Code", lang("Plaats", "Place"), lang("Regel", "Rule")), wrong))
        if wrong else None)


def _example(library: Library, path: Path, here: Here, *, opened: bool) -> Html:
    lang, octets = here.lang, path.read_bytes()
    link = tag("p", tag("a", lang("Download ", "Download "), path.name, href=here.file(library.file_path(path))))
    view = xml_view(octets.decode("utf-8", "replace"), lang, path.name) if len(octets) <= _MAX_SHOWN else None
    return tag("details", tag("summary", path.name), link, view, open=opened)


def _refused(library: Library, path: Path, here: Here) -> Html:
    try:
        promise = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        promise = {}  # `gateway sets check` says what is wrong with it
    return row(tag("a", path.name, href=here.file(library.file_path(path))), str(promise.get("code", "–")),
               tag("code", str(promise.get("xpath", "–"))), tag("code", str(promise.get("rule", "–"))))


def _downloads(library: Library, one: MessageSet, message: MessageType | None, here: Here) -> Html:
    lang = here.lang
    links = [(lang("De hele set als zip", "The whole set as a zip"), library.zip_path(one)),
             (one.schema.path.name, library.file_path(one.schema.path))]
    wanted = {f"{one.roles[message.sender_role].endpoint}.wsdl",
              f"{one.roles[message.receiver_role].endpoint}-ontvangst.wsdl"} if message else set()
    links += [(name, library.wsdl_path(one, name)) for name in library.wsdl(one) if not wanted or name in wanted]
    return tag("ul", [tag("li", tag("a", text, href=here.file(path))) for text, path in links])

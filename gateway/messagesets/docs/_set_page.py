"""The page of one message set."""

from gateway.messagesets.docs._frame import CONNECT, HOME, Here, Sheet
from gateway.messagesets.docs._html import Html, Part, join, row, table, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._library import Library, element_title, role_title, set_title
from gateway.messagesets.docs._process import process
from gateway.messagesets.sets import MessageSet
from gateway.values import MessageType

_STATUS = {
    "draft": ("concept", "draft", "Nog in ontwikkeling; kan veranderen.", "Under development; may change."),
    "test": ("test", "test", "Alleen om te beproeven.", "For trials only."),
    "active": ("actief", "active", "In gebruik; verandert niet meer.", "In use; does not change any more."),
    "deprecated": ("uitfaserend", "deprecated", "Nog in gebruik; kies voor nieuw werk een nieuwere versie.",
                   "Still in use; choose a newer version for new work."),
    "closed": ("gesloten", "closed", "Niet meer in gebruik; heeft geen adres.", "No longer in use; has no address."),
    "archived": ("gearchiveerd", "archived", "Alleen nog om na te lezen.", "Kept for reading only."),
}
_BSN = {
    "never": ("nooit", "never"), "agreed": ("als beide partijen het mogen verwerken", "if both parties may process it"),
    "always": ("altijd", "always"),
}


def status(one: MessageSet, lang: Lang) -> Html:
    """The status as a badge."""
    nl, en, _, _ = _STATUS[one.status]
    return tag("span", lang(nl, en), class_=f"status {one.status}")


def bsn(message: MessageType, lang: Lang) -> str:
    return lang(*_BSN[message.bsn])


def days(count: int | None, lang: Lang) -> str:
    if count is None:
        return "–"
    return lang("1 werkdag", "1 working day") if count == 1 else lang(f"{count} werkdagen", f"{count} working days")


def set_page(library: Library, one: MessageSet, here: Here) -> Sheet:
    """What the set is for, who plays in it, how it runs, what it consists of."""
    lang = here.lang
    parts = [("berichten", lang("Berichten", "Messages"), _messages(library, one, here))]
    if one.core:
        parts = [("diensten", lang("Diensten", "Services"), _services(library, one, here))]
    else:
        parts.insert(0, ("rollen", lang("Rollen", "Roles"), _roles(one, lang)))
        parts.insert(1, ("verloop", lang("Verloop", "Course"), process(one, lang, lambda element: _link(
            library, one, element, here))))
        parts.append(("termijnen", lang("Termijnen en grenzen", "Terms and limits"), _terms(library, one, here)))
    parts.append(("adressen", lang("Adressen", "Addresses"), _addresses(library, one, lang)))
    parts.append(("downloads", "Downloads", _downloads(library, one, here)))
    parts.append(("toelichting", lang("Toelichting en bronnen", "Explanation and sources"), _about(library, one, here)))
    return Sheet(
        title=set_title(one, lang), trail=((HOME, lang("Berichtensets", "Message sets")),),
        body=join(
            _purpose(library, one, lang),
            tag("nav", tag("ul", [tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in parts], class_="toc"),
                aria_label=lang("Op deze pagina", "On this page")),
            [join("\n", tag("h2", title, id=key), part) for key, title, part in parts]))


def _purpose(library: Library, one: MessageSet, lang: Lang) -> Html:
    _, _, nl, en = _STATUS[one.status]
    about = library.about(one)
    own = next((text for path, text in about if path == one.schema.path), "")
    roles = _enumerated([lang(rule.title_nl, rule.title_en) for rule in one.roles.values()], lang)
    count = len(one.messages)
    sentence = lang(f"In deze set wisselen {roles} {count} soorten berichten uit.",
                    f"In this set {roles} exchange {count} kinds of message.") if not one.core else lang(
        "De diensten van het knooppunt zelf, en wat alle berichten gemeen hebben: header, ontvangstbevestiging en "
        "fout.",
        "The services of the hub itself, and what all messages share: header, receipt and fault.")
    return join(
        tag("p", sentence, class_="lead"), tag("p", lang.dutch(own)) if own else None,
        tag("dl", _fact(lang("Status", "Status"), status(one, lang), " ", lang(nl, en)),
            _fact("Namespace", tag("code", one.namespace), lang(" met prefix ", " with prefix "),
                  tag("code", one.prefix)),
            _fact(lang("Profiel", "Profile"), "Digikoppeling WUS ", one.profile),
            _fact(lang("Inhoud", "Content"), lang("versleuteld door de afzender; het knooppunt ziet alleen de header",
                                                  "encrypted by the sender; the hub sees the header only")
                  if one.sealed else lang("wordt door het knooppunt gecontroleerd", "is checked by the hub")),
            class_="facts"))


def _fact(term: str, *parts: Part) -> Html:
    return join(tag("dt", term), tag("dd", parts))


def _enumerated(words: list[str], lang: Lang) -> str:
    return lang(" en ", " and ").join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)


def _link(library: Library, one: MessageSet, element: str, here: Here) -> Html:
    return tag("a", tag("code", element), href=here.to(library.element_path(one, element)))


def _roles(one: MessageSet, lang: Lang) -> Html:
    rows = [row(lang(rule.title_nl, rule.title_en), tag("code", rule.name), ", ".join(sorted(rule.parties)),
                ", ".join(sorted(rule.subtypes)) or lang("alle", "all")) for rule in one.roles.values()]
    return table(lang("Wie welke rol mag vervullen", "Who may play which role"),
                 (lang("Rol", "Role"), "Code", lang("Deelnemers met rol", "Parties with role"),
                  lang("Subtype", "Subtype")), rows)


def _messages(library: Library, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    rows = [
        row(tag("a", element_title(one, element, lang), href=here.to(library.element_path(one, element))),
            tag("code", element), role_title(one, message.sender_role, lang),
            role_title(one, message.receiver_role, lang), ", ".join(sorted(message.answers)) or "–")
        for element, message in one.messages.items()
    ]
    return table(lang("Berichten van deze set", "Messages of this set"),
                 (lang("Bericht", "Message"), lang("Element", "Element"), lang("Van", "From"), lang("Aan", "To"),
                  lang("Antwoord op", "Answers")), rows)


def _services(library: Library, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    operations = [row(tag("a", tag("code", name), href=here.to(library.element_path(one, name))),
                      lang(rule.title_nl, rule.title_en), lang.dutch(library.words(one, name).text))
                  for rule in one.service_rules for name in rule.operations]
    known = {name for rule in one.service_rules for name in rule.operations}
    others = [row(tag("a", tag("code", name), href=here.to(library.element_path(one, name))),
                  lang.dutch(library.words(one, name).text)) for name in library.subjects(one) if name not in known]
    return join(
        table(lang("Operaties, voor elke deelnemer", "Operations, for every party"),
              (lang("Operatie", "Operation"), lang("Dienst", "Service"), lang("Doel", "Purpose")), operations),
        table(lang("Gemeenschappelijke elementen", "Shared elements"),
              (lang("Element", "Element"), lang("Uitleg", "Explanation")), others))


def _terms(library: Library, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    rows = [
        row(_link(library, one, element, here), days(message.answer_working_days, lang),
            days(message.expires_working_days, lang) if message.expires_working_days else lang(
                "termijn van het knooppunt", "the hub's term"),
            message.max_per_conversation or "–", message.max_receivers, bsn(message, lang))
        for element, message in one.messages.items()
    ]
    return table(lang("Termijnen en grenzen per bericht", "Terms and limits by message"),
                 (lang("Bericht", "Message"), lang("Antwoord binnen", "Answer within"),
                  lang("Op te halen binnen", "To be collected within"), lang("Per conversatie", "Per conversation"),
                  lang("Ontvangers", "Receivers"), "BSN"), rows)


def _addresses(library: Library, one: MessageSet, lang: Lang) -> Html:
    if not one.services:
        return tag("p", lang("Deze versie heeft geen adres meer.", "This version has no address any more."))
    rows = [row(lang(service.role.title_nl, service.role.title_en) if service.role else path.rpartition("/")[2],
                tag("code", library.public_url + path)) for path, service in one.services.items()]
    return table(lang("Waar u berichten heen stuurt (POST, tweezijdig TLS)",
                      "Where to send messages (POST, mutual TLS)"),
                 (lang("Rol of dienst", "Role or service"), lang("Adres", "Address")), rows)


def _downloads(library: Library, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    files = [path for path in library.downloads(one) if path.parent == one.folder]
    links = [(path.name, here.file(library.file_path(path))) for path in files]
    wsdl = [(name, here.file(library.wsdl_path(one, name))) for name in library.wsdl(one)]
    return join(
        tag("p", tag("a", lang("Alles in een zip", "Everything in one zip"), href=here.file(library.zip_path(one)),
                     download=True), lang(": schema's, regels, contracten en voorbeelden.",
                                          ": schemas, rules, contracts and examples.")),
        tag("h3", "WSDL"), _list(wsdl), tag("h3", lang("Schema's, regels en manifest", "Schemas, rules and manifest")),
        _list(links),
        tag("p", tag("a", lang("Verbind uw systeem in vijf stappen", "Connect your system in five steps"),
                     href=here.to(CONNECT))))


def _list(links: list[tuple[str, str]]) -> Html:
    return tag("ul", [tag("li", tag("a", text, href=address)) for text, address in links])


def _about(library: Library, one: MessageSet, here: Here) -> Html:
    lang = here.lang
    texts = [join(tag("dt", tag("code", path.name)), tag("dd", lang.dutch(text))) for path, text in library.about(one)]
    shared: Part = None
    if not one.core:
        shared = tag("p", tag("a", lang("De bronnen achter Grond", "The sources behind Basis"),
                              href=here.to(library.set_path(library.shared), "toelichting")))
    meaning = lang(
        "Bij elk element staat de grond: S staat in een openbare bron, I is afgeleid uit een bron, voorstel is een "
        "eigen keuze.", "Each element has its basis: S stands in a public source, I is derived from one, voorstel is a "
                  "choice of our own.")
    return join(tag("p", meaning), tag("dl", texts, class_="facts") if texts else None, shared)

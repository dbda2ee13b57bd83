"""The page of all faults, and the list of those that one message can get; both from errors.TABLE."""

from collections.abc import Iterator

from gateway import errors
from gateway.errors import TABLE, GatewayError
from gateway.messagesets.docs._frame import FAULTS, Here, Sheet
from gateway.messagesets.docs._html import Html, Part, join, row, table, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._remedies import ADVICE
from gateway.messagesets.sets import MessageSet
from gateway.values import MessageType

Reason = tuple[type[GatewayError], str, str]  # the error, and when it comes, in Dutch and English

_ALWAYS: tuple[Reason, ...] = (
    (errors.SchemaInvalid, "het bericht past niet bij het schema, de regels of de controles op deze pagina",
     "the message does not fit the schema, the rules or the checks on this page"),
    (errors.SenderMismatch, "Afzender hoort niet bij het certificaat", "Afzender does not match the certificate"),
    (errors.ReceiverUnknown, "de ontvanger is onbekend", "the receiver is unknown"),
    (errors.RoleNotAllowed, "afzender of ontvanger heeft de rol niet", "sender or receiver does not have the role"),
    (errors.ModuleNotAgreed, "een van beide heeft de module niet aan staan",
     "one of them has not switched on the module"),
    (errors.VersionNotAgreed, "de ontvanger heeft de versie niet aan staan, of Versie is onjuist",
     "the receiver has not switched on the version, or Versie is wrong"),
    (errors.DuplicateConflict, "het Referentienummer is al gebruikt voor iets anders",
     "the Referentienummer was used for something else"),
    (errors.ConversationForeign, "het ConversatieReferentienummer is van andere partijen",
     "the ConversatieReferentienummer belongs to other parties"),
)


def possible_faults(message_set: MessageSet, message: MessageType, *, has_bsn: bool) -> Iterator[Reason]:
    """The faults that come from what this message is; those of envelope, security and hub come to any message."""
    yield from _ALWAYS
    if message_set.enforced:
        yield (errors.ChoreographyError, "het bericht mag niet in de toestand van de conversatie",
               "the message is not allowed in the state of the conversation")
    yield (errors.CrossReferenceWrong,
           *(("het CrossReferentienummer past niet bij een open vraag", "CrossReferentienummer fits no open question")
             if message.answers else
             ("een CrossReferentienummer noemt geen bericht van deze conversatie",
              "a CrossReferentienummer names no message of this conversation")))
    if message.ground or message.documents:
        yield errors.GroundMissing, "een verplicht document ontbreekt", "a required document is missing"
    if "attachments" in message_set.requirements[message.element].demand.checks:
        yield (errors.AttachmentWrong, "een bijlage is te groot of klopt niet met wat erover is opgegeven",
               "an attachment is too large, or not as stated")
    if has_bsn or message.bsn == "always":
        yield (errors.BsnNotAllowed, "een BSN staat waar het niet mag, of ontbreekt waar het moet",
               "a BSN is where it may not be, or missing where it must be")


def fault_list(here: Here, reasons: Iterator[Reason]) -> Html:
    """The table on a message's page."""
    lang = here.lang
    rows = [row(tag("a", TABLE[kind].code, href=here.to(FAULTS, kind.__name__)), when,
                lang(TABLE[kind].text, TABLE[kind].text_en))
            for kind, nl, en in reasons for when in (lang(nl, en),)]
    return join(
        table(lang("Fouten die bij dit bericht horen", "Faults that belong to this message"),
              (lang("Code", "Code"), lang("Wanneer", "When"), lang("Tekst", "Text")), rows),
        tag("p", lang("Daarnaast kan elk bericht fouten krijgen over de envelop, de beveiliging en het knooppunt "
                      "zelf: ",
                      "Besides, any message can get faults about the envelope, the security and the hub itself: "),
            tag("a", lang("alle fouten", "all faults"), href=here.to(FAULTS)), "."))


def faults_page(here: Here) -> Sheet:
    """All faults by code, with cause and remedy."""
    lang = here.lang
    codes = sorted({one.code for one in TABLE.values()})
    intro = lang(
        "Een geweigerd verzoek krijgt een ondertekende SOAP-fault met daarin kn:Foutbericht: de code, de tekst, een "
        "ticket en zo mogelijk bevindingen. Bij codes onder SKP900 moet u iets veranderen voor u het opnieuw probeert; "
        "vanaf SKP900 ligt het aan het knooppunt.",
        "A refused request gets a signed SOAP fault that holds kn:Foutbericht: the code, the text, a ticket and, where "
        "possible, findings. With codes below SKP900 you must change something before you try again; from SKP900 on it "
        "is the hub's doing.")
    body = join(
        tag("p", intro, class_="lead"),
        tag("p", lang(
            "Alle weigeringen om de beveiliging (SKP015) luiden met opzet gelijk; hieronder staat wat erachter zit.",
            "All refusals about security (SKP015) read alike on purpose; below is what may be behind them.")),
        tag("nav", tag("ul", [tag("li", tag("a", code, href=f"#{code}")) for code in codes], class_="toc"),
            aria_label=lang("Codes", "Codes")),
        [_code(lang, code) for code in codes])
    return Sheet(title=lang("Fouten", "Faults"), body=body)


def _code(lang: Lang, code: str) -> Html:
    kinds = [kind for kind, one in TABLE.items() if one.code == code]
    texts = list(dict.fromkeys(lang(TABLE[kind].text, TABLE[kind].text_en) for kind in kinds))
    return join(
        tag("h2", code, id=code), tag("p", texts[0]) if len(texts) == 1 else None,
        table(lang(f"Oorzaken van {code}", f"Causes of {code}"),
              (lang("Fout", "Fault"), lang("Techniek", "Technical"), lang("Oorzaak", "Cause"),
               lang("Wat te doen", "What to do")),
              [_fault(lang, kind, alone=len(texts) == 1) for kind in kinds], class_="faults"))


def _fault(lang: Lang, kind: type[GatewayError], *, alone: bool) -> Html:
    one, advice = TABLE[kind], ADVICE[kind]
    facts: list[Part] = [tag("code", one.faultcode), tag("br"), f"HTTP {one.http}"]
    if one.wus:
        facts.append(f", WUS {one.wus}")
    if one.retry_after:
        facts += [tag("br"), f"Retry-After {one.retry_after} s"]
    text = None if alone else join(tag("br"), tag("span", lang(one.text, one.text_en), class_="quiet"))
    return tag("tr", tag("th", kind.__name__, text, scope="row", id=kind.__name__), tag("td", facts),
               tag("td", lang(advice.cause_nl, advice.cause_en)), tag("td", lang(advice.remedy_nl, advice.remedy_en)))

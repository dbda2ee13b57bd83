"""The page that takes a developer from nothing to the first message."""

from gateway.messagesets.docs._frame import FAULTS, HOME, Here, Sheet
from gateway.messagesets.docs._html import Html, Part, join, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._library import Library
from gateway.names import ANONYMOUS
from gateway.values import Step

_TRY = """\
gateway init proef
gateway serve proef
gateway send proef BERICHT.xml --party gemeente
gateway inbox proef list --party energie
"""


def connect_page(library: Library, here: Here) -> Sheet:
    """Five steps."""
    lang = here.lang
    steps = (_certificates(lang), _address_book(here), _software(here), _first(library, here),
             _round(library, here))
    body = join(
        tag("p", lang("Van niets tot een bericht dat is aangenomen, opgehaald en bevestigd.",
                      "From nothing to a message that was accepted, collected and confirmed."), class_="lead"),
        tag("ol", [tag("li", tag("h2", f"{number}. {title}", id=f"stap-{number}"), parts)
                   for number, (title, parts) in enumerate(steps, start=1)], class_="steps"))
    return Sheet(title=lang("Verbind uw systeem in vijf stappen", "Connect your system in five steps"), body=body)


_Step = tuple[str, list[Html]]


def _items(*items: Part) -> Html:
    return tag("ul", [tag("li", item) for item in items])


def _certificates(lang: Lang) -> _Step:
    return lang("Regel uw certificaten", "Get your certificates"), [
        tag("p", lang("Het knooppunt herkent u aan uw OIN in het certificaat, niet aan een wachtwoord.",
                      "The hub knows you by the OIN in your certificate, not by a password.")),
        _items(
            lang("Een certificaat voor tweezijdig TLS (1.2 of 1.3) en een om berichten te ondertekenen; dat mag "
                 "hetzelfde zijn als het gebruik van de sleutel beide toestaat.",
                 "A certificate for mutual TLS (1.2 or 1.3) and one to sign messages; they may be the same if the key "
                 "usage allows both."),
            lang("Uw OIN van 20 tekens staat in het serialNumber van het subject.",
                 "Your OIN of 20 characters stands in the serialNumber of the subject."),
            lang("RSA vanaf 2048 bits of een sleutel op P-256, P-384 of P-521; met P-256 is ondertekenen het snelst.",
                 "RSA from 2048 bits, or a key on P-256, P-384 or P-521; signing is fastest with P-256."))]


def _address_book(here: Here) -> _Step:
    lang = here.lang
    return lang("Laat u opnemen in het adresboek", "Be put in the address book"), [
        tag("p", lang("De beheerder legt vast wie u bent en wat u mag. U krijgt een id (UUID): dat is uw adres in elk "
                      "bericht.", "The operator records who you are and what you may do. You get an id (UUID): your "
                      "address in every message.")),
        _items(
            lang("Uw rollen; welke rol een bericht mag sturen, staat op de pagina van de set.",
                 "Your roles; which role may send a message stands on the set's page."),
            lang("De modules en versies die u gebruikt.", "The modules and versions that you use."),
            lang("Of u BSN's mag verwerken, en welke documenten uw berichten moeten dragen.",
                 "Whether you may process citizen service numbers, and which documents your messages must carry.")),
        tag("p", tag("a", lang("Kies uw berichtensets", "Choose your message sets"), href=here.to(HOME, "modules")))]


def _software(here: Here) -> _Step:
    lang = here.lang
    return lang("Maak de berichten en de envelop", "Make the messages and the envelope"), [
        tag("p", lang("Download de zip van uw set. Daarin zitten WSDL, XSD, regels en voorbeelden, met verwijzingen "
                      "die meteen kloppen.",
                      "Download the zip of your set. It holds WSDL, XSD, rules and examples, with references that "
                      "work as they are.")),
        _items(
            lang("SOAP 1.1 in UTF-8, document/literal, één bericht in de Body, met kn:Berichtheader als eerste "
                 "element.",
                 "SOAP 1.1 in UTF-8, document/literal, one message in the Body, with kn:Berichtheader as first "
                 "element."),
            join(lang("WS-Addressing 1.0: To, Action en MessageID; ReplyTo hoogstens ",
                      "WS-Addressing 1.0: To, Action and MessageID; ReplyTo at most "), tag("code", ANONYMOUS), "."),
            lang("WS-Security: één BinarySecurityToken, één Timestamp en één Signature, met een Reference voor Body, "
                 "elke wsa-header, Timestamp en token (exclusive C14N, SHA-256).",
                 "WS-Security: one BinarySecurityToken, one Timestamp and one Signature, with a Reference for the "
                 "Body, each wsa header, the Timestamp and the token (exclusive C14N, SHA-256)."),
            lang("Een nieuw Referentienummer voor elk bericht; één ConversatieReferentienummer voor alle berichten die "
                 "bij elkaar horen; in een antwoord het CrossReferentienummer van de vraag.",
                 "A new Referentienummer for every message; one ConversatieReferentienummer for all messages that "
                 "belong together; in an answer the CrossReferentienummer of the question."))]


def _first(library: Library, here: Here) -> _Step:
    lang = here.lang
    ping = next((path for path, service in library.shared.services.items()
                 for one in service.operations.values() if one.step is Step.PING), "")
    return lang("Stuur uw eerste bericht", "Send your first message"), [
        tag("p", lang("Oefen op uw eigen machine met de open gateway; die maakt een proefwereld met tien verzonnen "
                      "deelnemers en hun certificaten. Laat serve draaien en geef de rest in een tweede venster.",
                      "Practise on your own machine with the open gateway; it makes a trial world of ten invented "
                      "parties and their certificates. Leave serve running, and type the rest in a second window.")),
        tag("pre", tag("code", _TRY), tabindex=0, role="region", aria_label=lang("Opdrachten", "Commands")),
        tag("p", lang("Daarna met uw eigen software. Begin met Ping: lukt dat, dan kloppen TLS, WS-Addressing en "
                      "handtekening.", "Then with your own software. Begin with Ping: when that works, so do TLS, "
                      "WS-Addressing and signature.")),
        tag("p", tag("code", "POST ", library.public_url + ping)) if ping else tag("p", "Ping"),
        tag("p", lang("Het antwoord op een bericht is kn:Ontvangstbevestiging, ondertekend door het knooppunt: uw "
                      "bewijs dat het is aangenomen.",
                      "The answer to a message is kn:Ontvangstbevestiging, signed by the hub: your proof that it was "
                      "accepted."))]


def _round(library: Library, here: Here) -> _Step:
    lang, shared = here.lang, library.shared
    operations = [tag("li", tag("a", tag("code", name), href=here.to(library.element_path(shared, name))))
                  for rule in shared.service_rules for name, step in rule.operations.items()
                  if step in (Step.LIST, Step.COLLECT, Step.CONFIRM)]
    return lang("Haal op, bevestig, en ga om met fouten", "Collect, confirm, and deal with faults"), [
        tag("p", lang("Berichten voor u wachten in uw postbus tot u ze ophaalt en bevestigt; na de termijn vervallen "
                      "zij.",
                      "Messages for you wait in your mailbox until you collect and confirm them; after the term they "
                      "expire.")),
        tag("ul", operations),
        _items(
            lang("Bevestig pas als het bericht bij u veilig is opgeslagen: daarna wist het knooppunt de inhoud.",
                 "Confirm only when the message is safe with you: the hub then erases the content."),
            lang("Geen antwoord gekregen? Stuur hetzelfde bericht opnieuw, met hetzelfde Referentienummer en een "
                 "nieuwe MessageID. Het wordt één keer verwerkt.",
                 "No answer? Send the same message again, with the same Referentienummer and a new MessageID. It is "
                 "processed once."),
            join(lang("Een fout gekregen? Zoek de code op bij ", "Got a fault? Look its code up under "),
                 tag("a", lang("fouten", "faults"), href=here.to(FAULTS)), "."))]

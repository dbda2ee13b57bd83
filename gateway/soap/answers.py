"""Receipts and the other answers of the hub, in canonical form, and the same read back by a caller."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.names import KN, clark
from gateway.soap._xml import declare, leaf, stamp
from gateway.soap.envelope import Element
from gateway.values import Entry, Listed, Overview, Party, Refusal, Standing, ToldCheck

_KN = declare("kn")
KN_RECEIPT = clark(KN, "Ontvangstbevestiging")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """kn:Ontvangstbevestiging as its reader sees it (docs/contract.md §6).

    Term and place in the journal are the hub's own: a party that takes push has neither to tell of.
    """

    referentienummer: str
    conversatie_referentienummer: str
    ontvangers: tuple[str, ...]
    tijdstip_ontvangst: datetime
    verval_datum: datetime | None = None
    bericht_digest: bytes  # SHA-256 of the canonical message element
    journaal_positie: int | None = None
    journaal_hash: bytes | None = None
    geweigerd: tuple[tuple[str, str], ...] = ()  # addressees (id) that do not get it, and the code why


def write_receipt(entry: Entry) -> bytes:
    """The receipt of one committed entry. A repeated request gets the same facts."""
    # Numbers, times and base64 only: nothing here could need escaping, so this, the most written answer, skips it.
    receivers = "".join(f"<kn:Ontvanger>{one}</kn:Ontvanger>" for one in entry.ontvangers)
    refused = "".join(f"<kn:Geweigerd><kn:Ontvanger>{one}</kn:Ontvanger><kn:Code>{code}</kn:Code></kn:Geweigerd>"
                      for one, code in entry.refused)
    return (
        f"<kn:Ontvangstbevestiging{_KN}><kn:Referentienummer>{entry.referentienummer}</kn:Referentienummer>"
        f"<kn:ConversatieReferentienummer>{entry.conversatie}</kn:ConversatieReferentienummer>{receivers}"
        f"<kn:TijdstipOntvangst>{stamp(entry.received_at)}</kn:TijdstipOntvangst>"
        f"<kn:VervalDatum>{stamp(entry.expires_at)}</kn:VervalDatum>"
        f"<kn:BerichtDigest>{b64encode(entry.message_digest).decode()}</kn:BerichtDigest>"
        f"<kn:JournaalPositie>{entry.position}</kn:JournaalPositie>"
        f"<kn:JournaalHash>{b64encode(entry.journal_hash).decode()}</kn:JournaalHash>{refused}</kn:Ontvangstbevestiging>"
    ).encode()


def write_own_receipt(receipt: Receipt) -> bytes:
    """The receipt of a party that takes push: without the facts that only the hub has."""
    return (
        f"<kn:Ontvangstbevestiging{_KN}>"
        + leaf("kn:Referentienummer", receipt.referentienummer)
        + leaf("kn:ConversatieReferentienummer", receipt.conversatie_referentienummer)
        + "".join(leaf("kn:Ontvanger", one) for one in receipt.ontvangers)
        + leaf("kn:TijdstipOntvangst", stamp(receipt.tijdstip_ontvangst))
        + leaf("kn:BerichtDigest", b64encode(receipt.bericht_digest).decode())
        + "</kn:Ontvangstbevestiging>"
    ).encode()


def read_receipt(element: Element) -> Receipt:
    """A kn:Ontvangstbevestiging → Receipt. Raises ValueError when it is none; the caller turns that into its error."""
    if element.tag != KN_RECEIPT:
        raise ValueError("no kn:Ontvangstbevestiging")

    def field(name: str) -> str:
        return element.findtext(clark(KN, name)) or ""

    expires, position, journal_hash = field("VervalDatum"), field("JournaalPositie"), field("JournaalHash")
    return Receipt(
        referentienummer=field("Referentienummer"),
        conversatie_referentienummer=field("ConversatieReferentienummer"),
        ontvangers=tuple(one.text or "" for one in element.findall(clark(KN, "Ontvanger"))),
        tijdstip_ontvangst=datetime.fromisoformat(field("TijdstipOntvangst")),
        verval_datum=datetime.fromisoformat(expires) if expires else None,
        bericht_digest=b64decode(field("BerichtDigest"), validate=True),
        journaal_positie=int(position) if position else None,
        journaal_hash=b64decode(journal_hash, validate=True) if journal_hash else None,
        geweigerd=tuple((one.findtext(clark(KN, "Ontvanger")) or "", one.findtext(clark(KN, "Code")) or "")
                        for one in element.findall(clark(KN, "Geweigerd"))),
    )


def write_waiting(waiting: Iterable[tuple[Listed, Standing]]) -> bytes:
    """HaalBerichtenlijstOpAntwoord (docs/contract.md §9)."""
    return _answer(
        "HaalBerichtenlijstOpAntwoord",
        *(
            "<kn:Bericht>"
            + leaf("kn:Referentienummer", one.referentienummer)
            + leaf("kn:CrossReferentienummer", one.cross)
            + leaf("kn:ConversatieReferentienummer", one.conversatie)
            + leaf("kn:Afzender", one.afzender)
            + leaf("kn:Berichttype", one.berichttype)
            + leaf("kn:Versie", one.versie)
            + leaf("kn:Module", one.module)
            + leaf("kn:TijdstipOntvangst", stamp(one.received_at))
            + leaf("kn:VervalDatum", stamp(one.expires_at))
            + leaf("kn:Opgehaald", _flag(one.opgehaald))
            + leaf("kn:AntwoordVoor", _stamp(stands.answer_by))
            + leaf("kn:TeLaat", _mark(one.missed is not None))
            + "</kn:Bericht>"
            for one, stands in waiting
        ),
    )


def write_collected(referentienummer: str, received_at: datetime, digest: bytes, payload: bytes) -> bytes:
    """HaalBerichtOpAntwoord around the unchanged canonical message element.

    A function of what is known when the message is accepted: it may be written, digested and encrypted then.
    The wrapper's prefix must not occur in the message: where an ancestor already declares the same prefix for the
    same namespace, canonical XML would leave out the message's own declaration and the octets would differ.
    """
    prefix = "hub"
    while f"xmlns:{prefix}=".encode() in payload:
        prefix += "b"
    open_, close = f"<{prefix}:", f"</{prefix}:"
    head = (
        f'{open_}HaalBerichtOpAntwoord xmlns:{prefix}="{KN}">'
        + leaf(f"{prefix}:Referentienummer", referentienummer)
        + leaf(f"{prefix}:TijdstipOntvangst", stamp(received_at))
        + leaf(f"{prefix}:BerichtDigest", b64encode(digest).decode())
        + f"{open_}Bericht>"
    )
    return head.encode() + payload + f"{close}Bericht>{close}HaalBerichtOpAntwoord>".encode()


def write_confirmed(results: Mapping[str, bool], code: str) -> bytes:
    """BevestigBerichtAntwoord; `code` is the error code of a message that was not this caller's to confirm."""
    return _answer(
        "BevestigBerichtAntwoord",
        *(
            "<kn:Resultaat>"
            + leaf("kn:Referentienummer", number)
            + leaf("kn:Bevestigd", _flag(done))
            + leaf("kn:Code", None if done else code)
            + "</kn:Resultaat>"
            for number, done in results.items()
        ),
    )


def write_log(found: Iterable[tuple[Listed, Standing]]) -> bytes:
    """ZoekLogboekAntwoord (docs/contract.md §9)."""
    return _answer("ZoekLogboekAntwoord", *(_line(one, stands) for one, stands in found))


def write_overview(counts: Overview, found: Iterable[tuple[Listed, Standing]]) -> bytes:
    """HaalConversatieOverzichtAntwoord (docs/contract.md §9)."""
    return _answer(
        "HaalConversatieOverzichtAntwoord",
        leaf("kn:Gevraagd", str(counts.asked)),
        leaf("kn:Beantwoord", str(counts.answered)),
        leaf("kn:TeLaat", str(counts.late)),
        leaf("kn:Open", str(counts.open)),
        leaf("kn:NietOpgehaald", str(counts.uncollected)),
        leaf("kn:Verlopen", str(counts.ended)),
        leaf("kn:Geweigerd", str(counts.refused)),
        *(_line(one, stands) for one, stands in found),
    )


def _line(one: Listed, stands: Standing) -> str:
    """A line of the log: one message for one addressee."""
    days = stands.uncollected_days
    return (
        "<kn:Regel>"
        + leaf("kn:Referentienummer", one.referentienummer)
        + leaf("kn:CrossReferentienummer", one.cross)
        + leaf("kn:ConversatieReferentienummer", one.conversatie)
        + leaf("kn:Afzender", one.afzender)
        + leaf("kn:Ontvanger", one.ontvanger)
        + leaf("kn:Berichttype", one.berichttype)
        + leaf("kn:Versie", one.versie)
        + leaf("kn:Module", one.module)
        + leaf("kn:Status", one.status.value)
        + leaf("kn:Opgehaald", _flag(one.opgehaald))
        + leaf("kn:Bevestigd", _flag(one.bevestigd))
        + leaf("kn:Datum", stamp(one.received_at))
        + leaf("kn:VervalDatum", stamp(one.expires_at))
        + leaf("kn:Code", one.code)
        + leaf("kn:AntwoordVoor", _stamp(stands.answer_by))
        + leaf("kn:BeantwoordOp", _stamp(one.answered_at))
        + leaf("kn:TeLaat", _mark(stands.late))
        + leaf("kn:WerkdagenNietOpgehaald", None if days is None else str(days))
        + "</kn:Regel>"
    )


def write_evidence(referentienummer: str, file: bytes) -> bytes:
    """HaalBewijsOpAntwoord: the file as octets, for it is signed on its own and must leave this envelope unchanged."""
    return _answer("HaalBewijsOpAntwoord", leaf("kn:Referentienummer", referentienummer),
                   leaf("kn:Bewijs", b64encode(file).decode()))


def write_parties(operation: str, parties: Iterable[Party]) -> bytes:
    """ZoekDeelnemerAntwoord or HaalDeelnemerOpAntwoord (docs/contract.md §9)."""
    return _answer(f"{operation}Antwoord", *map(_party, parties))


def write_explanation(refusal: Refusal, checks: Iterable[ToldCheck]) -> bytes:
    """HaalFoutToelichtingOpAntwoord: what was looked at, and of what did not hold the causes in words."""
    return _answer(
        "HaalFoutToelichtingOpAntwoord",
        leaf("kn:Ticket", refusal.ticket),
        leaf("kn:Code", refusal.code),
        leaf("kn:Tijdstip", stamp(refusal.at)),
        *map(_check, checks),
    )


def _check(check: ToldCheck) -> str:
    return (
        "<kn:Toets>"
        + leaf("kn:Naam", check.name)
        + leaf("kn:Titel", check.nl)
        + leaf("kn:Title", check.en)
        + leaf("kn:Uitkomst", {True: "KLOPT", False: "KLOPT_NIET", None: "NIET_BEKEKEN"}[check.holds])
        + "".join(
            "<kn:Oorzaak>"
            + leaf("kn:Kenmerk", one.id)
            + leaf("kn:XPath", one.place)
            + leaf("kn:Omschrijving", one.cause_nl)
            + leaf("kn:Description", one.cause_en)
            + leaf("kn:Oplossing", one.remedy_nl)
            + leaf("kn:Remedy", one.remedy_en)
            + "</kn:Oorzaak>"
            for one in check.causes)
        + "</kn:Toets>"
    )


def write_pong(name: str, version: str, now: datetime) -> bytes:
    """PingAntwoord."""
    return _answer("PingAntwoord", leaf("kn:Naam", name), leaf("kn:Versie", version), leaf("kn:Tijd", stamp(now)))


def _party(party: Party) -> str:
    modules = (
        f"<kn:Module>{leaf('kn:Naam', module)}{''.join(leaf('kn:Versie', one) for one in versions)}</kn:Module>"
        for module, versions in sorted(party.modules.items())
    )
    return (
        "<kn:Deelnemer>"
        + leaf("kn:Identificatie", party.id)
        + leaf("kn:Naam", party.name)
        + leaf("kn:OIN", party.oin)
        + "".join(leaf("kn:Rol", role) for role in sorted(party.roles))
        + leaf("kn:Subtype", party.subtype)
        + leaf("kn:KvKNummer", party.kvk)
        + "".join(leaf("kn:Vestigingsnummer", one) for one in sorted(party.vestigingen))
        + leaf("kn:Aansluitwijze", "BEZORGEN" if party.push else "OPHALEN")
        + leaf("kn:GebruiktBSN", _flag(party.mag_bsn))
        + "".join(leaf("kn:Vereist", one) for one in sorted(party.requires))
        + "".join(modules)
        + "</kn:Deelnemer>"
    )


def _answer(name: str, *content: str) -> bytes:
    return f"<kn:{name}{_KN}>{''.join(content)}</kn:{name}>".encode()


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _mark(value: bool) -> str | None:
    """An element that is there only where it is true."""
    return "true" if value else None


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)

"""A valid message and the facts of its header."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from zoneinfo import ZoneInfo

from lxml import etree

from gateway.errors import SchemaInvalid
from gateway.messagesets._texts import check_finding
from gateway.messagesets.checks import content
from gateway.names import KN, clark
from gateway.values import Header

HEADER = clark(KN, "Berichtheader")
_AMSTERDAM, _LAST_SECOND = ZoneInfo("Europe/Amsterdam"), time(23, 59, 59)
_SKIP = len(clark(KN, ""))
# What a document is when it stands in Grondslag without a Soort of its own (rules KN-005 and KN-006).
_DOCUMENTS = {"TOESTEMMING": "toestemmingsverklaring", "BESCHIKKING_BEWIND": "beschikking"}
_UUIDS = ("Referentienummer", "ConversatieReferentienummer", "CrossReferentienummer", "BovenliggendeConversatie",
          "Afzender")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A body that fits its message type; made by validate() and by nothing else.

    `element` still stands, untouched, in the tree it was verified in.
    """

    element: "etree._Element"
    element_name: str  # local name
    header: Header | None  # None for requests to the hub's own services
    outcomes: frozenset[str] = frozenset()
    has_bsn: bool = False
    answer_by: datetime | None = None  # until when it asks an answer, where its type has a place to say so
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # of service requests

    def text(self, name: str) -> str | None:
        """The first field of that name in a service request."""
        return self.fields.get(name, (None,))[0]


def read_header(message: "etree._Element", place: str = "/*") -> Header:
    """The facts of the kn:Berichtheader of a message that its schema accepted; `place` is the message's XPath.

    Raises SchemaInvalid for a moment that XSD allows and a calendar does not (24:00), and when there is no header.
    """
    # Direct iteration over children: this runs for every message, and an XPath per field would cost more than XSD.
    header = next((child for child in message if child.tag == HEADER), None)
    if header is None:
        raise SchemaInvalid((check_finding("berichtheader", place),))
    facts: dict[str, str] = {}
    receivers: list[str] = []
    routing: tuple[str, str] | None = None
    ground: str | None = None
    documents: set[str] = set()
    for group in header:
        match str(group.tag)[_SKIP:]:
            case "Stuurgegevens":
                for child in group:
                    name = str(child.tag)[_SKIP:]
                    if name == "Ontvanger":
                        receivers.append(content(child).lower())
                    elif name == "Routering":
                        kind, value = (content(one) for one in child.iterchildren("{*}*"))
                        routing = (kind, value)
                    else:  # a comment too, under a name that nobody asks for
                        facts[name] = content(child)
            case "Grondslag":
                ground, documents = _ground(group)
            case "Bijlagen":
                documents |= {content(kind).lower() for kind in group.iterfind("{*}Bijlage/{*}Soort")}
    return _header(facts, tuple(receivers), routing, ground, frozenset(documents), place)


def _ground(group: "etree._Element") -> tuple[str, set[str]]:
    """The kind of ground, and the kind of the document that comes with it."""
    ground = content(next(group.iterchildren("{*}Soort")))
    document = next(group.iterchildren("{*}Document"), None)
    if document is None:
        return ground, set()
    kind = next(document.iterchildren("{*}Soort"), None)
    known = content(kind).lower() if kind is not None else _DOCUMENTS.get(ground)
    return ground, {known} if known else set()


def _header(facts: dict[str, str], receivers: tuple[str, ...], routing: tuple[str, str] | None, ground: str | None,
            documents: frozenset[str], place: str) -> Header:
    place += "/kn:Berichtheader/kn:Stuurgegevens/kn:"
    for name in _UUIDS:
        if name in facts:
            facts[name] = facts[name].lower()
    return Header(
        referentienummer=facts["Referentienummer"],
        conversatie=facts["ConversatieReferentienummer"],
        versie=facts["Versie"],
        berichttype=facts["Berichttype"],
        afzender=facts["Afzender"],
        tijdstip=_moment(facts["TijdstipBericht"], place + "TijdstipBericht"),
        ontvangers=receivers,
        routering=routing,
        cross=facts.get("CrossReferentienummer"),
        bovenliggend=facts.get("BovenliggendeConversatie"),
        vervalt_op=_moment(facts["VervaltOp"], place + "VervaltOp") if "VervaltOp" in facts else None,
        grondslag=ground,
        documents=documents,
    )


def read_term(text: str, place: str) -> datetime | None:
    """A moment, or the last second of a date in Amsterdam; None for no text. Raises SchemaInvalid."""
    if not text.strip():
        return None
    if len(text.strip()) > len("2026-01-31"):
        return _moment(text.strip(), place)
    try:
        return datetime.combine(date.fromisoformat(text.strip()), _LAST_SECOND, _AMSTERDAM).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SchemaInvalid((check_finding("tijdstip", place),)) from None


def _moment(text: str, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SchemaInvalid((check_finding("tijdstip", place),)) from None


def read_fields(request: "etree._Element") -> Mapping[str, tuple[str, ...]]:
    """The children of a service request: local name → texts, in document order."""
    fields: dict[str, tuple[str, ...]] = {}
    for child in request.iterchildren("{*}*"):
        name = etree.QName(child).localname
        fields[name] = (*fields.get(name, ()), content(child))
    return MappingProxyType(fields)

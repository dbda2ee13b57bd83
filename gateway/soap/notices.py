"""What the hub itself tells a party: message elements of its own, in canonical form."""

from datetime import datetime

from gateway.names import KN
from gateway.soap._xml import declare, leaf, stamp
from gateway.values import Listed, MessageType

_KN = declare("kn")
LAPSED = (KN, "Verlopen")  # namespace and local name


def write_lapsed(lost: Listed, message_type: MessageType, *, number: str, hub: str, now: datetime) -> bytes:
    """kn:Verlopen for the sender of a message that expired for one addressee.

    Takes   the lost message; the Referentienummer of the notification and the hub's id, for its header.
    """
    return (
        f"<kn:Verlopen{_KN}><kn:Berichtheader><kn:Stuurgegevens>"
        + leaf("kn:Referentienummer", number)
        + leaf("kn:ConversatieReferentienummer", lost.conversatie)
        + leaf("kn:Versie", message_type.version)
        + leaf("kn:Berichttype", message_type.berichttype)
        + leaf("kn:Afzender", hub)
        + leaf("kn:Ontvanger", lost.afzender)
        + leaf("kn:TijdstipBericht", stamp(now))
        + "</kn:Stuurgegevens></kn:Berichtheader>"
        + leaf("kn:Referentienummer", lost.referentienummer)
        + leaf("kn:Berichttype", lost.berichttype)
        + leaf("kn:Module", lost.module)
        + leaf("kn:Ontvanger", lost.ontvanger)
        + leaf("kn:TijdstipOntvangst", stamp(lost.received_at))
        + leaf("kn:TijdstipVerlopen", stamp(lost.expires_at))
        + leaf("kn:Opgehaald", "true" if lost.opgehaald else "false")
        + "</kn:Verlopen>"
    ).encode()

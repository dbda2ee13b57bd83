"""What is held, for how long and on what ground; and the erasure of what the hub holds for one party.

The grounds are those of docs/privacy.md. The hub processes for the parties (AVG art. 28); a citizen asks them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from gateway.errors import RefusedError
from gateway.ports import Clock
from gateway.values import Party

Row = dict[str, object]

_PROCESSOR: Final = "AVG art. 28 lid 3: aflevering in opdracht van verzender en ontvanger"
_PROOF: Final = "AVG art. 5 lid 2: verantwoording, bewijs van verzending en aflevering voor verzender en ontvanger"
_SECURITY: Final = "AVG art. 32; BIO2 8.15: beveiligingslog, wie deed wat en waarom"
_DIGESTS: Final = "geen persoonsgegevens: digests en handtekeningen die het journaal controleerbaar houden"
_MONTHS: Final = "retention.metadata_months"
_TERM: Final = "retention.working_days, of de termijn van het berichttype"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of what is held: its name for people, why it may be there, and which setting ends it."""

    name: str
    ground: str
    setting: str | None  # None: stays


KINDS: Final = {
    "content": Kind(name="inhoud van berichten, verzegeld", ground=_PROCESSOR, setting=_TERM),
    "files": Kind(name="bijlagen die apart van hun bericht kwamen (MTOM), verzegeld", ground=_PROCESSOR, setting=_TERM),
    "messages": Kind(name="berichten: nummers, partijen, type, tijd, digests", ground=_PROOF, setting=_MONTHS),
    "deliveries": Kind(name="afleveringen: per ontvanger de status", ground=_PROOF, setting=_MONTHS),
    "conversations": Kind(name="conversaties: partijen en stand", ground=_PROOF, setting=_MONTHS),
    "refused_legs": Kind(name="ontvangers die een bericht niet kregen, en waarom", ground=_PROOF, setting=_MONTHS),
    "reply_terms": Kind(name="eigen en gemiste antwoordtermijnen", ground=_PROOF, setting=_MONTHS),
    "parents": Kind(name="bovenliggende conversaties", ground=_PROOF, setting=_MONTHS),
    "successors": Kind(name="wie een conversatie overnam", ground=_PROOF, setting=_MONTHS),
    "proofs": Kind(name="handtekeningen van verzenders", ground=_PROOF, setting=_MONTHS),
    "certificates": Kind(name="certificaten van ondertekenaars", ground=_PROOF, setting=_MONTHS),
    "outbox": Kind(name="wat nog te bezorgen is", ground=_PROCESSOR, setting=_TERM),
    "attempts": Kind(name="pogingen tot bezorgen", ground=_PROOF, setting=_MONTHS),
    "push_proofs": Kind(name="handtekeningen van ontvangers", ground=_PROOF, setting=_MONTHS),
    "breakers": Kind(name="diensten van deelnemers die niet antwoordden", ground=_SECURITY, setting=None),
    "refusals": Kind(name="geweigerde verzoeken", ground=_SECURITY, setting=_MONTHS),
    "records": Kind(name="journaalregels, ook van beheerders", ground=f"{_PROOF}; {_SECURITY}", setting=_MONTHS),
    "leaves": Kind(name="journaalhashes", ground=_DIGESTS, setting=None),
    "checkpoints": Kind(name="getekende standen van het journaal", ground=_DIGESTS, setting=None),
    "tolerances": Kind(name="tellingen per deelnemer van wat anders geschreven was", ground=_PROCESSOR,
                       setting=_MONTHS),
    "switches": Kind(name="gepauzeerde deelnemers en modules: wie, sinds wanneer en waarom", ground=_SECURITY,
                     setting=None),
}


class Held(Protocol):
    """How much there is of one kind."""

    @property
    def kind(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def oldest(self) -> datetime | None: ...
    @property
    def octets(self) -> int | None: ...
    @property
    def until(self) -> datetime | None: ...


class Key(Protocol):
    """The key of one day."""

    @property
    def epoch(self) -> str: ...
    @property
    def payloads(self) -> int: ...
    @property
    def until(self) -> datetime | None: ...


class SealedTo(Protocol):
    """What waits that only the holder of one certificate's key can read."""

    @property
    def receiver(self) -> str: ...
    @property
    def certificate(self) -> str: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def until(self) -> datetime: ...


class Expiry(Protocol):
    """Deliveries that end at one moment."""

    @property
    def at(self) -> datetime: ...
    @property
    def deliveries(self) -> int: ...


class Holdings(Protocol):
    """What the store holds."""

    @property
    def held(self) -> Sequence[Held]: ...
    @property
    def keys(self) -> Sequence[Key]: ...
    @property
    def sealed_to(self) -> Sequence[SealedTo]: ...
    @property
    def expiries(self) -> Sequence[Expiry]: ...


class OfParty(Protocol):
    """What names one party."""

    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def newest(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The privacy officer's door to one instance."""

    holdings: Callable[[], Holdings]
    of_party: Callable[[str], OfParty]  # by id
    erase: Callable[[str, str, str, datetime], int]  # party id, who, why, now → deliveries that were ended
    certificate: Callable[[str], str | None]  # that what is for a party (id) is encrypted to now: SHA-256, hex
    party: Callable[[str], Party | None]  # by slug, name or id, as the address book has it; None: not in it
    ends: Callable[[datetime, int], datetime]  # so many months after a moment
    months: int  # the retention rule of metadata
    clock: Clock

    def report(self) -> dict[str, list[Row]]:
        """What is held, of each kind; the keys, of the hub and of addressees; the next terms that end."""
        found = self.holdings()
        return {
            "gehouden": [self._held(one) for one in found.held],
            "sleutels": [{"dag": key.epoch, "berichten": key.payloads, "nodig_tot": key.until} for key in found.keys],
            "versleuteld_voor": [self._sealed_to(one) for one in found.sealed_to],
            "verloopt": [{"op": one.at, "afleveringen": one.deliveries} for one in found.expiries],
        }

    def stays(self, who: str) -> list[Row]:
        """What names this party and stays after erasing, why, and until when at most.

        Raises RefusedError: it still takes part, or nobody knows it.
        """
        found = self.of_party(self._gone(who))
        last = None if found.newest is None else self.ends(found.newest, self.months)
        counts = {"messages": found.sent, "deliveries": found.received, "records": None}
        return [{"soort": KINDS[kind].name, "aantal": count, "uiterlijk_tot": last, "grond": KINDS[kind].ground}
                for kind, count in counts.items()]

    def erase_party(self, who: str, *, by: str, why: str) -> int:
        """Erase what the hub holds for this party as far as it may; journaled.

        Gives how many deliveries were ended. Raises RefusedError.
        """
        return self.erase(self._gone(who), by, why, self.clock())

    def _held(self, one: Held) -> Row:
        kind = KINDS[one.kind]
        by_rule = self.ends(one.oldest, self.months) if one.oldest is not None and kind.setting == _MONTHS else None
        return {"soort": kind.name, "aantal": one.count, "octetten": one.octets, "oudste": one.oldest,
                "oudste_weg_op": one.until or by_rule, "instelling": kind.setting, "grond": kind.ground}

    def _sealed_to(self, one: SealedTo) -> Row:
        party = self.party(one.receiver)
        return {"deelnemer": party.slug if party is not None else one.receiver, "certificaat": one.certificate,
                "in_gebruik": self.certificate(one.receiver) == one.certificate, "afleveringen": one.deliveries,
                "nodig_tot": one.until}

    def _gone(self, who: str) -> str:
        """The party's id, when it no longer takes part."""
        party = self.party(who)
        if party is not None and party.active:
            raise RefusedError(f"{party.slug} takes part; end that first: active = false in parties.toml, or remove it")
        if party is None and (who.count("-") != 4 or len(who) != 36):
            raise RefusedError(f"no party '{who}' in the address book; one that was removed is named by its id")
        return party.id if party is not None else who.lower()

"""One change between two versions of a message set, and its words in Dutch and English."""

from dataclasses import dataclass, replace

_ROW = tuple[str, str]

_WORDS: dict[str, _ROW] = {  # kind → (nl, en); {w} where, {o} old, {n} new
    "set": ("Van de set is {w} veranderd: {o} → {n}.", "{w} of the set changed: {o} → {n}."),
    "role-added": ("Rol {w} is nieuw: {n}.", "Role {w} is new: {n}."),
    "role-removed": ("Rol {w} is vervallen.", "Role {w} is gone."),
    "role-changed": ("Wie rol {w} mag spelen is veranderd: {o} → {n}.", "Who may play role {w} changed: {o} → {n}."),
    "message-added": ("Bericht {w} is nieuw ({n}).", "Message {w} is new ({n})."),
    "message-removed": ("Bericht {w} is vervallen ({o}).", "Message {w} is gone ({o})."),
    "message-renamed": ("Bericht {o} heet nu {n}; de opbouw is dezelfde.",
                        "Message {o} is now called {n}; its structure is the same."),
    "message-replaced": ("Bericht {n} komt waarschijnlijk in de plaats van {o}: inhoud en plaats lijken op elkaar.",
                         "Message {n} probably takes the place of {o}: content and place are alike."),
    "term": ("Termijn van {w}: {o} → {n} werkdagen.", "Term of {w}: {o} → {n} working days."),
    "message-changed": ("{w}: {o} → {n}.", "{w}: {o} → {n}."),
    "element-added": ("Element {w} is toegevoegd ({n}).", "Element {w} was added ({n})."),
    "element-removed": ("Element {w} is vervallen (was {o}).", "Element {w} was removed (was {o})."),
    "occurrence": (
        "Element {w} mag nu {n} keer voorkomen (was {o}).", "Element {w} may now occur {n} times (was {o})."),
    "order": ("De volgorde in {w} is veranderd: {o} → {n}.", "The order in {w} changed: {o} → {n}."),
    "choice": ("De keuzes in {w} zijn anders ingedeeld.", "The choices in {w} are arranged in another way."),
    "type": (
        "De inhoud van {w} is van een ander type: {o} → {n}.", "The content of {w} is of another type: {o} → {n}."),
    "value-added": ("{w} kent de nieuwe waarde {n}.", "{w} has the new value {n}."),
    "value-removed": ("{w} kent de waarde {o} niet meer.", "{w} no longer has the value {o}."),
    "values": (
        "De lijst van waarden van {w} is veranderd: {o} → {n}.", "The list of values of {w} changed: {o} → {n}."),
    "facet": ("Beperking {w}: {o} → {n}.", "Restriction {w}: {o} → {n}."),
    "transition-added": ("Nieuwe stap: {w} → {n}.", "New step: {w} → {n}."),
    "transition-removed": ("Vervallen stap: {w} → {o}.", "Step gone: {w} → {o}."),
    "transition-changed": ("Stap {w} leidt naar {n} (was {o}).", "Step {w} leads to {n} (was {o})."),
    "rule-added": ("Regel {w} is nieuw.", "Rule {w} is new."),
    "rule-removed": ("Regel {w} is vervallen.", "Rule {w} is gone."),
    "rule-changed": ("Regel {w} toetst iets anders: {o} → {n}.", "Rule {w} tests something else: {o} → {n}."),
    "operation-added": ("Operatie {w} is nieuw.", "Operation {w} is new."),
    "operation-removed": ("Operatie {w} is vervallen.", "Operation {w} is gone."),
}
KINDS = tuple(_WORDS)
STAYS = "="  # what a step leads to when the state stays
_VALUES: dict[str | None, tuple[str | None, ...]] = {
    None: ("niets", "nothing"), STAYS: ("dezelfde toestand", "the same state")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed from one message set to another."""

    kind: str  # one of KINDS
    where: str  # message, type or place in one; role, rule, state
    old: str | None  # as the schema or manifest has it; None: nothing
    new: str | None
    nl: str
    en: str
    messages: tuple[str, ...] = ()  # the messages in which it shows; empty: it concerns the set, or `where` names it

    def within(self, messages: tuple[str, ...]) -> "Change":
        """The same change, with the messages in which it shows."""
        return replace(self, messages=messages)


def change(kind: str, where: str, old: str | None, new: str | None, *, where_en: str | None = None) -> Change:
    """A change in words; `where_en` when a Dutch word stands in `where`."""
    nl, en = _WORDS[kind]
    return Change(
        kind=kind, where=where, old=old, new=new,
        nl=nl.format(w=where, o=_VALUES.get(old, (old,))[0], n=_VALUES.get(new, (new,))[0]),
        en=en.format(w=where_en or where, o=_VALUES.get(old, (old,))[-1], n=_VALUES.get(new, (new,))[-1]),
    )

"""What changed in a manifest and its rules: roles, messages and their terms, the order of steps, services."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from gateway.messagesets._diff_words import STAYS, Change, change
from gateway.messagesets.rules import Assert
from gateway.messagesets.sets import MessageSet
from gateway.values import MessageType, RoleRule

Row = tuple[str, str, str | None]  # state, message, outcome

_TERMS: tuple[tuple[str, str, str], ...] = (
    ("answer_working_days", "antwoord", "answer"), ("expires_working_days", "bewaren", "keeping"))
_FACTS: tuple[tuple[str, str, str], ...] = (
    ("berichttype", "Berichttype in de header", "Berichttype in the header"),
    ("version", "berichtversie", "message version"), ("sender_role", "van", "from"),
    ("receiver_role", "naar", "to"), ("answers", "antwoord op", "answers"),
    ("repeatable", "mag vaker antwoorden", "may answer again"), ("unasked", "mag ongevraagd", "may come unasked"),
    ("max_per_conversation", "hoogstens per conversatie", "at most per conversation"),
    ("max_receivers", "hoogstens ontvangers", "at most receivers"), ("bsn", "burgerservicenummer", "BSN"),
    ("ground", "grondslag verplicht", "ground required"), ("documents", "documenten", "documents"),
    ("routes", "routering op", "routes on"), ("title_nl", "Nederlandse titel", "Dutch title"),
    ("title_en", "Engelse titel", "English title"))


def set_changes(old: MessageSet, new: MessageSet) -> Iterator[Change]:
    """Status, profile and what else holds for the whole set."""
    rows: tuple[tuple[str, str, Callable[[MessageSet], str | None]], ...] = (
        ("status", "status", lambda one: one.status), ("profiel", "profile", lambda one: one.profile),
        ("versleuteling van de inhoud", "encryption of the body", lambda one: _plain(one.sealed)),
        ("titel", "title", lambda one: one.title_nl),
        ("choreografie", "choreography", lambda one: "enforce" if one.enforced else "warn"),
        ("begintoestand", "initial state", lambda one: one.choreography.initial))
    for nl, en, ask in rows:
        if ask(old) != ask(new):
            yield change("set", nl, ask(old), ask(new), where_en=en)
    before, after = _operations(old), _operations(new)
    yield from (change("operation-removed", name, before[name], None) for name in before if name not in after)
    yield from (change("operation-added", name, None, after[name]) for name in after if name not in before)


def _operations(message_set: MessageSet) -> dict[str, str]:
    return {f"{rule.name}/{name}": step.value for rule in message_set.service_rules
            for name, step in rule.operations.items()}


def role_changes(old: Mapping[str, RoleRule], new: Mapping[str, RoleRule]) -> Iterator[Change]:
    """Roles, and who may play them."""
    for name in (name for name in old if name not in new):
        yield change("role-removed", name, _players(old[name]), None)
    for name in new:
        if name not in old:
            yield change("role-added", name, None, _players(new[name]))
        elif _players(old[name]) != _players(new[name]):
            yield change("role-changed", name, _players(old[name]), _players(new[name]))


def _players(role: RoleRule) -> str:
    return " / ".join(filter(None, (_plain(role.parties), _plain(role.subtypes))))


def message_changes(old: MessageSet, new: MessageSet, names: Mapping[str, str]) -> Iterator[Change]:
    """Of the messages in both; `names` gives each old name its new one."""
    for before, after in names.items():
        one, other = old.messages.get(before), new.messages.get(after)
        if one is not None and other is not None:
            follows = (one.version, other.version) == (old.key.version, new.key.version)
            yield from _facts(one, other, names, follows=follows)
            demands = old.requirements[before].demand, new.requirements[after].demand
            for nl, en, was, now in (
                ("controles", "checks", demands[0].checks, demands[1].checks),
                ("uitkomsten", "outcomes", set(demands[0].outcomes), set(demands[1].outcomes)),
                ("octetten per bijlage", "octets per attachment",
                 demands[0].max_attachment_octets, demands[1].max_attachment_octets),
                ("bijlagen", "attachments", demands[0].max_attachments, demands[1].max_attachments),
                ("octetten van alle bijlagen", "octets of all attachments",
                 demands[0].max_attachments_octets, demands[1].max_attachments_octets),
                ("antwoord voor", "answer by", demands[0].answer_by, demands[1].answer_by),
            ):
                if was != now:
                    yield _of_message(after, nl, en, _plain(was), _plain(now))


def _facts(old: MessageType, new: MessageType, names: Mapping[str, str], *, follows: bool) -> Iterator[Change]:
    for attribute, nl, en in _TERMS:
        was, now = getattr(old, attribute), getattr(new, attribute)
        if was != now:
            yield change("term", f"{new.element} ({nl})", _plain(was), _plain(now), where_en=f"{new.element} ({en})")
    for attribute, nl, en in _FACTS:
        was, now = getattr(old, attribute), getattr(new, attribute)
        if attribute == "answers":
            was = frozenset(names.get(name, name) for name in was)
        told = (attribute == "berichttype" and names.get(was) == now) or (attribute == "version" and follows)
        if was != now and not told:  # told by the new name, or by the version of the set
            yield _of_message(new.element, nl, en, _plain(was), _plain(now))


def _of_message(element: str, nl: str, en: str, old: str | None, new: str | None) -> Change:
    return change("message-changed", f"{element}, {nl}", old, new, where_en=f"{element}, {en}")


def transition_changes(old: MessageSet, new: MessageSet, names: Mapping[str, str]) -> Iterator[Change]:
    """Steps of the choreography, one per state; those that changed alike are told together."""
    before = {(state, names.get(message, message), outcome): following
              for (state, message, outcome), following in _steps(old).items()}
    after = _steps(new)
    told: list[tuple[str, str, str, str | None, str | None]] = []
    for row in sorted(before.keys() | after.keys(), key=str):
        state, message, outcome = row
        if before.get(row) != after.get(row):
            kind = "changed" if row in before and row in after else "added" if row in after else "removed"
            what = f"{message} ({outcome})" if outcome else message
            told.append((f"transition-{kind}", what, state, before.get(row), after.get(row)))
    told.sort(key=lambda one: tuple(part or "" for part in (one[0], one[1], one[3], one[4], one[2])))
    for (kind, what, was, now), rows in groupby(told, key=lambda one: (one[0], one[1], one[3], one[4])):
        yield change(kind, f"{', '.join(state for _, _, state, _, _ in rows)}: {what}", was, now)


def _steps(message_set: MessageSet) -> dict[Row, str]:
    return {(state, row.message, row.outcome): STAYS if row.next is None or row.next == state else row.next
            for row in message_set.choreography.transitions for state in row.states}


def rule_changes(old: MessageSet, new: MessageSet) -> Iterator[Change]:
    """Asserts of the set's own rule file, by id."""
    before, after = _asserts(old), _asserts(new)
    for name in (name for name in before if name not in after):
        yield change("rule-removed", name, before[name].nl, None)
    for name, rule in after.items():
        if name not in before:
            yield change("rule-added", f"{name} ({rule.nl})", None, rule.nl, where_en=f"{name} ({rule.en})")
        elif _test(before[name]) != _test(rule):
            yield change("rule-changed", name, _test(before[name]), _test(rule))


def _asserts(message_set: MessageSet) -> dict[str, Assert]:
    patterns = message_set.rules.patterns if message_set.rules is not None else ()
    return {one.id: one for pattern in patterns for rule in pattern for one in rule.asserts}


def _test(rule: Assert) -> str:
    return ("not " if rule.report else "") + " ".join(rule.test.split())


def _plain(value: object) -> str | None:
    """A value of a manifest as text; None for what is absent."""
    if isinstance(value, bool):
        return str(value).lower()  # as the manifest writes it
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(sorted(map(str, value))) or None
    return str(value) if value is not None else None

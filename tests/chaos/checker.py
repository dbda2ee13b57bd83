"""Does a history keep the hub's promise? Reads what was seen from outside, knows nothing of the gateway.

The promise: what has a receipt reaches every addressee exactly once in effect, or both parties can see why not.

- *Receipted* is a message whose sender holds a believable receipt. Without one both outcomes are allowed.
- *Before* is meant strictly: something ended before another began. What overlapped may have gone either way.
- *Confirmed* is a delivery of which the hub said so to the addressee, or whose push the addressee answered in time.
- *Order* is that of a sender who sends the next message of a conversation after the receipt of the one before. Pull: no
  list shows the later one while the earlier one is not listed before it, unless its confirmation may be on its way.
  Push: the later one does not come before the addressee has answered the earlier one.
- After confirmation nothing comes again. A push may: when a process was killed, stopped or cut off between the answer
  and the record of it. Then it is the same message under the same MessageID, and the addressee knows it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.history import Event

Key = tuple[str, str]  # sender, Referentienummer
Leg = tuple[str, str, str]  # receiver, sender, Referentienummer

_OPEN = {"BESCHIKBAAR", "OPGEHAALD"}
_ENDED = {"VERLOPEN", "GEANNULEERD"}
_SETTLING = 1.0  # seconds before an answer in which what was done to the hub may still explain that it was not recorded
_FACTS = ("to", "digest", "position", "hash", "at", "until")  # of a receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise, and the lines that show it."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


@dataclass(slots=True, kw_only=True)
class Message:
    """All that senders know of one Referentienummer."""

    sender: str
    ref: str
    conv: str
    to: tuple[str, ...]
    requests: list[Event] = field(default_factory=list)
    receipts: list[Event] = field(default_factory=list)
    refusals: list[Event] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"message {self.ref} of {self.sender[-4:]}"

    def digests(self, *, lawful: bool) -> set[str]:
        """Of the content that was sent first, or of what was sent later under the same number."""
        return {one["digest"] for one in self.requests if (one["how"] != "conflict") is lawful}


@dataclass(slots=True, kw_only=True)
class Delivery:
    """All that one addressee saw of one message."""

    arrivals: list[Event] = field(default_factory=list)  # got, pushed
    confirming: list[Event] = field(default_factory=list)
    confirmed: list[Event] = field(default_factory=list)
    answered: list[Event] = field(default_factory=list)

    def taken(self, *, surely: bool = True) -> list[Event]:
        """Answers in time; with `surely` False also those of which nobody can tell."""
        return [one for one in self.answered if one["how"] == "ok" or (one["how"] == "unsure" and not surely)]


class History:
    """A history with an index."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = sorted(events, key=lambda event: event.at)
        self.asked: dict[str, Event] = {}
        self.messages: dict[Key, Message] = {}
        self.deliveries: defaultdict[Leg, Delivery] = defaultdict(Delivery)
        self.by_kind: defaultdict[str, list[Event]] = defaultdict(list)
        self._senders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # receiver, number → senders
        for event in self.events:
            self.by_kind[event.kind].append(event)
            self._file(event)

    def _file(self, event: Event) -> None:
        facts = event.facts
        match event.kind:
            case "request":
                self.asked[facts["id"]] = event
                key = facts["sender"], facts["ref"]
                made = Message(sender=key[0], ref=key[1], conv=facts["conv"], to=tuple(facts["to"]))
                self.messages.setdefault(key, made).requests.append(event)
                for receiver in facts["to"]:
                    self._senders[receiver, facts["ref"]].add(facts["sender"])
            case "receipt" | "refused":
                asked = self.asked[facts["id"]]
                message = self.messages[asked["sender"], asked["ref"]]
                (message.receipts if event.kind == "receipt" else message.refusals).append(event)
            case "listing" | "collecting":
                self.asked[facts["id"]] = event
            case "confirming":
                self.asked[facts["id"]] = event
                for leg in self._legs(event):
                    self.deliveries[leg].confirming.append(event)
            case "confirmed":
                for leg in self._legs(event):
                    self.deliveries[leg].confirmed.append(event)
            case "got" | "pushed":
                self.deliveries[facts["party"], facts["sender"], facts["ref"]].arrivals.append(event)
                self._senders[facts["party"], facts["ref"]].add(facts["sender"])
            case "answered":
                for sender in self._senders[facts["party"], facts["ref"]]:
                    self.deliveries[facts["party"], sender, facts["ref"]].answered.append(event)

    def _legs(self, event: Event) -> Iterator[Leg]:
        """Numbers are fresh UUIDs: in a history no two senders use one for the same addressee."""
        for ref in event["refs"]:
            for sender in self._senders[event["party"], ref]:
                yield event["party"], sender, ref


Rule = Callable[[History], Iterator[Violation]]


def check(events: Iterable[Event]) -> list[Violation]:
    """Everything in a history that breaks the promise; nothing when it was kept."""
    history = History(events)
    return [violation for rule in RULES for violation in rule(history)]


def lost(history: History) -> Iterator[Violation]:
    """Receipted ⇒ delivered to every addressee, or visibly ended, or visibly waiting where nobody collected all."""
    drained = {event["party"] for event in history.by_kind["drained"]}
    status = {(one["receiver"], one["sender"], one["ref"]): one["status"] for one in history.by_kind["status"]}
    for message in history.messages.values():
        for receipt in message.receipts[:1]:
            if set(receipt["to"]) != set(message.to):
                yield Violation(rule="lost", text=f"{message.name}: the receipt names other addressees")
            for receiver in message.to:
                leg = receiver, message.sender, message.ref
                if any(one["digest"] == receipt["digest"] for one in history.deliveries[leg].arrivals):
                    continue
                seen = status.get(leg, "nothing")
                if seen in _ENDED or (seen in _OPEN and receiver not in drained):
                    continue
                yield Violation(rule="lost", text=f"{message.name} has a receipt and never reached {receiver[-4:]}; "
                                                  f"the log says {seen}")


def doubled(history: History) -> Iterator[Violation]:
    """Delivered once in effect."""
    ends = {leg: delivery.confirmed[0].at for leg, delivery in history.deliveries.items() if delivery.confirmed}
    for (receiver, sender, ref), delivery in history.deliveries.items():
        name = f"message {ref} of {sender[-4:]} to {receiver[-4:]}"
        if len({one["digest"] for one in delivery.arrivals}) > 1:
            yield Violation(rule="doubled", text=f"{name} came with different content")
        if len({one["message_id"] for one in delivery.arrivals if one.kind == "pushed"}) > 1:
            yield Violation(rule="doubled", text=f"{name} was pushed under different MessageIDs")
        end = ends.get((receiver, sender, ref), float("inf"))
        for one in delivery.arrivals:
            if one.kind == "got" and history.asked[one["id"]].at > end:
                yield Violation(rule="doubled", text=f"{name} was collected again after it was confirmed")
        yield from _repeats(history, name, delivery)
    for listed in history.by_kind["listed"]:
        asked = history.asked[listed["id"]].at
        for ref, sender, _ in listed["rows"]:
            if asked > ends.get((listed["party"], sender, ref), float("inf")):
                yield Violation(rule="doubled", text=f"message {ref} was listed again after it was confirmed")


def _repeats(history: History, name: str, delivery: Delivery) -> Iterator[Violation]:
    """A push that comes again after it was answered in time needs a cause."""
    acts = history.by_kind["act"]
    for taken in delivery.taken()[:1]:
        for again in (one for one in delivery.arrivals if one.kind == "pushed" and one.at > taken.at):
            if not any(act["since"] <= again.at and act["until"] >= taken.at - _SETTLING for act in acts):
                yield Violation(rule="doubled", text=f"{name} was pushed again after it was answered, without a cause")


def order(history: History) -> Iterator[Violation]:
    """Messages of one sender in one conversation arrive in the order of their receipts."""
    threads: defaultdict[tuple[str, str, str], list[Message]] = defaultdict(list)
    for message in history.messages.values():
        if message.receipts:
            for receiver in message.to:
                threads[receiver, message.sender, message.conv].append(message)
    before: dict[Leg, Message] = {}
    for (receiver, sender, _), thread in threads.items():
        for earlier, later in _followed(thread):
            before[receiver, sender, later.ref] = earlier
            yield from _push_order(history, receiver, earlier, later)
    for listed in history.by_kind["listed"]:
        yield from _list_order(history, listed, before)


def _followed(thread: list[Message]) -> Iterator[tuple[Message, Message]]:
    """Pairs of which the second was first sent after the receipt of the first."""
    thread.sort(key=lambda message: message.requests[0].at)
    for earlier, later in pairwise(thread):
        if earlier.receipts[0].at < later.requests[0].at:
            yield earlier, later


def _list_order(history: History, listed: Event, before: dict[Leg, Message]) -> Iterator[Violation]:
    shown: set[Key] = set()
    for ref, sender, _ in listed["rows"]:
        shown.add((sender, ref))
        earlier = before.get((listed["party"], sender, ref))
        if earlier is None or (sender, earlier.ref) in shown:
            continue
        ending = history.deliveries[listed["party"], sender, earlier.ref]
        if not any(one.at < listed.at for one in (*ending.confirming, *ending.answered)):
            yield Violation(rule="order", text=f"message {ref} was listed and {earlier.name}, sent before it, was not "
                                               "listed before it")


def _push_order(history: History, receiver: str, earlier: Message, later: Message) -> Iterator[Violation]:
    pushed = [one for one in history.deliveries[receiver, later.sender, later.ref].arrivals if one.kind == "pushed"]
    first = history.deliveries[receiver, earlier.sender, earlier.ref]
    if pushed and not any(one.at < pushed[0].at for one in (*first.taken(surely=False), *first.confirming)):
        yield Violation(rule="order", text=f"{later.name} was pushed before {earlier.name} was taken")


def wrong_party(history: History) -> Iterator[Violation]:
    """Nobody sees what was not sent to it, or what nobody sent."""
    seen = {(event["party"], event["sender"], event["ref"])
            for kind in ("got", "pushed") for event in history.by_kind[kind]}
    seen |= {(event["party"], sender, ref) for event in history.by_kind["listed"] for ref, sender, _ in event["rows"]}
    for receiver, sender, ref in sorted(seen):
        message = history.messages.get((sender, ref))
        if message is None:
            yield Violation(rule="wrong party", text=f"nobody sent message {ref} that reached {receiver[-4:]}")
        elif receiver not in message.to:
            yield Violation(rule="wrong party", text=f"{message.name} reached {receiver[-4:]}, who is no addressee")


def receipts(history: History) -> Iterator[Violation]:
    """However often a sender asks, the receipt says the same; and no two messages have one place in the journal."""
    places: dict[tuple[int, str], Key] = {}
    for key, message in history.messages.items():
        facts = [{name: one[name] for name in _FACTS} for one in message.receipts]
        if any(one != facts[0] for one in facts):
            yield Violation(rule="receipts", text=f"{message.name} has receipts that differ")
        if any(one["ref"] != message.ref for one in message.receipts):
            yield Violation(rule="receipts", text=f"{message.name} has a receipt for another number")
        for one in facts:
            if places.setdefault((one["position"], one["hash"]), key) != key:
                yield Violation(rule="receipts", text=f"{message.name} shares its place in the journal")


def refusals(history: History) -> Iterator[Violation]:
    """What had to be refused was, and what was refused did not arrive."""
    for message in history.messages.values():
        unlawful = message.digests(lawful=False)
        if any(one["digest"] in unlawful for one in message.receipts):
            yield Violation(rule="refusals", text=f"{message.name} has a receipt for other content under its number")
        for receiver in message.to:
            arrivals = history.deliveries[receiver, message.sender, message.ref].arrivals
            if any(one["digest"] not in message.digests(lawful=True) for one in arrivals):
                yield Violation(rule="refusals", text=f"{message.name} arrived with content that had to be refused")
        for one in message.refusals:
            lawful = history.asked[one["id"]]["how"] != "conflict"
            if lawful:
                yield Violation(rule="refusals", text=f"{message.name} was in order and refused with {one['code']}")
            elif one["code"] != "SKP008":
                yield Violation(rule="refusals", text=f"{message.name}: other content was refused with {one['code']}")


def journal(history: History) -> Iterator[Violation]:
    """The chain is whole, every receipt is in it where it says, and evidence holds."""
    verdicts = history.by_kind["journal"]
    if not verdicts:
        yield Violation(rule="journal", text="it was not verified")
    for verdict in verdicts:
        if not verdict["holds"]:
            yield Violation(rule="journal", text=f"it does not hold: {verdict['cause']}")
    places = {(one["position"], one["hash"]): one["ref"] for one in history.by_kind["entry"]}
    for message in history.messages.values():
        for receipt in message.receipts:
            if places.get((receipt["position"], receipt["hash"])) != message.ref:
                yield Violation(rule="journal", text=f"{message.name}: its receipt's place {receipt['position']} is "
                                                     "not in the journal")
                break
    for one in history.by_kind["evidence"]:
        if not one["holds"]:
            yield Violation(rule="journal", text=f"the evidence of message {one['ref']} does not hold: {one['detail']}")


def visible(history: History) -> Iterator[Violation]:
    """What the log tells a party of a delivery is what became of it."""
    for one in history.by_kind["status"]:
        delivery = history.deliveries.get((one["receiver"], one["sender"], one["ref"]), Delivery())
        done = delivery.confirmed or delivery.taken()
        if done and one["status"] != "BEVESTIGD":
            yield Violation(rule="visible", text=f"message {one['ref']} was confirmed, its status is {one['status']}")
        if one["status"] == "BEVESTIGD" and not (done or delivery.confirming or delivery.answered):
            yield Violation(rule="visible", text=f"message {one['ref']} has status BEVESTIGD, and nobody confirmed it")


def steady(history: History) -> Iterator[Violation]:
    """A node ends only when it is told to, and a run proves something."""
    for one in history.by_kind["fell"]:
        yield Violation(rule="steady", text=f"{one['target']} ended by itself with code {one['code']}")
    if not any(message.receipts for message in history.messages.values()):
        yield Violation(rule="steady", text="no message has a receipt: the run proves nothing")
    drained = {event["party"] for event in history.by_kind["drained"]}
    for party in sorted({receiver for message in history.messages.values() for receiver in message.to} - drained):
        yield Violation(rule="steady", text=f"the mailbox of {party[-4:]} was not empty at the end")


RULES: Sequence[Rule] = (lost, doubled, order, wrong_party, receipts, refusals, journal, visible, steady)

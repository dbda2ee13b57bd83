"""The course of a conversation on a set's page: drawing, words and table, all from the set's transitions."""

from collections.abc import Callable

from gateway.messagesets.docs._drawing import draw, everywhere
from gateway.messagesets.docs._html import Html, Part, join, row, table, tag
from gateway.messagesets.docs._lang import Lang
from gateway.messagesets.docs._library import role_title
from gateway.messagesets.docs._machine import Machine, Move, read_machine
from gateway.messagesets.sets import MessageSet

Link = Callable[[str], Html]  # a message's element as a link to its page


def process(one: MessageSet, lang: Lang, link: Link) -> Html:
    """The whole section."""
    machine = read_machine(one.choreography)
    return join(
        tag("p", _ruling(one, lang)),
        _figure(one, machine, lang, link),
        tag("h3", lang("In woorden", "In words")),
        tag("dl", [_state(one, machine, state, lang, link) for state in machine.states], class_="states"),
        tag("h3", lang("Als tabel", "As a table")),
        table(lang("Alle overgangen", "All transitions"),
              (lang("Toestand", "State"), lang("Bericht", "Message"), lang("Afzender", "Sender"),
               lang("Uitkomst", "Outcome"), lang("Toestand daarna", "State afterwards")),
              [_transition(one, move, lang, link) for state in machine.states for move in machine.moves_from(state)]))


def _ruling(one: MessageSet, lang: Lang) -> str:
    start = lang(f"Een conversatie begint in toestand {one.choreography.initial}.",
                 f"A conversation begins in state {one.choreography.initial}.")
    rule = lang("Wat hieronder niet staat, weigert het knooppunt met SKP011.",
                "What is not listed below, the hub refuses with SKP011.") if one.enforced else lang(
        "Wat hieronder niet staat, neemt het knooppunt toch aan; de toestand blijft dan gelijk.",
        "What is not listed below, the hub accepts all the same; the state then stays as it is.")
    return f"{start} {rule}"


def _figure(one: MessageSet, machine: Machine, lang: Lang, link: Link) -> Html:
    title = lang(f"Toestandsdiagram van {one.title_nl} {one.key.version}",
                 f"State diagram of {one.title_en} {one.key.version}")
    text = lang(
        f"{len(machine.states)} toestanden, van {machine.initial} naar {', '.join(sorted(machine.final))}. Dezelfde "
        "overgangen staan hieronder in woorden en als tabel.",
        f"{len(machine.states)} states, from {machine.initial} to {', '.join(sorted(machine.final))}. The same "
        "transitions stand below in words and as a table.")
    senders = {element: message.sender_role for element, message in one.messages.items()}
    left_out = everywhere(machine)
    note: Part = join(" ", lang("Niet getekend waar zij de toestand laten zoals die is: ",
                                "Not drawn where they leave the state as it is: "),
                      _listed([link(element) for element in left_out]), ".") if left_out else None
    legend = lang("Dikke rand: begin. Dubbele rand: einde. ↻: de toestand blijft.",
                  "Thick border: start. Double border: end. ↻: the state stays.")
    return tag("figure", tag("div", draw(machine, senders, title=title, text=text), class_="figure", role="region",
                             tabindex=0, aria_label=title),
               tag("figcaption", legend, note, class_="quiet"))


def _state(one: MessageSet, machine: Machine, state: str, lang: Lang, link: Link) -> Html:
    sentences = [tag("dd", _sentence(one, move, lang, link)) for move in machine.moves_from(state)]
    if not sentences:
        sentences = [tag("dd", lang("De conversatie is afgelopen.", "The conversation is over."))]
    return join(tag("dt", lang("In toestand ", "In state "), tag("code", state), id=f"toestand-{state}"), sentences)


def _sentence(one: MessageSet, move: Move, lang: Lang, link: Link) -> Html:
    who = role_title(one, one.messages[move.message].sender_role, lang)
    outcome: Part = None
    if move.outcome:
        outcome = join(lang(" met uitkomst ", " with outcome "), tag("code", move.outcome))
    end = lang("; de toestand blijft gelijk.", "; the state stays as it is.") if move.stays else join(
        lang("; dan wordt het ", "; then it becomes "), tag("code", move.target), ".")
    return join(lang(f"{who} mag ", f"{who} may send "), link(move.message), outcome,
                lang(" sturen", ""), end)


def _transition(one: MessageSet, move: Move, lang: Lang, link: Link) -> Html:
    after: Part = lang("dezelfde", "the same") if move.stays else tag("code", move.target)
    return row(tag("code", move.source), link(move.message),
               role_title(one, one.messages[move.message].sender_role, lang), move.outcome or "–", after)


def _listed(parts: list[Html]) -> Html:
    return join([join(", " if number else None, part) for number, part in enumerate(parts)])

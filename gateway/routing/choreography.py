"""Conversations: who may send what next. The table is the manifest's; here is only the looking up and the refusing."""

from gateway.errors import ChoreographyError, CrossReferenceWrong
from gateway.values import Choreography, Header, MessageType, Question, Transition


def next_state(table: Choreography, state: str, message: MessageType, outcomes: frozenset[str], seen: int) -> str:
    """The state after `message`, of which the conversation has seen `seen` before.

    Raises  ChoreographyError naming the state, what is allowed and by whom, unless the set's mode is `warn`.
    """
    exhausted = message.max_per_conversation is not None and seen >= message.max_per_conversation
    for row in table.transitions:
        if row.message == message.element and state in row.states and _outcome_fits(row, outcomes) and not exhausted:
            return row.next or state
    if not table.enforced:
        return state
    raise ChoreographyError(state=state, message=message.element, allowed=tuple(dict.fromkeys(
        _words(row, message) for row in table.transitions
        if state in row.states and not (exhausted and row.message == message.element))))


def _words(row: Transition, refused: MessageType) -> str:
    """What may come and from whom; of the message that was refused also with which outcome it would be taken."""
    outcome = f" [{row.outcome}]" if row.outcome and row.message == refused.element else ""
    return f"{row.message}{outcome} ({row.sender})" if row.sender else row.message + outcome


def check_reference(message: MessageType, header: Header, question: Question | None, *, opening: bool) -> None:
    """Does CrossReferentienummer fit? `question` is what it names within the conversation, None when nothing.

    1 an opening message has none; 2 an answer names an open question of the counterpart that it may answer, at most
    one answer each unless the type repeats; 3 any other reference must name a message of this conversation. Question
    and answer may be of two versions: messages are known by their families.

    Raises  CrossReferenceWrong.
    Source  docs/conversations.md, rules of correlation.
    """
    if header.cross is None:
        if message.answers and not message.unasked:
            raise CrossReferenceWrong(f"{message.element} is an answer and names no question")
        return
    if opening:  # 1
        raise CrossReferenceWrong("an opening message answers nothing")
    if question is None:  # 3
        raise CrossReferenceWrong("the conversation has no message of that number")
    if message.answers:  # 2
        if question.family not in message.answers_as or question.sender == header.afzender:
            raise CrossReferenceWrong(f"{message.element} does not answer {question.family}")
        if question.answered and not message.repeatable:
            raise CrossReferenceWrong("the question has been answered already")


def _outcome_fits(row: Transition, outcomes: frozenset[str]) -> bool:
    return row.outcome is None or row.outcome in outcomes

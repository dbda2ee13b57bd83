"""XSLT patterns and absolute paths, rewritten for XPath that starts at the message element.

A small lexer of XPath 1.0 (§3.7) is all it takes: every rewriting here works on whole tokens.
"""

import re
from collections.abc import Callable
from itertools import pairwise

_TOKEN = re.compile(
    r"""\s*(?P<token>"[^"]*"|'[^']*'|//|::|\.\.|!=|<=|>=|\d+(?:\.\d*)?|\.\d+|[/()\[\]@,|+*=<>$.-]
        |[^\W\d][\w.-]*(?:\s*:(?!:)\s*(?:\*|[^\W\d][\w.-]*))?)""",
    re.VERBOSE,
)
_BEFORE_PATH = frozenset(("(", "[", ",", "|", "+", "-", "=", "!=", "<", "<=", ">", ">="))  # an absolute path may follow
_WORD_OPERATORS = frozenset(("and", "or", "div", "mod"))
NODE_TESTS = frozenset(("comment", "node", "processing-instruction", "text"))


def tokens(expression: str) -> list[str]:
    """The tokens of an XPath 1.0 expression; what is no token ends the list as one last piece."""
    found: list[str] = []
    position = 0
    while position < len(expression.rstrip()):
        match = _TOKEN.match(expression, position)
        if match is None:
            return [*found, expression[position:].strip()]
        found.append(match["token"])
        position = match.end()
    return found


def functions(expression: str) -> set[str]:
    """The names that are called in an expression."""
    found = tokens(expression)
    return {
        name for name, following in pairwise(found)
        if following == "(" and re.fullmatch(r"[^\W\d][\w.:-]*", name) and name not in _WORD_OPERATORS
    }


def element_names(expression: str) -> set[str]:
    """The prefixed names of elements in an expression."""
    found = tokens(expression)
    return {
        name for index, name in enumerate(found)
        if re.fullmatch(r"[^\W\d][\w.-]*:[^\W\d][\w.-]*", name)
        and found[index - 1:index] not in (["@"], ["$"]) and found[index + 1:index + 2] != ["("]
    }


def _is_operator(found: list[str], index: int) -> bool:
    """Is the token at `index` an operator, after which a path begins? (XPath 1.0 §3.7, disambiguation)"""
    this = found[index]
    if this in _BEFORE_PATH:
        return True
    before = found[index - 1] if index else None
    operand_before = before is not None and before not in _BEFORE_PATH and before not in ("/", "//", "::", "@")
    return operand_before and (this in _WORD_OPERATORS or this == "*")


def anchored(expression: str) -> str:
    """The expression with each absolute path starting at the parent of $m, the message element."""
    found = tokens(expression)
    written: list[str] = []
    for index, this in enumerate(found):
        if this in ("/", "//") and (index == 0 or _is_operator(found, index - 1)):
            following = found[index + 1] if index + 1 < len(found) else ""
            step = re.match(r"[^\W\d]|[@*.]", following) and following not in _WORD_OPERATORS
            written.append(f"$m/..{this}" if step else "$m/..")
        else:
            written.append(this)
    return " ".join(written)


def alternatives(pattern: str) -> tuple[str, ...]:
    """The alternatives of a pattern: what stands between the outermost `|`."""
    return tuple(" ".join(part) for part in _split(tokens(pattern), ("|",)) if part)


def _split(found: list[str], separators: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for this in found:
        depth += (this in "[(") - (this in "])")
        if depth == 0 and this in separators:
            parts.append([])
        else:
            parts[-1].append(this)
    return parts


def target(pattern: str) -> str | None:
    """The element name that the nodes of one alternative have; None: not fixed; "": they are no elements."""
    last = _split(tokens(pattern), ("/", "//"))[-1]
    if not last or last[0] in ("@", "attribute"):
        return ""
    if len(last) > 1 and last[0] in NODE_TESTS and last[1] == "(":
        return ""
    if last[:2] == ["child", "::"]:
        last = last[2:]
    plain = len(last) == 1 or last[1] == "["
    return last[0] if plain and re.fullmatch(r"[^\W\d][\w.:-]*", last[0]) else None


def located(pattern: str, message: str, others: frozenset[str],
            places: Callable[[str], tuple[str, ...] | None]) -> tuple[str, ...]:
    """One alternative as paths from the message element; none when it can match nothing in this message.

    `message` and `others` are names of elements that stand at the top and nowhere else ("" when this message's name
    does occur elsewhere). So a pattern that begins with the message's name needs no search, and one that begins with
    the name of another message cannot match. `places` gives the paths at which an element can stand in the message,
    None when it cannot say.
    """
    found = tokens(pattern)
    absolute = found[0] == "/"
    if found[0] in ("/", "//"):
        found = found[1:]
    if found[0] in others:
        return ()
    path = anchored(" ".join(found))  # absolute paths can stand in its predicates
    if absolute or found[0] == message:
        return (f"../{path}",)
    named = re.fullmatch(r"[^\W\d][\w.:-]*", found[0]) and found[1:2] not in (["::"], ["("])
    known = places(found[0]) if named else None
    if known is not None:
        return tuple(f"{place}{path}" for place in known)
    # `..//a` looks at every node of the message, `descendant::a` walks once; only with a predicate on `a` they differ
    plain = re.match(r"[^\W\d]|\*", found[0]) and found[1:2] in ([], ["/"], ["//"])
    return (f"../descendant::{path}" if plain else f"..//{path}",)

"""XPath 1.0 as a tree of values: to see in a rule's test what would make it true.

Judging stays with libxml2; each part of the tree can be written back and asked. Source: XPath 1.0 §2 and §3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import Misconfigured
from gateway.messagesets._pattern import NODE_TESTS, tokens

_LEVELS = (("or",), ("and",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "div", "mod"), ("|",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A text between quotes or a number, as written."""

    written: str

    @property
    def text(self) -> str:
        return self.written[1:-1] if self.written[0] in "\"'" else self.written


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a path; `//` is a step of its own, with axis `//` and no test."""

    axis: str  # child, parent, self, //, attribute, preceding-sibling …
    test: str
    predicates: tuple["Expression", ...] = ()

    @property
    def written(self) -> str:
        return f"{self.axis}::{self.test}" + "".join(f"[{written(one)}]" for one in self.predicates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A location path from the context node, or from what `start` gives once `filters` have been applied."""

    steps: tuple[Step, ...]
    start: "Expression | None" = None
    filters: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable reference."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function call; `-x` is a call of `-`."""

    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Two operands."""

    operator: str
    left: "Expression"
    right: "Expression"


Expression = Literal | Path | Variable | Call | Operation


def parse(expression: str) -> Expression:
    """Read an expression that libxml2 accepts. Raises Misconfigured for what is not covered here."""
    reader = _Reader(tokens(expression))
    found = reader.level(0)
    if reader.here:
        raise Misconfigured(f"{expression}: no sample can be made for this test; write it more plainly")
    return found


def written(expression: Expression) -> str:
    """The expression as XPath 1.0."""
    match expression:
        case Literal(written=text):
            return text
        case Variable(name=name):
            return f"${name}"
        case Call(name="-", arguments=(one,)):
            return f"(- {written(one)})"
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(map(written, arguments))})"
        case Operation(operator=operator, left=left, right=right):
            return f"({written(left)} {operator} {written(right)})"
        case Path(steps=steps, start=start, filters=filters):
            begin = [] if start is None else [written(start) + "".join(f"[{written(one)}]" for one in filters)]
            return "/".join([*begin, *("" if step.axis == "//" else step.written for step in steps)])


def paths(expression: Expression) -> Iterator[Path]:
    """The outermost paths in an expression: those that begin at its own context node."""
    match expression:
        case Path():
            yield expression
        case Call(arguments=arguments):
            for one in arguments:
                yield from paths(one)
        case Operation(left=left, right=right):
            yield from paths(left)
            yield from paths(right)


def literals(expression: Expression) -> Iterator[str]:
    """The texts that stand in an expression, outside the predicates of its paths."""
    match expression:
        case Literal(text=text):
            yield text
        case Call(arguments=arguments):
            for one in arguments:
                yield from literals(one)
        case Operation(left=left, right=right):
            yield from literals(left)
            yield from literals(right)


class _Reader:
    """Precedence climbing over the tokens (XPath 1.0 §3.4-3.7)."""

    def __init__(self, found: list[str]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def here(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    @property
    def _following(self) -> str:
        return self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        """The next token if it is one of these; "" when it is not."""
        found = self.here if self.here in wanted else ""
        self._at += bool(found)
        return found

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def level(self, number: int) -> Expression:
        if number == len(_LEVELS):
            return self._path()
        if _LEVELS[number] == ("|",) and self._take("-"):
            return Call(name="-", arguments=(self.level(number),))
        left = self.level(number + 1)
        while operator := self._take(*_LEVELS[number]):
            left = Operation(operator=operator, left=left, right=self.level(number + 1))
        return left

    def _path(self) -> Expression:
        first = self._primary()
        if first is None:
            return Path(steps=tuple(self._steps()))
        filters = self._predicates()
        steps = tuple(self._steps()) if self.here in ("/", "//") else ()
        return Path(start=first, filters=filters, steps=steps) if filters or steps else first

    def _primary(self) -> Expression | None:
        """What is no step: a literal, a variable, a call, or something in parentheses; None for a step."""
        here = self.here
        if here[:1] in ("'", '"') or here[:1].isdigit() or (here[:1] == "." and here[1:].isdigit()):
            return Literal(written=self._next())
        if self._take("$"):
            return Variable(name=self._next())
        if self._take("("):
            inside = self.level(0)
            self._take(")")
            return inside
        if self._following == "(" and here not in NODE_TESTS:
            name = self._next()
            self._next()
            arguments = []
            while not self._take(")"):
                arguments.append(self.level(0))
                self._take(",")
            return Call(name=name, arguments=tuple(arguments))
        return None

    def _steps(self) -> Iterator[Step]:
        if not self._take("/") and self._take("//"):
            yield Step(axis="//", test="")
        yield self._step()
        while separator := self._take("/", "//"):
            if separator == "//":
                yield Step(axis="//", test="")
            yield self._step()

    def _step(self) -> Step:
        if self._take("."):
            return Step(axis="self", test="node()", predicates=self._predicates())
        if self._take(".."):
            return Step(axis="parent", test="node()", predicates=self._predicates())
        axis = "attribute" if self._take("@") else "child"
        if self._following == "::":
            axis = self._next()
            self._next()
        test = self._next()
        if self._take("("):
            test += f"({self._next() if self.here != ')' else ''})"
            self._take(")")
        return Step(axis=axis, test=test, predicates=self._predicates())

    def _predicates(self) -> tuple[Expression, ...]:
        found = []
        while self._take("["):
            found.append(self.level(0))
            self._take("]")
        return tuple(found)

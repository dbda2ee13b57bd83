"""Moves a message towards a test it fails: what the test's XPath asks is made, removed, set or solved for.

No rule is known by name. A move makes one test true and may break another; the caller judges the whole message again
after each, so this is a random walk that the rules themselves guide (as WalkSAT does for propositional formulas).
"""

import math
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice, product
from random import Random
from typing import TypeVar

from lxml import etree

from gateway.messagesets._sample_tree import Builder, content_model, simple_type, tags
from gateway.messagesets._sample_values import fits, fraction_digits, primitive
from gateway.messagesets._sample_xpath import Call, Expression, Literal, Operation, Path, Step, literals, paths, written
from gateway.names import clark

Node = etree._Element
T = TypeVar("T")

_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_LEAVES = 12  # of one test that are tried; more (a long list) would be more of the same
_FRESH = 6  # new values tried per leaf
_PAIRS = 600  # combinations of enumerated values tried


class Repair:
    """Makes tests true at nodes of one message."""

    def __init__(self, message: Node, builder: Builder, namespaces: Mapping[str, str]) -> None:
        self._message = message
        self._builder = builder
        self._random: Random = builder.values.random
        self._namespaces = dict(namespaces)
        self._compiled = cache(lambda text: etree.XPath(text, namespaces=self._namespaces, smart_strings=False))

    def holds(self, test: Expression, node: Node) -> bool:
        """Is the test true at the node?"""
        return bool(self._compiled(f"boolean({written(test)})")(node, m=self._message))

    def make(self, test: Expression, node: Node, wanted: bool) -> bool:
        """Change the message so that the test is `wanted` at the node, as far as one move goes; False: no move."""
        if self.holds(test, node) == wanted:
            return True
        match test:
            case Operation(operator="and" | "or" as operator, left=left, right=right):
                sides = self._shuffled([left, right])
                if (operator == "and") == wanted:
                    moved = [self.make(side, node, wanted) for side in sides]  # both, also when one could not be
                    return all(moved)
                return any(self.make(side, node, wanted) for side in sides)
            case Call(name="not", arguments=(inside,)):
                return self.make(inside, node, not wanted)
            case Call(name="boolean", arguments=(inside,)):
                return self.make(inside, node, wanted)
            case Path():
                return self._exists(test, node) is not None if wanted else self._vanishes(test, node)
            case Operation(operator=operator) if operator in _OPPOSITE:
                return self._compare(test, node, wanted)
            case Call():
                return self._wiggle(test, node, wanted) or self._reshape(test, node)
        return False

    # --- what is there and what is not -------------------------------------------------------------------------

    def _exists(self, path: Path, node: Node) -> Node | None:
        """Make the path lead somewhere; the node it then leads to."""
        at = self._start(path, node)
        for step in path.steps:
            if at is None:
                return None
            match step.axis:
                case "self":
                    pass
                case "parent":
                    at = at.getparent()
                case "child":
                    at = self._child(at, step)
                case _:
                    return None
            if at is not None:
                for predicate in step.predicates:
                    self.make(predicate, at, True)
        return at

    def _start(self, path: Path, node: Node) -> Node | None:
        if path.start is None:
            return node
        found = self._nodes(path.start, node)
        return found[0] if found else None

    def _child(self, parent: Node, step: Step, *, extra: bool = False) -> Node | None:
        """A child for this step: one that is there, or a new one; with `extra` a new one in any case."""
        plain = Step(axis="child", test=step.test)
        present = self._nodes(Path(steps=(plain,)), parent)
        fitting = self._nodes(Path(steps=(step,)), parent)
        short = _position(step) > len(present)  # the third of two: one more brings it nearer
        if (fitting or (present and not short)) and not extra:
            return self._random.choice(fitting or present)
        tag = self._tag(step.test, parent)
        if tag is None or not self._builder.rearrange(parent, more=tag):
            return None
        new = [child for child in parent.iterchildren(tag) if child not in present]
        return new[0] if new else None

    def _tag(self, test: str, parent: Node) -> str | None:
        if test == "*":
            declared = self._builder.declaration(parent)
            model = content_model(declared) if declared is not None else None
            return self._random.choice(tags(model)) if model is not None else None
        prefix, _, local = test.rpartition(":")
        return clark(self._namespaces.get(prefix, ""), local)

    def _vanishes(self, path: Path, node: Node) -> bool:
        predicates = path.steps[-1].predicates if path.steps else ()
        done = True
        for found in self._nodes(path, node):
            changed = bool(predicates) and self._random.random() < 0.4 and self.make(predicates[0], found, False)
            if not changed and not self._remove(found):
                done = False
        return done

    def _remove(self, node: Node) -> bool:
        """Take a node out; where the schema asks for it, the nearest element around it that can go."""
        at: Node | None = node
        while at is not None and (parent := at.getparent()) is not None:
            if self._builder.rearrange(parent, less=at):
                return True
            at = parent
        return False

    def _grow(self, path: Path, node: Node) -> Node | None:
        """Make the path lead to one more node, branching as deep as the schema allows."""
        for index in reversed(range(len(path.steps))):
            above = self._nodes(Path(start=path.start, steps=path.steps[:index]), node) if index else [node]
            if path.steps[index].axis == "child" and above:
                new = self._child(self._random.choice(above), path.steps[index], extra=True)
                if new is not None:
                    return self._exists(Path(steps=path.steps[index + 1:]), new) if path.steps[index + 1:] else new
        return None

    # --- what a value is ---------------------------------------------------------------------------------------

    def _compare(self, test: Operation, node: Node, wanted: bool) -> bool:
        if self._counted(test, node, wanted) or self._same(test, node, wanted):
            return True
        if (test.operator == "=") == wanted and test.operator in ("=", "!="):
            for side, other in self._shuffled([(test.left, test.right), (test.right, test.left)]):
                if self._equal(side, other, node):
                    return True
        if (test.operator == "=") != wanted and test.operator in ("=", "!=") and self._random.random() < 0.3:
            found = next(paths(test), None)
            return found is not None and self._vanishes(found, node)
        return self._wiggle(test, node, wanted) or self._reshape(test, node)

    def _same(self, test: Operation, node: Node, wanted: bool) -> bool:
        """Two truths are compared: bring one to the other."""
        if test.operator not in ("=", "!=") or not (_is_truth(test.left) or _is_truth(test.right)):
            return False
        for side, other in self._shuffled([(test.left, test.right), (test.right, test.left)]):
            if _is_truth(side):
                value = self.holds(other, node)
                return self.make(side, node, value if (test.operator == "=") == wanted else not value)
        return False

    def _counted(self, test: Operation, node: Node, wanted: bool) -> bool:
        """count(path) = number: one more or one fewer."""
        for side, other in ((test.left, test.right), (test.right, test.left)):
            match side:
                case Call(name="count", arguments=(Path() as path,)) if (test.operator == "=") == wanted and (
                        isinstance(other, Literal) or self._random.random() < 0.5):
                    number, found = self._number(other, node), self._nodes(path, node)
                    if number > len(found):
                        return self._grow(path, node) is not None
                    return number < len(found) and self._remove(found[-1])
        return False

    def _equal(self, side: Expression, other: Expression, node: Node) -> bool:
        """Give a node that `side` reads the value of `other`."""
        path = _read_by(side)
        if path is None:
            return False
        text = self._text(other, node)
        found = self._nodes(path, node)
        if found and self._random.random() < 0.75:
            target: Node | None = self._random.choice(found)
        else:
            target = (self._grow(path, node) if found else self._exists(path, node))
            if target is None and found:
                target = self._random.choice(found)
        return target is not None and self._set(target, text)

    def _wiggle(self, test: Expression, node: Node, wanted: bool) -> bool:
        """Try values for what the test reads, one at a time, then enumerated ones together."""
        leaves = self._leaves(test, node)
        for leaf in leaves:
            before = leaf.text
            for text in self._shuffled(list(dict.fromkeys(self._candidates(test, leaf, leaves, node)))):
                if self._set(leaf, text) and self.holds(test, node) == wanted:
                    return True
            leaf.text = before
        lists = [self._enumerated(leaf) for leaf in leaves]
        several = [(leaf, texts) for leaf, texts in zip(leaves, lists, strict=True) if texts]
        before_all = [leaf.text for leaf, _ in several]
        if len(several) > 1:
            for texts in islice(product(*(self._shuffled(texts) for _, texts in several)), _PAIRS):
                for (leaf, _), text in zip(several, texts, strict=True):
                    leaf.text = text
                if self.holds(test, node) == wanted:
                    return True
            for (leaf, _), old in zip(several, before_all, strict=True):
                leaf.text = old
        return False

    def _reshape(self, test: Expression, node: Node) -> bool:
        """When no value helps: have something the test reads, or do without it."""
        for path in self._shuffled(list(paths(test))):
            if self._nodes(path, node):
                if self._random.random() < 0.5 and self._vanishes(path, node):
                    return True
            elif self._exists(path, node) is not None:
                return True
        return False

    def _candidates(self, test: Expression, leaf: Node, leaves: list[Node], node: Node) -> Iterator[str]:
        yield from self._enumerated(leaf)
        yield from literals(test)
        for text in literals(test):
            yield f"{text}{leaf.text}"
            yield from _days_around(f"{_dashed(text)}{(leaf.text or '')[10:]}")
        for other in leaves:
            yield other.text or ""
            yield from _days_around(other.text or "")
        if isinstance(test, Operation):
            yield from self._solutions(test, leaf, node)
        declared = self._builder.declaration(leaf)
        kind = simple_type(declared) if declared is not None else None
        if kind is not None:
            yield from islice(self._builder.values.candidates(str(leaf.tag), kind), _FRESH)

    def _solutions(self, test: Operation, leaf: Node, node: Node) -> Iterator[str]:
        """Where left - right, linear in this leaf, is nothing; rounded to what the leaf may hold."""
        declared = self._builder.declaration(leaf)
        kind = simple_type(declared) if declared is not None else None
        if kind is None or primitive(kind) != "decimal":
            return
        before, gap = leaf.text, Operation(operator="-", left=test.left, right=test.right)
        leaf.text = "0"
        at_zero = self._number(gap, node)
        leaf.text = "1"
        slope = self._number(gap, node) - at_zero
        leaf.text = before
        if not math.isfinite(slope) or not math.isfinite(at_zero) or abs(slope) < 1e-9:
            return
        unit = Decimal(10) ** -fraction_digits(kind)
        exact = Decimal(repr(-at_zero / slope)) / unit
        for rounded in (math.floor(exact), math.ceil(exact), math.floor(exact) - 1, math.ceil(exact) + 1):
            yield f"{rounded * unit:f}"

    # --- small questions ---------------------------------------------------------------------------------------

    def _nodes(self, expression: Expression, node: Node) -> list[Node]:
        found = self._compiled(written(expression))(node, m=self._message)
        return [one for one in found if isinstance(one, etree._Element)] if isinstance(found, list) else []

    def _number(self, expression: Expression, node: Node) -> float:
        return float(self._compiled(f"number({written(expression)})")(node, m=self._message))

    def _text(self, expression: Expression, node: Node) -> str:
        return str(self._compiled(f"string({written(expression)})")(node, m=self._message))

    def _leaves(self, test: Expression, node: Node) -> list[Node]:
        found = {one: None for path in paths(test) for one in self._nodes(path, node)
                 if not len(one) and not self._is_fixed(one)}
        return self._shuffled(list(found))[:_LEAVES]

    def _is_fixed(self, node: Node) -> bool:
        parent = node.getparent()
        return parent is not None and (str(parent.tag), str(node.tag)) in self._builder.fixed

    def _enumerated(self, leaf: Node) -> list[str]:
        declared = self._builder.declaration(leaf)
        kind = simple_type(declared) if declared is not None else None
        return [str(value) for value in kind.enumeration or ()] if kind is not None else []

    def _set(self, leaf: Node, text: str) -> bool:
        """Write a value that the type allows."""
        declared = self._builder.declaration(leaf)
        kind = simple_type(declared) if declared is not None else None
        if kind is None or self._is_fixed(leaf) or not fits(kind, text):
            return False
        leaf.text = text
        return True

    def _shuffled(self, things: list[T]) -> list[T]:
        self._random.shuffle(things)
        return things


def _position(step: Step) -> int:
    """The place among its kind that a step asks for; 0 when it asks for none."""
    first = step.predicates[0] if step.predicates else None
    return int(first.written) if isinstance(first, Literal) and first.written.isdigit() else 0


def _read_by(side: Expression) -> Path | None:
    """The path whose value an expression is, through what does not change a plain value."""
    while isinstance(side, Call) and side.name in ("normalize-space", "string", "number") and len(side.arguments) == 1:
        side = side.arguments[0]
    return side if isinstance(side, Path) else None


def _is_truth(expression: Expression) -> bool:
    """Does an expression give true or false?"""
    if isinstance(expression, Call):
        return expression.name in ("boolean", "not", "contains", "starts-with", "true", "false")
    return isinstance(expression, Operation) and expression.operator in ("and", "or", *_OPPOSITE)


def _dashed(text: str) -> str:
    """A date that a rule writes as a number, 20260131, as an element holds it."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def _days_around(text: str) -> Iterator[str]:
    """The days before and after a date or moment, written as it is."""
    try:
        day = date.fromisoformat(text[:10])
        yield from (f"{(day + timedelta(days=days)).isoformat()}{text[10:]}" for days in (-30, -1, 1, 30))
    except (ValueError, OverflowError):
        return

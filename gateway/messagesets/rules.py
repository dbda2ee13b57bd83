"""ISO Schematron as far as the message sets use it, compiled once to XPath 1.0 and judged in place.

Semantics kept (ISO/IEC 19757-3 §6.5): within a pattern a node fires only the first rule whose context it matches;
patterns are independent. A context is an XSLT pattern, so `a/b` means every b under an a, wherever it stands.
Not used, and refused at load: let, extends, abstract rules and patterns, phases, functions outside XPath 1.0, texts
that repeat a value, and contexts that are not elements.

The message is the only child of soap:Body, and stays there: its parent takes the part of the document node. So an
absolute path is written as `..` of the message element, and no copy is made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets._pattern import alternatives, anchored, functions, located, target
from gateway.messagesets._places import Children, Places, places
from gateway.messagesets._xpath import parser
from gateway.names import SCHEMATRON, XML, clark

FUNCTIONS = frozenset((
    "boolean", "ceiling", "concat", "contains", "count", "false", "floor", "id", "lang", "last", "local-name", "name",
    "namespace-uri", "normalize-space", "not", "number", "position", "round", "starts-with", "string", "string-length",
    "substring", "substring-after", "substring-before", "sum", "translate", "true",
    "comment", "node", "processing-instruction", "text",  # node tests look like calls
))
_IGNORED = frozenset(clark(SCHEMATRON, name) for name in ("title", "p", "ns", "diagnostics"))
_MAX_PLACES = 8  # with more, one search is cheaper
_DUMMY = etree.Element("x")

XPath = etree.XPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert:
    """One assert (or, with `report`, its opposite) and its texts."""

    id: str
    test: str
    report: bool
    nl: str
    en: str

    @property
    def broken(self) -> str:
        """The predicate that is true of a node that breaks this."""
        return f"{'boolean' if self.report else 'not'}({anchored(self.test)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: the alternatives of its context, and its asserts."""

    contexts: tuple[str, ...]
    asserts: tuple[Assert, ...]
    targets: frozenset[str | None]  # the names its nodes can have; None: any


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One Schematron file, read."""

    path: Path
    patterns: tuple[tuple[Rule, ...], ...]
    namespaces: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is known about one message when its rules are compiled; Clark names."""

    message: str = ""  # the message element, if it stands at the top and nowhere else
    others: frozenset[str] = frozenset()  # the set's other messages of which the same is true
    places: Places | None = None  # where elements can stand; None: anywhere

    @classmethod
    def of(cls, message: str, tops: frozenset[str], children: Children) -> "Stage":
        """For one message of a set; `tops`: its messages that stand in no other element."""
        if message not in tops:  # places are below the message, and it is below itself: nothing can be left out
            return cls(others=tops)
        return cls(message=message, others=tops - {message}, places=places(children, message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One XPath that gives the nodes that break an assert."""

    broken: XPath
    rule: Assert


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A pattern whose rules may match the same node: judged rule by rule, first match only."""

    rungs: tuple[tuple[XPath, tuple[tuple[XPath, Assert], ...]], ...]


Judge = Probe | Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The rules for one message, in one file's order.

    `silent` is true when no assert is broken by any node of its rule's context. That is a little stricter than the
    rules (it ignores that only the first match fires) and one XPath instead of many: only when it is false, the
    judges look closer. Nearly all messages are valid, so this is what a message costs.
    """

    silent: XPath
    judges: tuple[Judge, ...]
    asserts: tuple[Assert, ...]


Broken = tuple["etree._Element", Assert]


def read_rules(path: Path) -> RuleFile:
    """Read a Schematron file. Raises Misconfigured, naming file, line and remedy, for what it may not hold."""
    try:
        tree = etree.fromstring(path.read_bytes(), parser())
    except (OSError, etree.XMLSyntaxError) as error:
        raise Misconfigured(f"{path}: no readable Schematron ({error}); correct the file") from error
    if tree.tag != clark(SCHEMATRON, "schema") or tree.getroottree().docinfo.doctype:
        raise Misconfigured(f"{path}: write a schema in namespace {SCHEMATRON}, without a DTD")
    english = {
        node.get("id", ""): _text(node, path)
        for node in tree.iter(clark(SCHEMATRON, "diagnostic")) if node.get(clark(XML, "lang")) == "en"
    }
    patterns = []
    for child in tree.iterchildren("*"):
        if child.tag == clark(SCHEMATRON, "pattern") and not child.get("abstract") and not child.get("is-a"):
            patterns.append(tuple(_rule(node, path, english) for node in child.iterchildren("*")
                                  if node.tag not in _IGNORED))
        elif child.tag not in _IGNORED:
            _refuse(child, path, "is not used in a rule file; write plain patterns, rules and asserts")
    file = RuleFile(
        path=path,
        patterns=tuple(patterns),
        namespaces={ns.get("prefix", ""): ns.get("uri", "") for ns in tree.iterchildren(clark(SCHEMATRON, "ns"))},
    )
    seen: set[str] = set()
    for one in (one for pattern in patterns for rule in pattern for one in rule.asserts):
        if one.id in seen:
            raise Misconfigured(f"{path}: the id {one.id} stands twice; give each assert its own")
        seen.add(one.id)
        # By itself: in a longer XPath a mistake in a predicate shows only where its path leads.
        _compiled(one.broken, file.namespaces, f"{path}: {one.id}")
    return file


def _refuse(node: "etree._Element", path: Path, problem: str) -> NoReturn:
    raise Misconfigured(f"{path}, line {node.sourceline}: {etree.QName(node).localname} {problem}")


def _rule(node: "etree._Element", path: Path, english: Mapping[str, str]) -> Rule:
    context = node.get("context", "")
    if node.tag != clark(SCHEMATRON, "rule") or node.get("abstract") or not context:
        _refuse(node, path, "is no rule with a context; write sch:rule context=…")
    contexts = alternatives(context)
    for one in contexts:
        if target(one) == "":
            _refuse(node, path, f"has a context that is no element ({one}); write the element and test from there")
    return Rule(
        contexts=contexts,
        asserts=tuple(_assert(child, path, english) for child in node.iterchildren("*") if child.tag not in _IGNORED),
        targets=frozenset(target(one) for one in contexts),
    )


def _assert(node: "etree._Element", path: Path, english: Mapping[str, str]) -> Assert:
    if node.tag not in (clark(SCHEMATRON, "assert"), clark(SCHEMATRON, "report")):
        _refuse(node, path, "is not used in a rule; write sch:assert or sch:report")
    texts = [english[name] for name in node.get("diagnostics", "").split() if name in english]
    test = node.get("test", "")
    if not node.get("id") or not test or not texts:
        _refuse(node, path, 'needs an id, a test, and in diagnostics the id of a diagnostic with xml:lang="en"')
    unknown = functions(test) - FUNCTIONS
    if unknown:
        _refuse(node, path, f"calls {', '.join(sorted(unknown))}; use the functions of XPath 1.0 only")
    return Assert(
        id=node.get("id", ""),
        test=test,
        report=node.tag == clark(SCHEMATRON, "report"),
        nl=_text(node, path),
        en=texts[0],
    )


def _text(node: "etree._Element", path: Path) -> str:
    if len(list(node.iterchildren("*"))):
        _refuse(node, path, "repeats a value or name of the message; write plain text")
    text = " ".join("".join(node.itertext()).split())
    if not text:
        _refuse(node, path, "has no text; say what is wrong")
    return text


def compile_rules(file: RuleFile, stage: Stage) -> Rulebook:
    """The rules that can fire on one message. Raises Misconfigured for a context or test that is no XPath 1.0."""
    prefixes = {namespace: prefix for prefix, namespace in file.namespaces.items()}

    def where(name: str) -> tuple[str, ...] | None:
        prefix, _, local = name.rpartition(":")
        if stage.places is None:
            return None
        known = stage.places.get(clark(file.namespaces.get(prefix, ""), local), ())
        steps = [[_written(step, prefixes) for step in place[:-1]] for place in known]
        if len(steps) > _MAX_PLACES or any(step is None for place in steps for step in place):
            return None
        return tuple("".join(f"{step}/" for step in place) for place in steps)

    message = _written(stage.message, prefixes) if stage.message else None
    others = frozenset(written for name in stage.others if (written := _written(name, prefixes)))
    judges: list[Judge] = []
    asserts: list[Assert] = []
    silent: list[str] = []
    for pattern in file.patterns:
        found = [[place for one in rule.contexts for place in located(one, message or "", others, where)]
                 for rule in pattern]
        kept = [(rule, " | ".join(place)) for rule, place in zip(pattern, found, strict=True) if place]
        silent.extend(f"not(({place})[{' or '.join(one.broken for one in rule.asserts)}])"
                      for rule, place in kept if rule.asserts)
        asserts.extend(one for rule, _ in kept for one in rule.asserts)
        judges.extend(_judges(kept, file))
    return Rulebook(
        silent=_compiled(" and ".join(silent) or "true()", file.namespaces, str(file.path)),
        judges=tuple(judges),
        asserts=tuple(asserts),
    )


def _written(name: str, prefixes: Mapping[str, str]) -> str | None:
    """A Clark name with the file's prefix; None when the file has none for its namespace."""
    qname = etree.QName(name)
    prefix = prefixes.get(qname.namespace or "")
    return f"{prefix}:{qname.localname}" if prefix else None


def _judges(kept: list[tuple[Rule, str]], file: RuleFile) -> Iterator[Judge]:
    def xpath(expression: str, one: Assert | None = None) -> XPath:
        return _compiled(expression, file.namespaces, f"{file.path}: {one.id if one else expression}")

    if _disjoint([rule for rule, _ in kept]):
        for rule, place in kept:
            for one in rule.asserts:
                yield Probe(broken=xpath(f"({place})[{one.broken}]", one), rule=one)
        return
    yield Ladder(rungs=tuple(
        (xpath(place), tuple((xpath(one.broken, one), one) for one in rule.asserts))
        for rule, place in kept))


def _disjoint(rules: list[Rule]) -> bool:
    """Can no node match two of these rules?"""
    if len(rules) < 2:
        return True
    names = [name for rule in rules for name in rule.targets]
    return None not in names and len(set(names)) == len(names)


def compile_xpath(test: str, namespaces: Mapping[str, str], where: str) -> XPath:
    """A test as a compiled XPath 1.0 that gives true or false; call it with m=<message element>.

    Raises Misconfigured, beginning with `where`.
    """
    unknown = functions(test) - FUNCTIONS
    if unknown:
        raise Misconfigured(f"{where}: calls {', '.join(sorted(unknown))}; use the functions of XPath 1.0 only")
    return _compiled(f"boolean({anchored(test)})", namespaces, where)


def compile_text(path: str, namespaces: Mapping[str, str], where: str) -> XPath:
    """A path as a compiled XPath 1.0 that gives the text of its first node, or nothing; call it with m=<message>.

    Raises Misconfigured, beginning with `where`.
    """
    return _compiled(f"string({anchored(path)})", namespaces, where)


def _compiled(expression: str, namespaces: Mapping[str, str], where: str) -> XPath:
    try:
        compiled = XPath(expression, namespaces=dict(namespaces), smart_strings=False)
        compiled(_DUMMY, m=_DUMMY)  # an undeclared prefix shows only when it is used
    except etree.XPathError as error:
        raise Misconfigured(f"{where}: no XPath 1.0 ({error}); correct it") from error
    return compiled


def broken_rules(book: Rulebook, message: "etree._Element") -> Iterator[Broken]:
    """Each node of the message that breaks an assert, with that assert."""
    if book.silent(message, m=message):
        return
    for judge in book.judges:
        if isinstance(judge, Probe):
            for node in judge.broken(message, m=message):
                yield node, judge.rule
        else:
            yield from _climb(judge, message)


def _climb(ladder: Ladder, message: "etree._Element") -> Iterator[Broken]:
    fired: set[etree._Element] = set()
    for context, asserts in ladder.rungs:
        for node in context(message, m=message):
            if node not in fired:
                fired.add(node)
                for test, one in asserts:
                    if test(node, m=message):
                        yield node, one

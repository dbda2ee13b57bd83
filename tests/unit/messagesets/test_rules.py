"""Schematron semantics: first rule wins, patterns are independent; compared with the reference implementation."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets._pattern import alternatives, anchored, functions, target, tokens
from gateway.messagesets.rules import RuleFile, Stage, broken_rules, compile_rules, read_rules

SCH = "http://purl.oclc.org/dsdl/schematron"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


def schematron(*patterns: str) -> str:
    ids = [part.split('"')[0] for part in "".join(patterns).split('id="')[1:]]
    return (
        f'<sch:schema xmlns:sch="{SCH}"><sch:ns prefix="p" uri="urn:p"/>'
        + "".join(f"<sch:pattern>{pattern}</sch:pattern>" for pattern in patterns)
        + "<sch:diagnostics>"
        + "".join(f'<sch:diagnostic id="{one}-en" xml:lang="en">{one} en</sch:diagnostic>' for one in ids)
        + "</sch:diagnostics></sch:schema>"
    )


def rule(context: str, *asserts: tuple[str, str]) -> str:
    return f'<sch:rule context="{context}">' + "".join(
        f'<sch:assert id="{name}" test="{test}" diagnostics="{name}-en">{name} nl</sch:assert>'
        for name, test in asserts) + "</sch:rule>"


def read(tmp_path: Path, text: str) -> RuleFile:
    path = tmp_path / "regels.sch"
    path.write_text(text, encoding="utf-8")
    return read_rules(path)


def fired(file: RuleFile, document: str, stage: Stage | None = None) -> list[tuple[str, str]]:
    """(assert, id attribute of the node) for each broken assert; the message stands in an envelope."""
    envelope = etree.fromstring(f'<e:E xmlns:e="urn:e"><e:B id="body">\n{document}\n</e:B></e:E>')
    found = broken_rules(compile_rules(file, stage or Stage()), envelope[0][0])
    return sorted((one.id, node.get("id", "")) for node, one in found)


def reference(text: str, document: str) -> list[tuple[str, str]]:
    """The same by lxml's ISO Schematron, on the message as a document of its own."""
    from lxml import isoschematron

    tree = etree.fromstring(document)
    judge = isoschematron.Schematron(etree.fromstring(text), store_report=True, validate_schema=False)
    judge.validate(tree)
    report = judge.validation_report.getroot()
    found = []
    for failed in (*report.iter(f"{SVRL}failed-assert"), *report.iter(f"{SVRL}successful-report")):
        nodes = tree.getroottree().xpath(failed.get("location"))
        found.append((failed.get("id"), nodes[0].get("id", "")))
    return sorted(found)


PATTERNS = [
    # the first rule that matches takes the node, also when it says nothing about it
    [rule("p:a/p:b", ("A1", "p:x")) + rule("p:b", ("A2", "@id = 'none'")) + rule("*", ("A3", "p:x"))],
    [rule("p:b[p:x]") + rule("p:b", ("B1", "false()"))],
    # patterns do not know of each other
    [rule("p:b", ("C1", "false()")), rule("p:b", ("C2", "false()"), ("C3", "true()"))],
    # different elements in one pattern
    [rule("p:a", ("D1", "count(p:b) = 2")) + rule("p:b", ("D2", "p:x or p:y")) + rule("p:x", ("D3", ". = '1'"))],
    # alternatives, positions, absolute contexts and absolute paths in tests and predicates
    [rule("p:a | p:b[2] | p:m", ("E1", "p:x"))],
    [rule("/p:m", ("F1", "p:b")), rule("/p:m/p:a", ("F2", "/p:m/p:b and //p:x")), rule("/p:a", ("F3", "false()"))],
    [rule("//p:b[1]", ("G1", "count(//p:b) &lt; 3 or /p:m/p:a[p:b][1]/@id = 'a1'"))],
    [rule("p:b[/p:m/p:a/p:x = '1']", ("H1", "not(ancestor::p:a)"))],
    [rule("p:m", ("I1", "sum(//p:x) * 2 = 4 and (p:a or /p:m/p:b)"))],
    [rule("p:m//p:b", ("J1", "preceding-sibling::p:b")), rule("p:*", ("J2", "@id"))],
    ['<sch:rule context="p:x"><sch:report id="K1" test=". = \'1\'" diagnostics="K1-en">nl</sch:report></sch:rule>'],
]
DOCUMENTS = [
    '<p:m xmlns:p="urn:p" id="m"/>',
    '<p:m xmlns:p="urn:p" id="m"><p:a id="a1"><p:b id="b1"><p:x id="x1">1</p:x></p:b><p:b id="b2"/></p:a></p:m>',
    '<p:m xmlns:p="urn:p" id="m"><p:b id="b1"/><p:b id="b2"><p:x id="x1">1</p:x></p:b><p:a id="a1"><p:x id="x2">1'
    '</p:x><p:b id="b3"><p:y id="y1"/></p:b></p:a><p:a id="a2"/></p:m>',
    '<p:a xmlns:p="urn:p" id="m"><p:b id="b1"><p:b id="b2"><p:a id="a1"/></p:b></p:b></p:a>',
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("patterns", PATTERNS)
def test_same_as_the_reference(tmp_path: Path, patterns: Sequence[str], document: str) -> None:
    text = schematron(*patterns)
    assert fired(read(tmp_path, text), document) == reference(text, document)


contexts = st.sampled_from(["p:a", "p:b", "p:a/p:b", "p:m/p:a", "*", "p:b[p:a]", "p:a[1]", "/p:m/*", "//p:b",
                            "p:a|p:b", "p:b/p:a[2]", "*[@id = 'n2']"])
tests = st.sampled_from(["p:a", "not(p:b)", "count(*) = 1", "../p:a", "//p:b", "/p:m/p:a", "@id",
                         "p:a[position() &gt; 1]", "following-sibling::*"])


@st.composite
def document_of(draw: st.DrawFn) -> str:
    number = 0

    def element(depth: int) -> str:
        nonlocal number
        name = draw(st.sampled_from("ab")) if depth else draw(st.sampled_from("ma"))
        own, number = number, number + 1
        below = "".join(element(depth + 1) for _ in range(draw(st.integers(0, 3 if depth < 3 else 0))))
        declared = "" if depth else ' xmlns:p="urn:p"'
        return f'<p:{name}{declared} id="n{own}">{below}</p:{name}>'

    return element(0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(contexts, tests), min_size=1, max_size=3), min_size=1, max_size=2), document_of())
def test_any_rules_on_any_document_are_judged_as_the_reference_does(
        tmp_path_factory: pytest.TempPathFactory, layout: list[list[tuple[str, str]]], document: str) -> None:
    text = schematron(*(
        "".join(rule(context, (f"R{i}-{j}", test)) for j, (context, test) in enumerate(pattern))
        for i, pattern in enumerate(layout)))
    assert fired(read(tmp_path_factory.mktemp("sch"), text), document) == reference(text, document)


def test_rules_of_other_messages_are_left_out_and_known_places_are_walked_to(tmp_path: Path) -> None:
    file = read(tmp_path, schematron(
        rule("p:m", ("A", "false()")), rule("p:n", ("B", "false()")), rule("p:n/p:b", ("C", "false()")),
        rule("p:b", ("D", "false()")), rule("p:y", ("E", "false()")), rule("p:b/*", ("F", "@id = 'x1'"))))
    stage = Stage(message="{urn:p}m", others=frozenset({"{urn:p}n"}), places={
        "{urn:p}a": (("{urn:p}a",),), "{urn:p}x": (("{urn:p}a", "{urn:p}b", "{urn:p}x"),),
        "{urn:p}b": (("{urn:p}b",), ("{urn:p}a", "{urn:p}b"))})
    book = compile_rules(file, stage)
    assert [one.id for one in book.asserts] == ["A", "D", "F"]
    document = ('<p:m xmlns:p="urn:p" id="m"><p:b id="b1"/><p:a><p:b id="b2"><p:x id="x1"/><p:x id="x2"/></p:b></p:a>'
                "</p:m>")
    assert fired(file, document, stage) == [("A", "m"), ("D", "b1"), ("D", "b2"), ("F", "x2")]


def test_a_message_that_also_stands_in_another_keeps_its_rules(tmp_path: Path) -> None:
    """Where it is the root, its own name is no place below it: nothing may be left out by places."""
    file = read(tmp_path, schematron(rule("p:m", ("A", "false()"))))
    graph = {"{urn:p}m": frozenset({"{urn:p}b"}), "{urn:p}o": frozenset({"{urn:p}m"})}
    stage = Stage.of("{urn:p}m", frozenset({"{urn:p}o"}), graph)
    assert fired(file, '<p:m xmlns:p="urn:p" id="m"/>', stage) == [("A", "m")]


def test_texts_are_one_line_and_english_comes_from_the_diagnostic(tmp_path: Path) -> None:
    file = read(tmp_path, schematron(rule("p:a", ("A", "p:b"))).replace("A nl", "\n  Twee\n  regels. "))
    (one,) = file.patterns[0][0].asserts
    assert (one.nl, one.en) == ("Twee regels.", "A en")


@pytest.mark.parametrize(("text", "named"), [
    ("<a/>", "write a schema"),
    ("<sch:schema", "no readable Schematron"),
    (f'<!DOCTYPE a><sch:schema xmlns:sch="{SCH}"/>', "without a DTD"),
    (f'<sch:schema xmlns:sch="{SCH}"><sch:phase id="x"/></sch:schema>', "phase is not used"),
    (f'<sch:schema xmlns:sch="{SCH}"><sch:pattern abstract="true"/></sch:schema>', "pattern is not used"),
    (f'<sch:schema xmlns:sch="{SCH}">\n<sch:pattern>\n<sch:let name="a" value="1"/></sch:pattern></sch:schema>',
     "line 3: let is no rule"),
    (schematron('<sch:rule context="p:a"><sch:extends rule="x"/></sch:rule>'), "extends is not used"),
    (schematron('<sch:rule context="p:a"><sch:assert id="A" test="p:b">nl</sch:assert></sch:rule>'), "needs an id"),
    (schematron(rule("p:a", ("A", "p:b"))).replace("A nl", '<sch:value-of select="."/>'), "repeats a value"),
    (schematron(rule("p:a", ("A", "p:b"))).replace("A nl", " "), "has no text"),
    (schematron(rule("p:a", ("A", "p:b"), ("A", "p:c"))), "stands twice"),
    (schematron(rule("p:a/@x", ("A", "p:b"))), "no element"),
    (schematron(rule("p:a/text()", ("A", "p:b"))), "no element"),
    (schematron(rule("/", ("A", "p:b"))), "no element"),
    (schematron(rule("p:a", ("A", "current() = 1"))), "calls current"),
    (schematron(rule("p:a", ("A", "p:f(1)"))), "calls p:f"),
])
def test_what_a_rule_file_may_not_hold(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        read(tmp_path, text)


@pytest.mark.parametrize("patterns", [
    rule("p:a", ("A", "p:b and")), rule("p:a[", ("A", "p:b")), rule("q:a", ("A", "p:b")), rule("p:a", ("A", "q:b")),
    rule("p:a", ("A", "$x")), rule("p:a", ("A", "position() = 1")),
    rule("p:a", ("A", "p:b")) + rule("p:a", ("B", "p:b ! c")),
])
def test_what_is_no_xpath_is_found_at_load(tmp_path: Path, patterns: str) -> None:
    with pytest.raises(Misconfigured, match="no XPath"):
        compile_rules(read(tmp_path, schematron(patterns)), Stage())


@pytest.mark.parametrize(("before", "after"), [
    ("/", "$m/.."),
    ("/p:a", "$m/../ p:a"),
    ("//p:a/p:b", "$m/..// p:a / p:b"),
    ("count(/p:a) = 1", "count ( $m/../ p:a ) = 1"),
    ("p:a/p:b", "p:a / p:b"),
    ("p:a or /p:b", "p:a or $m/../ p:b"),
    ("or/p:b", "or / p:b"),
    ("p:a/* /p:b", "p:a / * / p:b"),
    ("2 * /p:b", "2 * $m/../ p:b"),
    ("'/a' = \"//b\"", "'/a' = \"//b\""),
    ("/ = 1", "$m/.. = 1"),
    ("p:a[/p:b]/@x", "p:a [ $m/../ p:b ] / @ x"),
    (".5 + a-b - 1.5", ".5 + a-b - 1.5"),
])
def test_absolute_paths_start_at_the_parent_of_the_message(before: str, after: str) -> None:
    assert anchored(before) == after


def test_lexer_and_pattern_parts() -> None:
    assert tokens("child::p:a[. >= 1]") == ["child", "::", "p:a", "[", ".", ">=", "1", "]"]
    assert functions("not(a and (b)) or count( x )") == {"not", "count"}
    assert alternatives("p:a[x|y] | p:b | 'a|b'") == ("p:a [ x | y ]", "p:b", "'a|b'")
    assert [target(one) for one in ("p:a/p:b[1]", "child::p:a", "*", "p:*", "@x", "node()", "descendant::p:a")] == [
        "p:b", "p:a", None, None, "", "", None]

"""A key is found at its line, or at that of the nearest table that holds it."""

import pytest

from gateway.toml_lines import Where, lines_of, nearest_line

TEXT = """\
module = "proef"

[[message]]
element = "Vraag"
outcomes = { akkoord = "true()" }
[message.deep]
'a.b' = 1

[[message]]  # the second
element = "Antwoord"

[files]
"berichten.xsd" = "abc"
x.y = 2
"""


@pytest.mark.parametrize(("where", "line"), [
    (("module",), 1), (("message", 0, "element"), 4), (("message", 0, "outcomes", "akkoord"), 5),
    (("message", 0, "deep", "a.b"), 7), (("message", 1, "element"), 10), (("message", 1, "absent"), 9),
    (("files", "berichten.xsd"), 13), (("files", "x", "y"), 14), (("files", "absent"), 12), (("absent",), None),
])
def test_a_place_has_its_line(where: Where, line: int | None) -> None:
    assert nearest_line(lines_of(TEXT), where) == line

"""An XML example as people read it: the file's own text, with its parts marked for the style sheet."""

import re
from collections.abc import Iterator

from gateway.messagesets.docs._html import Html, join, tag
from gateway.messagesets.docs._lang import Lang

_TOKEN = re.compile(r"<!--.*?-->|<\?.*?\?>|<[^>]*>|[^<]+", re.DOTALL)
_ATTRIBUTE = re.compile(r"""(\s+)([^\s=]+)(\s*=\s*)("[^"]*"|'[^']*')""")
_LONG = re.compile(r"[^\s<]{161,}")  # the content of an attachment
_KEPT = 60


def xml_view(text: str, lang: Lang, label: str) -> Html:
    """The text as <pre>; long runs without white space are cut, and say so."""
    return tag("pre", tag("code", *_parts(text.strip(), lang)), tabindex=0, role="region", aria_label=label)


def _parts(text: str, lang: Lang) -> Iterator[Html]:
    for token in _TOKEN.findall(text):
        if token.startswith(("<!--", "<?")):
            yield tag("span", token, class_="xc")
        elif token.startswith("<"):
            yield _tag(token)
        else:
            yield join(_LONG.sub(lambda run: _cut(run[0], lang), token))


def _tag(token: str) -> Html:
    attributes = list(_ATTRIBUTE.finditer(token))
    if not attributes:
        return tag("span", token, class_="xt")
    return join(
        tag("span", token[:attributes[0].start()], class_="xt"),
        [join(one[1], tag("span", one[2], class_="xa"), one[3], tag("span", one[4], class_="xv"))
         for one in attributes],
        tag("span", token[attributes[-1].end():], class_="xt"))


def _cut(run: str, lang: Lang) -> str:
    return f"{run[:_KEPT]}… ({len(run)} {lang('tekens', 'characters')})"

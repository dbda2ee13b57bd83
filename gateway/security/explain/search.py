"""The search: which rewriting of a part gives what was digested or signed? Named, ordered by cost, within a budget.

Octets are compared through their digest only, so a wrong guess tells nothing about the message.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from gateway.errors import GatewayError, SignatureInvalid
from gateway.names import ANONYMOUS, EXC_C14N, SOAP, clark
from gateway.security.c14n import canonical
from gateway.security.explain import rewriting, tags
from gateway.security.explain.case import C14N, C14N_TAG, TIMESTAMP, WSU_ID, Case, algorithm, name_of
from gateway.soap import Element, many_namespaces, read_xml

Matches = Callable[[bytes], bool]
_PER_TRY: Final = 20_000  # what one yield takes however small the part is: seven microseconds
_RAW: Final = 1_000_000  # octets of a part that is cut out of the message as it was sent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One part as it is digested now, and where it stands."""

    case: Case
    element: Element
    inclusive: tuple[str, ...]
    octets: bytes  # by the algorithm that the message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One rewriting: its diagnosis, what it yields, and what one yield costs as measured: hashing an octet, two."""

    id: str
    make: Callable[[View], Iterator[bytes]]
    weight: int = 2  # for each octet of the part
    tags: int = 0  # for each of its tags, where these are looked at one by one
    eager: bool = False  # it costs that much to find out that there is nothing to yield
    plain: bool = True  # also worth while when every character is ASCII

    def price(self, view: View) -> int:
        """What to take from the budget before it is asked for one more."""
        return _PER_TRY + self.weight * len(view.octets) + self.tags * view.octets.count(b"<")


def search(
    view: View, matches: Matches, guesses: tuple[Guess, ...] | None = None
) -> tuple[str | None, bool]:
    """The id of the first guess that matches, None when none does; and whether all were tried.

    None is tried where namespaces abound: to canonicalise with all that is in scope takes time with the cube of it.
    """
    if many_namespaces(view.case.octets):
        return None, False
    ascii_only, budget = view.octets.isascii(), view.case.budget
    for guess in GUESSES if guesses is None else guesses:
        if ascii_only and not guess.plain:
            continue
        price, yielded = guess.price(view), guess.make(view)
        try:
            while budget.take(price):
                octets = next(yielded, None)
                if octets is None:
                    break
                if octets != view.octets and matches(octets):
                    return guess.id, True
            else:
                return None, False
        except (UnicodeError, ValueError, etree.LxmlError, GatewayError):
            continue  # this rewriting does not exist for this part
        if not guess.eager:
            budget.take(-price)
    return None, True


def declared_form(element: Element, uri: str | None, inclusive: tuple[str, ...]) -> bytes:
    """The canonical octets by the algorithm that the message names, taken or not; exclusive for one that is unknown.

    Raises  SignatureInvalid: there is no canonical form.
    """
    if uri == EXC_C14N or algorithm(uri) == "?":
        return canonical(element, inclusive)
    name = algorithm(uri)
    return _c14n(element, exclusive=name.startswith("exc"), comments=name.endswith("WithComments"), inclusive=inclusive)


def _c14n(element: Element, *, exclusive: bool, comments: bool = False, inclusive: tuple[str, ...] = ()) -> bytes:
    try:
        octets: bytes = etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=comments,
                                       inclusive_ns_prefixes=(inclusive or None) if exclusive else None)
    except (etree.LxmlError, ValueError) as error:
        raise SignatureInvalid("no canonical form exists") from error
    return octets


# --- guesses that need the tree ------------------------------------------------------------------------------


def _inclusive(view: View) -> Iterator[bytes]:
    yield _c14n(view.element, exclusive=False)
    alone = _alone(view)
    if alone is not None:
        yield _c14n(alone, exclusive=False)


def _other_prefixes(view: View) -> Iterator[bytes]:
    """Without the stated list; with that of Envelope and Header, as WSS4J takes it; with every prefix in scope."""
    if view.inclusive:
        yield canonical(view.element)
    scope = tuple(prefix for prefix in view.element.nsmap if prefix)
    soap = tuple(prefix for prefix, uri in view.element.nsmap.items() if prefix and uri == SOAP)
    parent = view.element.getparent()
    above = () if parent is None else tuple(prefix for prefix in parent.nsmap if prefix)
    for listed in dict.fromkeys((soap, above[:32], scope[:32], *((one,) for one in scope[:8]))):
        if listed and listed != view.inclusive:
            yield canonical(view.element, listed)


def _comments(view: View) -> Iterator[bytes]:
    if b"<!--" in view.case.octets:
        yield _c14n(view.element, exclusive=True, comments=True, inclusive=view.inclusive)


def _content(view: View) -> Iterator[bytes]:
    for child in view.element.iterchildren("{*}*"):
        yield canonical(child)
        break


def _envelope(view: View) -> Iterator[bytes]:
    """The whole Envelope, as enveloped-signature leaves it: without the signature."""
    root, signature = view.case.root, view.case.signature
    if root is None or signature is None or view.element.tag != clark(SOAP, "Body"):
        return
    name = (f"{signature.prefix}:" if signature.prefix else "") + "Signature"
    for octets in (canonical(root), _c14n(root, exclusive=False)):
        start, end = octets.find(f"<{name}".encode()), octets.rfind(f"</{name}>".encode())
        yield octets[:start] + octets[end + len(name) + 3:]
        yield octets


def _in_scope(view: View) -> Iterator[bytes]:
    """Exclusive or home-made C14N of a string in which everything in scope is declared, and of what toolkits add."""
    scope = {(prefix or "").encode(): uri.encode() for prefix, uri in view.element.nsmap.items()}
    yield from tags.more_declared(view.octets, scope)
    yield from tags.more_declared(_c14n(view.element, exclusive=False), scope)


def _as_sent(view: View) -> Iterator[bytes]:
    """The octets of the part as they stand in the message, and the same with the namespaces it needs declared."""
    raw = _raw(view)
    if raw:
        yield raw
        yield raw.replace(b"\r\n", b"\n")
        start = tags.StartTag.of(view.octets)
        spaces = {} if start is None else start.declared()
        close = len(raw) if b">" not in raw else raw.index(b">")
        head = raw[:close]
        missing = b"".join(b' xmlns:%s="%s"' % pair for pair in sorted(spaces.items())
                           if pair[0] and b"xmlns:%s=" % pair[0] not in head)
        name, _, rest = raw.partition(b" ")
        yield name + missing + b" " + rest
        yield head + missing + raw[close:]


def _raw(view: View) -> bytes:
    """Cut out by the tag's name as written, which libxml2 does not keep a place of; by its id where it has one."""
    prefix, local = view.element.prefix, etree.QName(view.element).localname
    name = (f"{prefix}:{local}" if prefix else local).encode()
    octets, identifier = view.case.octets, (view.element.get(WSU_ID) or "").encode()
    at = -1
    for _ in range(8):
        at = octets.find(b"<" + name, at + 1)
        if at < 0 or len(octets) - at < len(name) + 2:
            return b""
        if identifier in octets[at:octets.find(b">", at)] and octets[at + 1 + len(name)] in b" \t\r\n>/":
            break
    close = b"</" + name + b">"
    end = octets.rfind(close) if local == "Body" else octets.find(close, at)
    return octets[at:end + len(close)] if 0 < end - at < _RAW else b""


def _alone(view: View) -> Element | None:
    """The part parsed from its own octets, without the Envelope's declarations; None when it can't stand alone."""
    raw = _raw(view)
    if not raw or b"<!" in raw:
        return None
    try:
        return read_xml(raw)
    except GatewayError:
        return None


# --- guesses about one part ----------------------------------------------------------------------------------


def _readdressed(view: View) -> Iterator[bytes]:
    """wsa:To as a proxy had it before or after: other scheme, host or port; other blocks as anonymous."""
    name = name_of(view.element)
    if name not in ("To", "ReplyTo", "From", "FaultTo"):
        return iter(())
    now = view.case.address(name) or ""
    service, known = view.case.service(), view.case.known
    stated = sorted(known.addresses(service)) if service and known.addresses else []
    return rewriting.text_replaced(view.octets, [*dict.fromkeys([*stated, *_neighbours(now, stated), ANONYMOUS])][:64])


def _neighbours(address: str, stated: list[str]) -> Iterator[str]:
    base, query = address.partition("?")[::2]
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    hosts = [name, *(one.split("://")[1].split("/")[0].partition(":")[0] for one in stated), "localhost", "127.0.0.1"]
    tail = f"?{query}" if query else ""
    for other in dict.fromkeys(hosts):
        for way in dict.fromkeys((scheme, "https", "http")):
            for number in dict.fromkeys(("", port, "443", "8443", "80", "8080")):
                place = f"{way}://{other}{':' if number else ''}{number}"
                yield f"{place}{slash}{path}{tail}"
    yield from (base, base + "/", base.rstrip("/"))


def _timed(view: View) -> Iterator[bytes]:
    return rewriting.times_rerendered(view.octets) if view.element.tag == TIMESTAMP else iter(())


def _on(rewrite: Callable[[bytes], Iterator[bytes]]) -> Callable[[View], Iterator[bytes]]:
    return lambda view: rewrite(view.octets)


def _indented_if(spaced: bool) -> Callable[[View], Iterator[bytes]]:
    """The usual indentations, of a part that has white space between its elements, or has none."""
    def make(view: View) -> Iterator[bytes]:
        return rewriting.indented(view.octets) if rewriting.is_spaced(view.octets) is spaced else iter(())
    return make


GUESSES: Final[tuple[Guess, ...]] = (
    Guess(id="to-rewritten", make=_readdressed),
    Guess(id="timestamp-rerendered", make=_timed),
    Guess(id="newline-digested", make=_on(rewriting.with_newline)),
    Guess(id="id-added-after-signing", make=_on(tags.without_id), weight=4),
    Guess(id="characters-encoded-twice", make=_on(rewriting.decoded_twice), weight=10, eager=True, plain=False),
    Guess(id="characters-digested-twice-encoded", make=_on(rewriting.encoded_twice), weight=7, plain=False),
    Guess(id="characters-digested-in-other-encoding", make=_on(rewriting.in_latin1), weight=9, plain=False),
    Guess(id="numeric-references-digested", make=_on(rewriting.numeric), weight=220, plain=False),
    Guess(id="unicode-form-changed", make=_on(rewriting.normalised), weight=450, eager=True, plain=False),
    Guess(id="line-endings-lost", make=_on(rewriting.with_returns), weight=4, tags=250),
    Guess(id="line-endings-added", make=_on(rewriting.without_returns), weight=3),
    Guess(id="white-space-added", make=_on(rewriting.without_space), weight=8, tags=110),
    Guess(id="prefix-renamed", make=_on(tags.renamed), weight=7, tags=500),
    Guess(id="octets-as-sent", make=_as_sent, weight=3),
    Guess(id="attribute-order", make=_on(tags.attributes_reordered)),
    Guess(id="inclusive-c14n", make=_inclusive, weight=26, tags=650),
    Guess(id="prefix-list-differs", make=_other_prefixes, weight=C14N, tags=C14N_TAG),
    Guess(id="namespaces-lost", make=_in_scope, weight=3, tags=12),
    Guess(id="body-content-digested", make=_content, weight=C14N, tags=C14N_TAG),
    Guess(id="comments-digested", make=_comments, weight=C14N, tags=C14N_TAG),
    Guess(id="declaration-digested", make=_on(rewriting.with_declaration), weight=2),
    Guess(id="bom-digested", make=_on(rewriting.with_bom)),
    Guess(id="single-quotes", make=_on(tags.single_quotes), weight=5, tags=800),
    Guess(id="empty-element-tags", make=_on(tags.empty_tags), weight=5, tags=1250, eager=True),
    Guess(id="text-trimmed", make=_on(rewriting.trimmed), weight=5, tags=1000),
    Guess(id="envelope-digested", make=_envelope, weight=6, tags=200),
    Guess(id="white-space-removed", make=_indented_if(False), weight=4, tags=1000),
    Guess(id="white-space-changed", make=_indented_if(True), weight=4, tags=1000),
)

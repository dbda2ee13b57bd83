"""A grammar of envelopes, as Hypothesis strategies: mostly right, each part sometimes wrong, missing, doubled or moved.

    envelopes()          recipes (tests/fuzz/recipe.py) as octets, for a property test
    seeds(count)         the same as a list, always the same one: food for the coverage-guided fuzzer
"""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import foreign
from tests.foreign import A, D, O, S, U
from tests.fuzz.mutate import NAMES, NAMESPACES, PATHS, VALUES
from tests.fuzz.recipe import Recipe, write

BASE = "https://localhost:8443"
_SETS = Path(__file__).parents[2] / "xsd"
_MESSAGES = [(path, (_SETS / folder / f"examples/valid/{name}.xml").read_text("utf-8").partition("?>")[2].strip())
             for path, folder, names in (
                 (PATHS[0], "schuldregeling/2.0", ("Kennisgeving-minimaal", "SaldoVerzoek-volledig")),
                 (PATHS[1], "schuldregeling/2.0", ("StatusVerzoek-volledig",)),
                 (PATHS[3], "knooppunt/1.0", ("HaalBerichtenlijstOp-minimaal", "HaalBerichtOp-volledig")),
                 (PATHS[6], "knooppunt/1.0", ("Ping-minimaal",))) for name in names]
_DECLARED = f'xmlns:s="{S}" xmlns:a="{A}" xmlns:o="{O}" xmlns:u="{U}" xmlns:d="{D}" xmlns:e="{foreign.EXC}"'
_WSA = ("To", "Action", "MessageID", "ReplyTo", "From", "RelatesTo", "FaultTo")


def _once_in(number: int) -> st.SearchStrategy[bool]:
    """True about once; never at the ends of the range, which Hypothesis likes too well, nor where it shrinks to."""
    return st.integers(0, number).map(lambda drawn: drawn == number // 2)


def _mostly(usual: st.SearchStrategy[str], odd: st.SearchStrategy[str], one_in: int = 30) -> st.SearchStrategy[str]:
    return _once_in(one_in).flatmap(lambda is_odd: odd if is_odd else usual)


_value = st.sampled_from(VALUES).map(lambda text: escape("".join(one for one in text if one.isprintable())))
_stranger = st.builds(
    lambda name, namespace, value: f"<q:{name} xmlns:q={quoteattr(namespace)}>{value}</q:{name}>",
    st.sampled_from(NAMES), st.sampled_from([one for one in NAMESPACES if one and "relative" not in one]), _value)
_space = _mostly(st.just(""), st.sampled_from(("\n  ", "x", "<!-- -->", "<?p i?>", "&#13;", "<![CDATA[ ]]>")))


@st.composite
def _block(draw: st.DrawFn, name: str, value: str) -> str:
    """One wsa header block; its id is its name."""
    text = draw(_mostly(st.just(value), _value, 60))
    inner = text if name in ("To", "Action", "MessageID", "RelatesTo") else f"<a:Address>{text}</a:Address>"
    wrong = draw(st.sampled_from(("Id", "u:ID", "id"))) if draw(_once_in(80)) else "u:Id"
    more = draw(_mostly(st.just(""), st.sampled_from((
        ' s:mustUnderstand="1"', ' s:mustUnderstand="true"', ' s:actor="x"', ' x="y"')), 60))
    return f'<a:{name} {wrong}="{name}"{more}>{inner}</a:{name}>'


@st.composite
def _blocks(draw: st.DrawFn, path: str, action: str) -> tuple[list[str], list[str]]:
    """The wsa blocks, and the ids to sign."""
    usual = {"To": BASE + path, "Action": action, "MessageID": "urn:uuid:@NEW1@", "ReplyTo": foreign.ANONYMOUS,
             "From": "https://gemeente.example/", "RelatesTo": "urn:uuid:1", "FaultTo": A + "/none"}
    names = [name for name in _WSA if draw(_once_in(50)) is (name in _WSA[5:])]
    if draw(_once_in(50)) and names:
        names.append(draw(st.sampled_from(names)))
    return [draw(_block(name, usual[name])) for name in names], names


@st.composite
def _signature(draw: st.DrawFn, ids: list[str]) -> str:
    odd = st.sampled_from(VALUES[-22:])
    transform = draw(_mostly(st.just(foreign.EXC), odd, 60))
    listed = draw(_mostly(st.just(""), st.sampled_from((
        '<e:InclusiveNamespaces PrefixList="s a"/>', '<e:InclusiveNamespaces PrefixList=""/>', "<x/>")), 24))
    digest = draw(_mostly(st.just(foreign.SHA256), st.sampled_from(list(foreign.HASHES)), 36))
    references = "".join(
        f'<d:Reference URI="#{one}"><d:Transforms><d:Transform Algorithm="{transform}">{listed}</d:Transform>'
        f'</d:Transforms><d:DigestMethod Algorithm="{digest}"/><d:DigestValue>@DIGEST@</d:DigestValue></d:Reference>'
        for one in ids)
    method = draw(_mostly(st.just("@METHOD@"), odd, 60))
    value = draw(_mostly(st.just("@SIGNATURE@"), st.sampled_from(("", "AAAA", "@SIGNATURE@\n", "<x/>")), 60))
    uri = draw(_mostly(st.just("#tok"), st.sampled_from(("#Body", "", "tok")), 60))
    key = f'<o:SecurityTokenReference><o:Reference URI="{uri}" ValueType="{foreign.X509}"/></o:SecurityTokenReference>'
    return (f'<d:Signature><d:SignedInfo>{draw(_space)}<d:CanonicalizationMethod Algorithm="{transform}">{listed}'
            f'</d:CanonicalizationMethod><d:SignatureMethod Algorithm="{method}"/>{references}</d:SignedInfo>'
            f"<d:SignatureValue>{value}</d:SignatureValue>"
            f"<d:KeyInfo>{draw(_mostly(st.just(key), _stranger, 60))}</d:KeyInfo>"
            f"{draw(_mostly(st.just(''), _stranger, 60))}</d:Signature>")


@st.composite
def _security(draw: st.DrawFn, ids: list[str]) -> str:
    created = draw(_mostly(st.just("@CREATED@"), _value, 60))
    times = [f"<u:Created>{created}</u:Created>", "<u:Expires>@EXPIRES@</u:Expires>"]
    if draw(_once_in(30)):
        times = draw(st.permutations([*times, times[0]]))
    signed = [one for one in ("tok", "TS", *ids, "Body") if not draw(_once_in(120))]
    if draw(_once_in(40)):
        signed.append(draw(st.sampled_from(("nothing", "Body", "tok"))))
    token = (f'<o:BinarySecurityToken u:Id="tok" ValueType="{foreign.X509}" EncodingType="{foreign.B64}">@TOKEN@'
             "</o:BinarySecurityToken>")
    children = [token, f'<u:Timestamp u:Id="TS">{"".join(times)}</u:Timestamp>', draw(_signature(signed))]
    change = draw(st.integers(1, 25))
    if change == 1:
        children = draw(st.permutations(children))
    elif change == 2:
        children.append(draw(st.sampled_from(children)))
    elif change == 3:
        children.pop(draw(st.integers(0, 2)))
    elif change == 4:
        children.insert(draw(st.integers(0, 3)), draw(_stranger))
    return f'<o:Security s:mustUnderstand="1">{draw(_space)}{"".join(children)}</o:Security>'


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """A recipe for the door `line`."""
    path, message = draw(st.sampled_from(_MESSAGES))
    at = draw(_mostly(st.just(path), st.sampled_from(PATHS)))
    name = message[1:].split(None, 1)[0].rpartition(":")[2]
    namespace = "urn:schuldenknooppunt:" + ":".join(path.split("/")[2:4])
    blocks, ids = draw(_blocks(path, f"{namespace}:{name}"))
    blocks.insert(draw(st.integers(0, len(blocks))), draw(_security(ids)))
    if draw(_once_in(40)):
        blocks.append(draw(_stranger))
    party = "energie" if path == PATHS[1] else "gemeente"
    body = message if not draw(_once_in(20)) else draw(_stranger)
    octets = (f"<s:Envelope {_DECLARED}>{draw(_space)}<s:Header>{''.join(blocks)}</s:Header>"
              f'<s:Body u:Id="Body">{draw(_space)}{body}</s:Body></s:Envelope>')
    fields = {"door": "line", "path": at, "caller": draw(_mostly(st.just(party), st.just("rechtbank"))),
              "signer": draw(_mostly(st.just(party), st.just("deurwaarder"))), "action": '""'}
    return write(Recipe(fields=fields, octets=octets.encode()))


def seeds(count: int) -> list[bytes]:
    """The first envelopes that the grammar gives, the same every time."""
    made: list[bytes] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(envelopes())
    def gather(data: bytes) -> None:
        made.append(data)

    gather()
    return made

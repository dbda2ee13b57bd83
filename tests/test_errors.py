"""The table in errors.py is whole: every error that may reach a peer has its one row, in the published numbers."""

import re
from collections.abc import Iterator

import pytest

from gateway import errors
from gateway.errors import TABLE, DeliveryError, FailedError, GatewayError, RefusedError, Row, row
from gateway.names import PREFIXES

SKP = {*(f"SKP{number:03}" for number in range(1, 18)), "SKP900", "SKP901"}  # docs/contract.md §7
WUS = {*(f"{number:04}" for number in range(1, 12)), "0051"}  # Digikoppeling Best Practices WUS
ABSTRACT = {GatewayError, RefusedError, FailedError}  # never raised themselves
HTTP_OTHER_THAN_500 = {
    "NotAuthenticated": 403, "NotFound": 404, "MethodNotAllowed": 405, "TooLarge": 413, "UnsupportedContent": 415,
    "NotXml": 400, "RateLimited": 429, "Overloaded": 503, "Draining": 503, "TrustStale": 503,
}


def below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


every_row = pytest.mark.parametrize(("kind", "shown"), TABLE.items(), ids=lambda one: getattr(one, "__name__", ""))


def test_each_error_has_one_row_and_each_row_one_error() -> None:
    wanted = {*below(RefusedError), *below(FailedError)}
    assert set(TABLE) == wanted
    assert not wanted & ABSTRACT


def test_an_error_on_the_way_out_is_never_a_fault() -> None:
    assert not {DeliveryError, *below(DeliveryError)} & set(TABLE)


def test_every_class_of_the_module_stands_under_one_of_the_three() -> None:
    named = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GatewayError)}
    assert named == {GatewayError, RefusedError, FailedError, DeliveryError,
                     *below(RefusedError), *below(FailedError), *below(DeliveryError)}


@pytest.mark.clause("§1.5")
@every_row
def test_codes_are_the_published_ones(kind: type[GatewayError], shown: Row) -> None:
    assert shown.code in SKP
    assert shown.wus is None or shown.wus in WUS


def test_every_published_code_is_used() -> None:
    assert {shown.code for shown in TABLE.values()} == SKP


@every_row
def test_texts_are_whole_sentences_without_placeholder(kind: type[GatewayError], shown: Row) -> None:
    for text in (shown.text, shown.text_en):
        assert re.fullmatch(r"(?:[A-Z]|wsa:).{6,}\.", text)
        assert not re.search(r"[{}<>%$]|\bTODO\b|\bXXX\b|\.\.\.|…", text)
    assert shown.text != shown.text_en


@pytest.mark.clause("BP R1126")
@every_row
def test_http_numbers(kind: type[GatewayError], shown: Row) -> None:
    assert shown.http == HTTP_OTHER_THAN_500.get(kind.__name__, 500)
    assert (shown.retry_after is not None) is (shown.http in (429, 503))


@every_row
def test_blame_is_the_same_in_class_code_faultcode_and_plek(kind: type[GatewayError], shown: Row) -> None:
    ours = issubclass(kind, FailedError)
    assert shown.plek == ("server" if ours else "client")
    assert (shown.faultcode == "soap:Server") is ours
    assert (shown.wus == "0051") is (ours and shown.http == 503)


@pytest.mark.clause("BP R1004", "BP R1031")
@every_row
def test_faultcode_is_a_name_whose_prefix_we_declare(kind: type[GatewayError], shown: Row) -> None:
    prefix, _, local = shown.faultcode.partition(":")
    assert prefix in PREFIXES
    assert re.fullmatch("[A-Z][A-Za-z]+", local)


@pytest.mark.clause("§1.5", "§3.6")
def test_security_refusals_cannot_be_told_apart() -> None:
    rows = {TABLE[kind] for kind in (errors.SecurityRefusal, *below(errors.SecurityRefusal))}
    (shown,) = rows
    assert (shown.code, shown.faultcode, shown.wus) == ("SKP015", "wsse:InvalidSecurity", None)


@pytest.mark.clause("§1.5", "§3.6")
@pytest.mark.parametrize("kind", [one for one in TABLE if one not in (errors.SchemaInvalid, errors.ChoreographyError)])
def test_detail_for_the_operator_is_not_what_the_peer_sees(kind: type[GatewayError]) -> None:
    error = kind("what only the operator may know")
    assert error.detail == "what only the operator may know"
    assert row(error) is TABLE[kind]
    assert error.detail not in row(error).text + row(error).text_en


def test_errors_with_findings_say_where_and_never_what() -> None:
    finding = errors.Finding(xpath="/sr:SaldoVerzoek", rule="minLength", nl="Te kort.", en="Too short.")
    assert errors.SchemaInvalid((finding,)).detail == "/sr:SaldoVerzoek: minLength"
    wrong = errors.ChoreographyError(state="NIEUW", message="BetaalVoorstel", allowed=("SaldoVerzoek",))
    assert wrong.findings[0].nl == "BetaalVoorstel mag niet in toestand NIEUW. Toegestaan: SaldoVerzoek."
    last = errors.ChoreographyError(state="AFGESLOTEN", message="SaldoVerzoek", allowed=())
    assert last.findings[0].en == "SaldoVerzoek is not allowed in state AFGESLOTEN. Allowed: nothing more."

"""A party's change of certificate, state by state: what is taken, what is used, and what a refusal says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing import certificate_in_use, certificate_refusal, certificates_accepted
from gateway.values import Party, Purpose, Registered, Rollover, RolloverState

OLD, NEW, NEXT, OTHER = (Registered(name=f"pki/{name}.pem", sha256=name[0] * 64)
                         for name in ("aud", "baru", "cnext", "dother"))
START = datetime(2026, 12, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def rollover(old: Registered = OLD, new: Registered = NEW, start: datetime = START,
             purpose: Purpose = Purpose.SIGNING) -> Rollover:
    return Rollover(purpose=purpose, old=old, new=new, accepted=start, preferred=start + 7 * DAY,
                    retired=start + 14 * DAY)


def party(*rollovers: Rollover, pins: frozenset[str] = frozenset()) -> Party:
    return Party(id="1", slug="gemeente", name="Gemeente", oin="0" * 20, roles=frozenset({"SHV"}), pins=pins,
                 rollovers=rollovers)


STATES = [  # the moment, the state it is in, taken of old and new, the one we use
    (START - SECOND, RolloverState.ANNOUNCED, (True, False), OLD),
    (START, RolloverState.BOTH, (True, True), OLD),
    (START + 7 * DAY - SECOND, RolloverState.BOTH, (True, True), OLD),
    (START + 7 * DAY, RolloverState.PREFERRED, (True, True), NEW),
    (START + 14 * DAY - SECOND, RolloverState.PREFERRED, (True, True), NEW),
    (START + 14 * DAY, RolloverState.RETIRED, (False, True), NEW),
    (START + 999 * DAY, RolloverState.RETIRED, (False, True), NEW),
]


@pytest.mark.clause("§6.4")
@pytest.mark.parametrize("pins", [frozenset(), frozenset({OLD.sha256})], ids=["path-trusted", "pinned"])
@pytest.mark.parametrize(("now", "state", "taken", "used"), STATES, ids=str)
def test_each_state_takes_and_uses_what_the_table_says(
    now: datetime, state: RolloverState, taken: tuple[bool, bool], used: Registered, pins: frozenset[str],
) -> None:
    one = party(rollover(), pins=pins)
    assert one.rollovers[0].state(now) is state
    refusals = [certificate_refusal(one, Purpose.SIGNING, each.sha256, now) for each in (OLD, NEW)]
    assert tuple(refusal is None for refusal in refusals) == taken
    assert certificate_in_use(one, Purpose.SIGNING, now) is used
    assert certificates_accepted(one, Purpose.SIGNING, now) == tuple(
        each for each, good in zip((OLD, NEW), taken, strict=True) if good)


@given(days=st.lists(st.integers(0, 400), min_size=3, max_size=3, unique=True).map(sorted), at=st.integers(-9, 500))
def test_at_every_moment_one_is_taken_and_what_is_used_is_taken(days: list[int], at: int) -> None:
    accepted, preferred, retired = (START + day * DAY for day in days)
    one = party(Rollover(purpose=Purpose.SIGNING, old=OLD, new=NEW, accepted=accepted, preferred=preferred,
                         retired=retired), pins=frozenset({OLD.sha256}))
    taken = certificates_accepted(one, Purpose.SIGNING, START + at * DAY)
    assert taken
    assert certificate_in_use(one, Purpose.SIGNING, START + at * DAY) in taken


def test_a_refusal_says_which_state_refused() -> None:
    one = party(rollover())
    early = certificate_refusal(one, Purpose.SIGNING, NEW.sha256, START - SECOND)
    late = certificate_refusal(one, Purpose.SIGNING, OLD.sha256, START + 14 * DAY)
    assert early == ("signing certificate pki/baru.pem of gemeente is announced, accepted from 2026-12-01T00:00:00Z")
    assert late == ("signing certificate pki/aud.pem of gemeente was retired on 2026-12-15T00:00:00Z; "
                    "it uses pki/baru.pem now")


@pytest.mark.parametrize("now", [moment for moment, *_ in STATES])
def test_other_purposes_and_other_certificates_are_judged_as_without_a_rollover(now: datetime) -> None:
    free, pinned = party(rollover()), party(rollover(), pins=frozenset({OLD.sha256}))
    assert certificate_refusal(free, Purpose.TLS, NEW.sha256, now) is None
    assert certificate_refusal(free, Purpose.SIGNING, OTHER.sha256, now) is None
    assert certificate_refusal(pinned, Purpose.TLS, OLD.sha256, now) is None
    for purpose, each in ((Purpose.TLS, NEW), (Purpose.SIGNING, OTHER)):
        assert "is not registered for gemeente" in (certificate_refusal(pinned, purpose, each.sha256, now) or "")
    assert certificate_in_use(free, Purpose.ENCRYPTION, now) is None
    assert certificates_accepted(free, Purpose.ENCRYPTION, now) == ()


def test_a_second_rollover_follows_the_first() -> None:
    one = party(rollover(), rollover(NEW, NEXT, START + 100 * DAY))
    used = [certificate_in_use(one, Purpose.SIGNING, START + days * DAY) for days in (0, 7, 99, 101, 108)]
    assert used == [OLD, NEW, NEW, NEW, NEXT]
    assert [each.sha256[0] for each in certificates_accepted(one, Purpose.SIGNING, START + 50 * DAY)] == ["b"]
    assert [each.sha256[0] for each in certificates_accepted(one, Purpose.SIGNING, START + 101 * DAY)] == ["b", "c"]
    assert [each.sha256[0] for each in certificates_accepted(one, Purpose.SIGNING, START + 120 * DAY)] == ["c"]

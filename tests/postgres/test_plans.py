"""Every statement of the store is an index search on PostgreSQL too, on tables that are long.

Looked at are the plans that prepared statements settle on: made once, for any values, under the settings of the store's
own connections.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.storage.databases import engine_of
from gateway.storage.listing import _branches
from gateway.storage.session import Query, Statements
from gateway.values import Search
from tests.contract.samples import ENERGIE
from tests.contract.test_schema import QUERIES, SEARCHES
from tests.contract.test_schema import WHOLE as WHOLE_ON_SQLITE
from tests.postgres.databases import ask, fresh

MESSAGES = 20_000
# One receiver has most of the mail, as an energy company has; most of it was confirmed long ago.
FILL = f"""
SET synchronous_commit = off;
INSERT INTO certificates SELECT md5(i::text), '\\x00' FROM generate_series(1, 50) i;
INSERT INTO messages SELECT i, 'hub', i, md5('ref' || i), md5('party' || i % 50), md5('conv' || i / 3), NULL,
    'schuldregeling', '2.0', 'SaldoVerzoek', 'SaldoVerzoek', '2.0', i * 1000000::bigint, (i + 600000) * 1000000::bigint,
    'oin', 'id' || i, '\\x00', '\\x00' FROM generate_series(1, {MESSAGES}) i;
INSERT INTO entries SELECT 'hub', i, i * 1000000::bigint, 'accepted', i, repeat('x', 400), '\\x00', '\\x00'
    FROM generate_series(1, {MESSAGES}) i;
INSERT INTO refusals SELECT 'hub', i, md5('ticket' || i), i * 1000000::bigint
    FROM generate_series(1, {MESSAGES}, 10) i;
INSERT INTO proofs SELECT i, '\\x00', '\\x00', 'rsa', md5((i % 50 + 1)::text), 'oin', 'body', NULL, NULL
    FROM generate_series(1, {MESSAGES}) i;
INSERT INTO conversations SELECT i + 1, md5('conv' || i), 'schuldregeling', md5('party' || i % 50),
    md5('party' || (i + 1) % 50), 'GEMELD' FROM generate_series(0, {MESSAGES} / 3) i;
INSERT INTO deliveries (message, receiver, conversation, state, received_at, expires_at)
    SELECT i, CASE WHEN i % 5 = 0 THEN md5('party' || (i + 1) % 50) ELSE '{ENERGIE.id}' END, i / 3 + 1,
    CASE WHEN i % 20 = 0 THEN 'BESCHIKBAAR' ELSE 'BEVESTIGD' END, i * 1000000::bigint, (i + 600000) * 1000000::bigint
    FROM generate_series(1, {MESSAGES}) i;
INSERT INTO payloads SELECT i, '2031-03-' || lpad((i % 5 + 1)::text, 2, '0'), '\\x00', '\\x00'
    FROM generate_series(20, {MESSAGES}, 20) i;
INSERT INTO bridged_payloads SELECT message, '1.1', epoch, '\\x00', '\\x00' FROM payloads;
INSERT INTO addressed_payloads SELECT message, '{ENERGIE.id}', epoch, '\\x00', '\\x00', 'B', '\\x00' FROM payloads;
INSERT INTO checkpoints SELECT 'hub', i, i, CASE WHEN i % 7 = 0 THEN i END, '\\x00', md5('1')
    FROM generate_series(1, 5000) i;
INSERT INTO subtrees SELECT 'hub', 8, i, '\\x00' FROM generate_series(0, 5000) i;
INSERT INTO chain_heads VALUES ('hub', {MESSAGES}, '\\x00');
"""
# Asked once by an operator who drains a party: joined either way, by what the planner knows of the party's share.
WHOLE = WHOLE_ON_SQLITE | {"switches._FROM"}
# A handful of rows whatever the hub does: one per node, party, duty or switch.
SMALL = {"chain_heads", "certificates", "tolerances", "duties", "switches", "prunings", "breakers"}


@pytest.fixture(scope="module")
def plans() -> Iterator["Plans"]:
    with fresh() as url:
        ask(url, FILL)
        for table in set(re.findall(r"INSERT INTO (\w+)", FILL)):  # nothing analyzes what nobody wrote
            partitioned = table == "entries" or table.endswith("payloads")
            ask(url, f"ANALYZE {table}_default" if partitioned else f"ANALYZE {table}")
        made = Plans(url)
        yield made
        made.close()


class Plans:
    def __init__(self, url: str) -> None:
        engine = engine_of(url)
        self._statements = Statements(engine.dialect)
        self._connection: Any = engine.connect_plain()
        self._connection.execute("SET plan_cache_mode = force_generic_plan")

    def of(self, query: Query) -> list[dict[str, Any]]:
        """The nodes of the plan for any values."""
        names: dict[str, int] = {}
        compiled = self._statements.compile(query).sql
        sql = re.sub(r"%\((\w+)\)s", lambda found: f"${names.setdefault(found[1], len(names) + 1)}", compiled)
        self._connection.execute(f"PREPARE it AS {sql.replace('%%', '%')}")
        try:
            call = "it" + (f"({', '.join(['NULL'] * len(names))})" if names else "")
            row = self._connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {call}").fetchone()
        finally:
            self._connection.execute("DEALLOCATE it")
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        return list(nodes(plan[0]["Plan"]))

    def close(self) -> None:
        self._connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", ()):
        yield from nodes(one)


def assert_searched(plan: list[dict[str, Any]], *, limited: bool = False) -> None:
    """Nothing that grows is read whole: neither as it lies nor along an index without a condition."""
    for node in plan:
        kind, table = node["Node Type"], node.get("Relation Name", "")
        if table in SMALL:
            continue
        assert kind != "Seq Scan", plan
        if kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and not limited:
            assert node.get("Index Cond"), (table, plan)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_statement_is_an_index_search(plans: "Plans", name: str) -> None:
    plan = plans.of(QUERIES[name])
    if name not in WHOLE:
        assert_searched(plan)


# Which index, where more than one would do and only one is quick; and no sorting of what is in order already.
BY = {
    "checkpoints._NEWEST_STAMPED": "ix_checkpoints_stamped",
    "pruning._OLD_MESSAGES": "ix_messages_received_at",
    "mailbox._FIND": "pk_deliveries",
    "mailbox._FIND_TO_CHANGE": "pk_deliveries",
    "mailbox._DUE": "ix_deliveries_due",
    "mailbox.list-(False, False)": "ix_deliveries_mailbox",
    "mailbox.list-(True, False)": "ix_deliveries_mailbox",
    "mailbox.list-(False, True)": "ix_deliveries_conversation",
    "journal._QUESTION": "ix_deliveries_conversation",
    "journal._COUNT": "ix_deliveries_conversation",
}
IN_ORDER = {"mailbox.list-(False, False)", "mailbox.list-(True, False)", "mailbox._DUE", "pruning._OLD_MESSAGES",
            "audit._WALK", "tree._LEAVES"}


@pytest.mark.parametrize("name", sorted(BY))
def test_statement_goes_by_the_index_that_narrows_most(plans: "Plans", name: str) -> None:
    assert BY[name] in [node.get("Index Name") for node in plans.of(QUERIES[name])]


@pytest.mark.parametrize("name", sorted(IN_ORDER))
def test_what_an_index_has_in_order_is_not_sorted(plans: "Plans", name: str) -> None:
    assert not [node for node in plans.of(QUERIES[name]) if node["Node Type"].endswith("Sort")]


@pytest.mark.parametrize("party", [None, ENERGIE.id])
@pytest.mark.parametrize("name", SEARCHES)
def test_log_search_is_an_index_search(plans: "Plans", name: str, party: str | None) -> None:
    """What is asked without a condition is walked from the newest on, and ends at the limit."""
    for branch in _branches(Search(party=party, **SEARCHES[name])):  # type: ignore[arg-type]
        plan = plans.of(Query(branch))
        assert_searched(plan, limited=plan[0]["Node Type"] == "Limit")

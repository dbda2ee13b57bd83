"""Limits as an operator sets them: read by `gateway serve`, shared by its workers, told in its journal."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.front import METER
from gateway.settings import dump_parties, load_parties
from gateway.transport import Caller, TlsFiles, client_tls
from tests.acceptance.hub import Hub, hub_on
from tests.postgres.databases import asked, copied

BEHEER = "/soap/knooppunt/1.0/beheer"
FEW, MORE = 12, 24  # requests at once of energie and of deurwaarder; both earn one a second


@pytest.fixture
def hub(template: Path, tmp_path: Path) -> Iterator[Hub]:
    """Two workers; one limit for everybody, another for one party."""
    folder = copied(template, tmp_path / "instance")
    settings = (folder / "gateway.toml").read_text("utf-8")
    limits = f"[limits]\nrequests_per_second = 1\nburst = {FEW}\nsession_seconds = 60\n"
    (folder / "gateway.toml").write_text(settings.replace("[limits]\n", limits), "utf-8")
    book = [replace(party, limits={"burst": MORE}) if party.slug == "deurwaarder" else party
            for party in load_parties(folder / "parties.toml")]
    (folder / "parties.toml").write_text(dump_parties(book), "utf-8")
    with hub_on(folder, "--workers", "2") as running:
        yield running


def flood(hub: Hub, slug: str, statuses: Counter[int]) -> None:
    """Twenty requests, each on a connection of its own, so that both workers get some."""
    pki = hub.folder / "pki"
    context = client_tls(TlsFiles(certificate=pki / f"{slug}-tls.pem", key=pki / f"{slug}-tls.key",
                                  anchors=(pki / "ca.pem",), crls=(pki / "ca.crl",)))
    for _ in range(20):
        caller = Caller(context)
        statuses[caller.post(hub.soap + BEHEER, b"<x/>", "")[0]] += 1
        caller.close()


def test_workers_share_a_partys_rate_and_the_journal_has_every_refusal(hub: Hub) -> None:
    began = time.monotonic()
    served: dict[str, int] = {}
    turned_away = 0
    for slug in ("energie", "deurwaarder"):
        statuses: Counter[int] = Counter()
        threads = [threading.Thread(target=flood, args=(hub, slug, statuses)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        served[slug], turned_away = statuses[500], turned_away + statuses[429]
        assert sum(statuses.values()) == served[slug] + statuses[429] == 40
    seconds = time.monotonic() - began
    assert FEW <= served["energie"] <= FEW + seconds + 1, "of both workers together"
    assert MORE <= served["deurwaarder"] <= MORE + seconds + 1
    assert (hub.folder / METER).exists()
    assert hub.stop() == 0
    assert not (hub.folder / METER).exists()
    records = [json.loads(row[0]) for row in asked(hub.folder, "SELECT record FROM entries WHERE kind = 'refused'")]
    limited = [record["reason"] for record in records if record["error"] == "RateLimited"]
    counts = [int(reason.split()[0]) if " more in the last minute" in reason else 1 for reason in limited]
    assert sum(counts) == turned_away
    assert len(counts) < turned_away

"""A running hub that pushes to the receiving services of parties: `gateway serve` and `gateway listen` together."""

import time
from pathlib import Path

from tests.acceptance.hub import hub_on
from tests.acceptance.receiving import listening
from tests.line import edit_parties, example
from tests.postgres.databases import copied
from tests.test_docs import header_field

MESSAGE = example("Kennisgeving-volledig")
REF = header_field(MESSAGE, "Referentienummer")


def test_a_message_that_is_sent_arrives_at_the_service_of_its_addressee(template: Path, tmp_path: Path) -> None:
    folder = copied(template, tmp_path / "instance")
    with listening(folder, "energie", tmp_path / "taken") as service:
        edit_parties(folder, energie={"push": service.url})
        with hub_on(folder) as hub:
            hub.party("gemeente").send(MESSAGE)
            assert service.wait_for("received")["referentienummer"] == REF
            assert list(service.messages) == [REF]
            deadline = time.monotonic() + 10
            while hub.party("energie").waiting() and time.monotonic() < deadline:
                time.sleep(0.02)
            assert hub.party("energie").waiting() == []

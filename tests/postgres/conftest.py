"""Without a server these tests are not there."""

from tests.postgres.databases import GIVEN

collect_ignore_glob = [] if GIVEN else ["test_*.py"]

"""`make test-postgres`: the tests of the store, of crashes, of many nodes and of whole conversations on PostgreSQL.

    python -m tests.postgres [arguments of pytest]

On the server of DATABASE_URL, whose user may create databases; else on one that is made for this run and thrown away.
"""

import os
import subprocess
import sys
from contextlib import ExitStack

from tests.postgres.cluster import NotInstalled, cluster, ended_by_signals

_ACCEPTANCE = ("addressed", "bridging", "configuration_journal", "conversation", "crash", "drain", "encrypted",
               "every_set_network", "evidence", "limits_served", "order", "sealed")
_TESTS = ("tests/postgres", "tests/contract", *(f"tests/acceptance/test_{name}.py" for name in _ACCEPTANCE),
          *(f"tests/mtom/test_{name}.py" for name in ("way_in", "way_out", "others")),
          "tests/push", "tests/cli/test_operator.py", "tests/cli/test_switches.py")


def main(arguments: list[str]) -> int:
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        url = os.environ.get("DATABASE_URL")
        if url is None:
            try:
                url = stack.enter_context(cluster()).url
            except NotInstalled as error:
                print(error, file=sys.stderr)
                return 1
        chosen = arguments if any(one.startswith("tests") for one in arguments) else [*_TESTS, *arguments]
        command = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *chosen]
        return subprocess.run(command, check=False, env={**os.environ, "DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

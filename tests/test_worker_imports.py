"""What a worker carries in memory: nothing that only a terminal or a developer needs."""

import subprocess
import sys


def test_a_worker_imports_no_pretty_printer_and_leaves_it_to_be_imported_by_others():
    code = ("import sys, gateway.app.hub\n"
            "carried = {'rich', 'pygments', 'typer', 'xmlschema', 'zeep', 'signxml', 'alembic'} & set(sys.modules)\n"
            "import rich.console\n"
            "print(sorted(carried))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

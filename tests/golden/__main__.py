"""`python -m tests.golden --write` writes the golden octets anew; without --write it says which would change."""

import sys
import tempfile
from pathlib import Path

from tests.golden.cases import FOLDER, make_cases


def main(arguments: list[str]) -> int:
    """1 when anything differs and was not written; 2 for wrong use."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python -m tests.golden [--write]\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        made = make_cases(Path(folder))
    changed = [name for name, octets in made.items() if _read(name) != octets]
    gone = sorted(path.name for path in FOLDER.glob("*.xml") if path.name not in made)
    if arguments:
        FOLDER.mkdir(exist_ok=True)
        for name in changed:
            (FOLDER / name).write_bytes(made[name])
        for name in gone:
            (FOLDER / name).unlink()
    for name in changed + gone:
        sys.stdout.write(f"{'written' if arguments else 'differs'} {name}\n")
    return 1 if changed + gone and not arguments else 0


def _read(name: str) -> bytes | None:
    path = FOLDER / name
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

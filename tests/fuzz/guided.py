"""The process that libFuzzer drives, by way of atheris: gateway/ is instrumented, inputs are recipes.

Started by tests/fuzz/__main__.py:  python -m tests.fuzz.guided TEMPLATE FINDINGS SEEDS [arguments of libFuzzer]
"""

import json
import shlex
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["gateway"]):
    from tests.fuzz.doors import Doors, Finding, name_of
    from tests.fuzz.mutate import mutate
    from tests.fuzz.recipe import Recipe, read, write

_TOLD = 500  # inputs between two reports to the parent


def main(template: Path, findings: Path, seeds: Path, arguments: list[str]) -> None:
    doors = Doors(template=template)
    others = [read(path.read_bytes()) for path in sorted(seeds.iterdir())]
    told: set[str] = set()
    tried = 0

    def one_input(data: bytes) -> None:
        nonlocal tried
        tried += 1
        try:
            doors.check(data)
        except Finding as finding:
            if finding.kind not in told:  # the run goes on: one mistake must not hide the next
                told.add(finding.kind)
                name = name_of(finding.kind, data)
                (findings / f"{name}.input").write_bytes(data)
                (findings / f"{name}.txt").write_text(str(finding), "utf-8")
        if tried % _TOLD == 0:
            (findings / "progress.json").write_text(json.dumps({"tried": tried, "outcomes": doors.outcomes}))

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        recipe = read(data) if data.strip() else random.choice(others)
        changed = mutate(recipe, random, others, raw=lambda one: atheris.Mutate(one, max(max_size, len(one) + 1)))
        made = write(Recipe(fields=changed.fields, octets=changed.octets))
        return made if len(made) <= max_size else data

    # libFuzzer starts itself again to merge, by its first argument and a shell.
    places = map(str, (template, findings, seeds))
    myself = shlex.join((sys.executable, "-m", "tests.fuzz.guided", *places))
    atheris.Setup([myself, *arguments], one_input, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])

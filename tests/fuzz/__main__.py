"""`make fuzz`: the coverage-guided fuzzer over every door, then the differential one; or one finding again.

    python -m tests.fuzz --seconds 60 [--seed N]
    python -m tests.fuzz --replay build/fuzz/….input
    python -m tests.fuzz --keep build/fuzz/gathered

Findings go to build/fuzz/, each cut down as far as it stays the same finding; exit 1 when there is one.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random, SystemRandom

from gateway.app import create_instance
from tests.fuzz import differential
from tests.fuzz.doors import MEMORY, Doors, Finding, name_of
from tests.fuzz.recipe import Recipe, read, write

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
BUILD = ROOT / "build" / "fuzz"
ROUND = 100  # seconds in one process: a new one starts with the corpus, and what libFuzzer hoards is given back
SHARE = 0.85  # of the time, for the guided part
_PULSE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/(\S+).*exec/s: (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--replay", type=Path, help="try one input again and say what becomes of it")
    parser.add_argument("--keep", type=Path, help="make the corpus anew from the inputs in this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as made:
        folder = Path(made)
        template = folder / "template"
        create_instance(template)
        if asked.replay:
            return replay(asked.replay, template)
        if importlib.util.find_spec("atheris") is None:
            print("atheris is not installed for this Python: it has wheels for CPython 3.11 to 3.13 on Linux.\n"
                  "remedy: make fuzz on such a machine, which installs it", file=sys.stderr)
            return 1
        if asked.keep:
            return keep(asked.keep, template, folder)
        seed = SystemRandom().randrange(1, 2**31) if asked.seed is None else asked.seed
        print(f"seed {seed}: make fuzz SECONDS={asked.seconds} SEED={seed} tries the same again", flush=True)
        found = guided(template, folder, seconds=max(10, int(asked.seconds * SHARE)), seed=seed)
        found += compared(template, seconds=max(5, int(asked.seconds * (1 - SHARE))), seed=seed)
    print(f"{len(found)} finding(s)" + "".join(f"\n  {path}\n    again: make fuzz REPLAY={path}" for path in found))
    return 1 if found else 0


def replay(path: Path, template: Path) -> int:
    """0 when the input does no harm, and what became of it; 1 and the finding when it does."""
    data = path.read_bytes()
    try:
        outcome = differential.replay(data, template) if path.name.startswith("differ") else try_alone(data, template)
    except Finding as finding:
        print(finding)
        return 1
    print(outcome)
    return 0


def try_alone(data: bytes, template: Path) -> str:
    """On a hub of its own. Raises Finding."""
    doors = Doors(template=template)
    try:
        return doors.check(data)
    finally:
        doors.close()


# --- guided by coverage ------------------------------------------------------------------------------------------


def guided(template: Path, folder: Path, *, seconds: int, seed: int) -> list[Path]:
    """Rounds of libFuzzer; gives the inputs of the findings."""
    work, raw = folder / "work", folder / "findings"
    work.mkdir()
    raw.mkdir()
    until, tried, outcomes, number = time.monotonic() + seconds, 0, dict[str, int](), 0
    last: tuple[str, ...] = ()
    while (left := int(until - time.monotonic())) > 4:
        command = [sys.executable, "-m", "tests.fuzz.guided", str(template), str(raw), str(CORPUS),
                   f"-seed={seed + number}", f"-max_total_time={min(left, ROUND)}", "-max_len=65536", "-timeout=20",
                   "-rss_limit_mb=3000", f"-artifact_prefix={raw}/native-", str(work), str(CORPUS)]
        with subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              env={**os.environ, "PYTHONHASHSEED": "0"}) as child:
            assert child.stderr
            said, tail = time.monotonic(), list[str]()
            for line in child.stderr:
                tail = [*tail[-30:], line]
                if pulse := _PULSE.search(line):
                    last = pulse.groups()
                if last and time.monotonic() - said > 10:
                    said = time.monotonic()
                    print(f"  {max(0, int(until - said)):4} s left  {progress(last)}", flush=True)
        progressed = raw / "progress.json"
        if progressed.exists():
            facts = json.loads(progressed.read_text())
            tried += facts["tried"]
            outcomes = {name: outcomes.get(name, 0) + facts["outcomes"].get(name, 0)
                        for name in {*outcomes, *facts["outcomes"]}}
            progressed.unlink()
        if child.returncode:
            (raw / f"native-{number}.txt").write_text("".join(tail), "utf-8")
            print("".join(tail), file=sys.stderr)
        number += 1
    print(f"guided: {tried:,} inputs, {tried // max(1, seconds)}/s, {progress(last)}")
    for name, count in sorted(outcomes.items(), key=lambda one: -one[1]):
        print(f"  {count:8,}  {name}")
    return kept(raw, template)


def keep(gathered: Path, template: Path, folder: Path) -> int:
    """Of these inputs, the smallest that together reach what all of them reach become the corpus."""
    kept_there = folder / "kept"
    kept_there.mkdir()
    command = [sys.executable, "-m", "tests.fuzz.guided", str(template), str(folder), str(CORPUS), "-merge=1",
               "-max_len=13000", "-rss_limit_mb=3000", str(kept_there), str(gathered)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    for path in CORPUS.iterdir():
        path.unlink()
    for path in kept_there.iterdir():
        data = path.read_bytes()
        (CORPUS / f"{read(data).door}-{hashlib.sha256(data).hexdigest()[:10]}").write_bytes(data)
    print(f"{len(list(CORPUS.iterdir()))} inputs, {sum(path.stat().st_size for path in CORPUS.iterdir()):,} octets")
    return 0


def progress(pulse: tuple[str, ...]) -> str:
    if not pulse:
        return "no pulse yet"
    return f"coverage {pulse[0]} edges, {pulse[1]} features, corpus {pulse[2]} inputs of {pulse[3]}, {pulse[4]}/s"


def kept(raw: Path, template: Path) -> list[Path]:
    """The findings of a run, cut down, in build/fuzz/."""
    BUILD.mkdir(parents=True, exist_ok=True)
    found = []
    for path in sorted(raw.iterdir()):
        to = BUILD / path.name
        if path.name.startswith("native-"):
            shutil.copy(path, to)
            if path.suffix != ".txt":
                found.append(to)
        elif path.suffix == ".input":
            shutil.copy(path.with_suffix(".txt"), to.with_suffix(".txt"))
            to.write_bytes(cut_down(path.read_bytes(), template))
            found.append(to)
    return found


def cut_down(data: bytes, template: Path, seconds: float = 20) -> bytes:
    """The shortest input found in some time that is the same finding; `data` itself if it needs what came before."""
    def kind(candidate: bytes) -> str | None:
        try:
            try_on.check(candidate)
        except Finding as finding:
            return finding.kind
        return None

    try_on = Doors(template=template)
    wanted, until = kind(data), time.monotonic() + seconds
    if wanted is None or "slow" in wanted or "memory" in wanted:
        return data
    recipe, size = read(data), max(1, len(data) // 2)
    while size and time.monotonic() < until:
        at, shorter = 0, False
        while at < len(recipe.octets) and time.monotonic() < until:
            fewer = Recipe(fields=recipe.fields, octets=recipe.octets[:at] + recipe.octets[at + size:])
            if kind(write(fewer)) == wanted:
                recipe, shorter = fewer, True
            else:
                at += size
        size = size if shorter else size // 2
    try_on.close()
    return write(recipe)


# --- compared with other implementations -------------------------------------------------------------------------


def compared(template: Path, *, seconds: int, seed: int) -> list[Path]:
    """Mutations of signed envelopes: where ours accepts, signxml and xmlsec1 must."""
    bench = differential.Bench(template=template)
    seeds = [read(path.read_bytes()) for path in sorted(CORPUS.iterdir())]
    random, until, found = Random(seed), time.monotonic() + seconds, dict[str, Path]()
    while time.monotonic() < until:
        data = differential.draw(seeds, random)
        try:
            bench.check(data)
        except Finding as finding:
            if finding.kind not in found:
                BUILD.mkdir(parents=True, exist_ok=True)
                path = BUILD / f"{name_of(finding.kind, data)}.input"
                path.write_bytes(data)
                path.with_suffix(".txt").write_text(str(finding), "utf-8")
                found[finding.kind] = path
    print(f"differential: {bench.tried:,} inputs, {bench.accepted:,} accepted by all of ours, signxml"
          + (" and xmlsec1" if differential.XMLSEC1 else "; xmlsec1 is not installed"))
    return list(found.values())


if __name__ == "__main__":
    sys.exit(main())

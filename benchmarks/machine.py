"""What machine this is, and whether it is quiet."""

import os
import platform
import sqlite3
import ssl
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend
from lxml import etree

ROOT = Path(__file__).parent.parent
_QUIET = 0.1  # of all processors, that others may use
_LOOK_SECONDS = 1.0


def facts() -> dict[str, object]:
    """Where and when; `busy` is the share of all processors that others used while this looked."""
    busy = _busy()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(), "processor": _processor(),
        "cores": os.cpu_count(), "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "openssl_tls": ssl.OPENSSL_VERSION, "openssl_signatures": backend.openssl_version_text(),
        "libxml2": ".".join(map(str, etree.LIBXML_VERSION)), "sqlite": sqlite3.sqlite_version,
        "load_average": os.getloadavg()[0], "busy": busy, "quiet": busy <= _QUIET,
    }


def _busy() -> float:
    before = _ticks()
    time.sleep(_LOOK_SECONDS)
    after = _ticks()
    idle, total = (after[place] - before[place] for place in (0, 1))
    return round(1 - idle / total, 3)


def _ticks() -> tuple[int, int]:
    """Idle (waiting for disks included) and all, since the machine began."""
    fields = [int(one) for one in Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit that is measured, and whether files differ from it."""
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
                           check=False)
    return asked.stdout.strip() or "unknown"

"""When is a process that was killed dead?"""

import os
from pathlib import Path


def dead(pid: int) -> bool:
    """So that its parent can bury it. The first thread is a zombie ("Z") before the others have ended: until then the
    parent is told that the process runs.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        return state in "ZX" and len(os.listdir(f"/proc/{pid}/task")) == 1
    except (FileNotFoundError, ProcessLookupError):
        return True

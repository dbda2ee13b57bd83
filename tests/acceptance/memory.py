"""What a process holds in memory at this moment, read by the kernel's own door: every page it may write."""

import re
from pathlib import Path

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (rw\S\S) ")


def writable(pid: int) -> list[bytes]:
    """The contents of the process' writable mappings: heap, arenas, stacks, data; all that a core file would hold."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            mapping = _MAPPING.match(line)
            if mapping is None:
                continue
            begin, end = int(mapping[1], 16), int(mapping[2], 16)
            memory.seek(begin)
            try:
                found.append(memory.read(end - begin))
            except OSError:  # a mapping of the kernel's own, or one that went since
                continue
    return found


def spellings(text: str) -> tuple[bytes, ...]:
    """How this text may lie in memory: as it came, and as Python keeps characters beyond Latin-1."""
    return text.encode(), text.encode("utf-16-le")


def found_in(parts: list[bytes], text: str) -> list[bytes]:
    """Each place where the text is, with a little of what stands around it."""
    return [part[max(0, place.start() - 60):place.end() + 40]
            for part in parts for octets in spellings(text) if octets in part
            for place in re.finditer(re.escape(octets), part)]

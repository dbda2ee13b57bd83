"""structlog, as this process needs it: JSON lines, and no pretty printer.

Its pretty printer takes rich where there is one, and it is always imported. A worker that never prints prettily would
carry 64 modules for it: 3.7 MB and 60 ms of its start. Where rich is here already, as in the command, nothing changes.
"""

import sys

_ABSENT = "rich" not in sys.modules
if _ABSENT:
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python says that there is none
try:
    import structlog
finally:
    if _ABSENT:
        del sys.modules["rich"]

__all__ = ["structlog"]

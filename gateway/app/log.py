"""What happened, as structured lines on stderr and as counters. Ids, parties, codes and durations; never content."""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Mapping

import structlog

_QUIET = frozenset({"answered"})  # counted, not written: one line per message would drown the rest
_LEVELS = {"mistake": "error", "worker-not-started": "error", "refusal-not-journaled": "error",
           "trust-not-renewed": "error",
           "parties-not-renewed": "error"}


class Log:
    """Implements ports.Observe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[tuple[str, str]] = Counter()  # (event, action or code)
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )

    def __call__(self, event: str, facts: Mapping[str, object]) -> None:
        with self._lock:
            self.counts[event, str(facts.get("action") or facts.get("code") or "")] += 1
        if event in _QUIET:
            return
        shown = dict(facts)
        error = shown.pop("error", None)
        if isinstance(error, BaseException):
            shown["error"] = type(error).__name__
            if event == "mistake":
                shown["where"] = _where(error)  # the place in our code, not the message: that may quote a document
            else:
                shown["detail"] = str(error)
        elif error is not None:
            shown["error"] = error
        getattr(self._logger, _LEVELS.get(event, "info"))(event, **shown)


def _where(error: BaseException) -> list[str]:
    trace, lines = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return lines[-8:]

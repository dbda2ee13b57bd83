"""What happened, as structured lines on stderr and as counters. Ids, parties, codes and durations; never content."""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from traceback import walk_tb

from gateway.app.structlog_import import structlog

# Counted, not written: a line for each would drown the rest.
_QUIET = frozenset({"answered", "turned-away", "connection-refused", "checkpoint", "time-stamp", "pushed"})
_ERRORS = frozenset({
    "mistake", "worker-not-started", "refusal-not-journaled", "answer-not-signed", "trust-not-renewed",
    "parties-not-renewed", "crl-not-fetched", "crl-lapsing", "ocsp-revoked",
    "tolerances-not-written", "checkpoint-not-written", "time-stamp-not-made", "configuration-not-journaled",
    "notification-not-made", "push-not-claimed", "push-not-settled", "push-not-given-back", "push-unfinished",
    "duty-failed", "duty-lost", "duty-not-kept", "duty-not-settled", "switches-not-renewed"})


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
        (self._logger.error if event in _ERRORS else self._logger.info)(event, **shown)


def _where(error: BaseException) -> list[str]:
    return [f"{frame.f_code.co_filename.rpartition('/')[2]}:{line} {frame.f_code.co_name}"
            for frame, line in walk_tb(error.__traceback__)][-8:]

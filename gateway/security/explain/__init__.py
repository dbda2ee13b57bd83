"""Explain my fault: why a message is refused, check by check, and what to change (docs/explain.md).

Pure and bounded. A diagnosis names a cause by a stable id; its words stand in `words`. It never holds a value of the
message: where the hub saw one thing and expected another, the two are compared here and only the outcome leaves.
"""

from gateway.security.explain.case import Budget, Known, Sent
from gateway.security.explain.engine import CHECKS, Explanation, diagnose, hub_budget, local_budget
from gateway.security.explain.timestamp import stated_created
from gateway.security.explain.words import TITLES, WORDS, tell

__all__ = [
    "CHECKS", "TITLES", "WORDS", "Budget", "Explanation", "Known", "Sent", "diagnose", "hub_budget",
    "local_budget", "stated_created", "tell",
]

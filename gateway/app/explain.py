"""Explaining a refused envelope: what the engine of `security` is told about this instance, and its words for people."""

from datetime import datetime
from pathlib import Path

from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.sets import catalog_in
from gateway.app.trust import LiveTrust
from gateway.errors import GatewayError
from gateway.pipeline import speaks_for, takes_certificate
from gateway.security import (
    TITLES,
    Explanation,
    Known,
    SecurityPolicy,
    Sent,
    Usage,
    diagnose,
    local_budget,
    stated_created,
    tell,
)
from gateway.settings import Limits as ClockLimits
from gateway.soap import Limits
from gateway.values import Explained

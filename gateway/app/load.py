"""What this process is busy with, as figures for Prometheus (docs/operations.md)."""

from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from gateway.storage import Store
from gateway.transport import Load, Quota


def load_metrics(load: Load, quota: Quota, store: Store) -> Iterable[Metric]:
    """Queues and memory of this process at this moment; what they turned away is among its events."""
    for name, text, value in (
        ("gateway_requests_waiting", "Requests that wait for a thread", load.waiting),
        ("gateway_requests_running", "Requests in a thread", load.running),
        ("gateway_octets_in_flight", "Octets of requests and answers in memory", load.octets),
        ("gateway_connections", "Open connections on the SOAP port", quota.connections),
        ("gateway_commits_waiting", "Works that wait for a commit", store.waiting),
    ):
        yield GaugeMetricFamily(name, text, value=value)

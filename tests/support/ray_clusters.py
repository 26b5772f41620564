"""Ray's own cluster of two nodes on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def two_nodes() -> Iterator[str]:
    """The address of a cluster that lasts as long as the fixture; skips where Ray is not installed."""
    utilities = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: pip install 'perception[ray]'")
    cluster = utilities.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()

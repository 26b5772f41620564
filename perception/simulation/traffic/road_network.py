"""A street plan as a SUMO network: the plan in SUMO's plain XML, built by its ``netconvert``."""

from __future__ import annotations

import importlib
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from perception.errors import PerceptionError, UsageError
from perception.simulation.traffic.streets import Street, StreetPlan

_OPTIONS = (
    "--no-turnarounds",
    "--offset.disable-normalization",
    *("--default.junctions.radius", "6"),
    *("--junctions.corner-detail", "7"),
    *("--junctions.internal-link-detail", "30"),
    *("--tls.cycle.time", "44"),
    *("--tls.yellow.time", "3"),
    *("--tls.allred.time", "2"),
    *("--tls.crossing-min.time", "4"),
    *("--tls.crossing-clearance.time", "4"),
    *("--crossings.guess.speed-threshold", "0"),
)
_ALLOWED = {
    "walk": {"allow": "pedestrian"},
    "cycle": {"allow": "bicycle"},
    "park": {"allow": "custom1"},
    "drive": {"disallow": "pedestrian tram rail rail_urban rail_electric ship custom1"},
}
_CROSSING_WIDTH_M = 3.6


def sumo_module(name: str) -> ModuleType:
    """SUMO's Python module ``name``; raises ``UsageError`` naming what to install where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise _missing(name) from error


def require_sumo() -> None:
    """Raises as ``sumo_module`` where SUMO is missing, without loading it into this process."""
    if find_spec("libsumo") is None:
        raise _missing("libsumo")


def _missing(name: str) -> UsageError:
    return UsageError(
        f"Simulated drives need SUMO, and its module {name} is not installed: run pip install 'perception[simulation]'."
    )


def build_network(plan: StreetPlan, folder: Path) -> Path:
    """Write the network of ``plan`` into ``folder`` and return its file.

    Edges are named ``start-end`` by the numbers of their junctions. Raises ``UsageError`` when SUMO is not installed
    and ``PerceptionError`` when it cannot build the network.
    """
    binary = Path(sumo_module("sumo").SUMO_HOME) / "bin" / "netconvert"
    network = folder / "town.net.xml"
    files = {"node": _nodes(plan), "edge": _edges(plan), "connection": _crossings(plan)}
    command = [str(binary), *_OPTIONS, "--output-file", str(network)]
    for name, root in files.items():
        path = folder / f"town.{name}.xml"
        ElementTree.ElementTree(root).write(path, encoding="utf-8")
        command += [f"--{name}-files", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PerceptionError(f"SUMO's netconvert cannot be started ({error.strerror}): install SUMO again.") from error
    if done.returncode or not network.is_file():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise PerceptionError(f"SUMO's netconvert could not build the town ({reason}); use another seed.")
    return network


def edge_name(start: int, end: int) -> str:
    """The name of the roadway from one junction to another."""
    return f"{start}-{end}"


def _nodes(plan: StreetPlan) -> ElementTree.Element:
    root = ElementTree.Element("nodes")
    for junction, position_m in enumerate(plan.junctions_m):
        priorities = {street.kind.priority for street in plan.streets_at(junction)}
        is_equal = len(priorities) == 1 and max(priorities) <= 3
        kind = "traffic_light" if plan.is_lit[junction] else "right_before_left" if is_equal else "priority"
        _add(root, "node", id=junction, x=f"{position_m[0]:.3f}", y=f"{position_m[1]:.3f}", type=kind)
    return root


def _edges(plan: StreetPlan) -> ElementTree.Element:
    root = ElementTree.Element("edges")
    for street in plan.streets:
        for start, end, line_m in (
            (street.start, street.end, street.middle_m),
            (street.end, street.start, street.middle_m[::-1]),
        ):
            kind = street.kind
            edge = _add(
                root,
                "edge",
                id=edge_name(start, end),
                **{"from": start, "to": end},
                numLanes=len(kind.lanes),
                speed=f"{kind.speed_limit_kmh / 3.6:.3f}",
                priority=kind.priority,
                spreadType="right",
                shape=" ".join(f"{x:.3f},{y:.3f}" for x, y in line_m),
            )
            for index, (use, width_m) in enumerate(kind.lanes):
                _add(edge, "lane", index=index, width=width_m, **_ALLOWED[use])
    return root


def _crossings(plan: StreetPlan) -> ElementTree.Element:
    """A crossing over each street at each junction, one where only two meet, so that all pavements are connected."""
    root = ElementTree.Element("connections")
    for junction in range(len(plan.junctions_m)):
        streets = plan.streets_at(junction)
        for street in streets if len(streets) > 2 else streets[:1]:
            _add(root, "crossing", node=junction, edges=_both_ways(street), width=_CROSSING_WIDTH_M, priority="true")
    return root


def _both_ways(street: Street) -> str:
    return f"{edge_name(street.start, street.end)} {edge_name(street.end, street.start)}"


def _add(parent: ElementTree.Element, tag: str, **attributes: Any) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})

"""SUMO's simulation of one town, step by step; SUMO allows one of them in a process, so each has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perception.errors import PerceptionError
from perception.simulation.traffic.motion import Snapshot
from perception.simulation.traffic.road_network import sumo_module
from perception.simulation.world import SignalColour

STEP_S = 0.1

_OPTIONS = (
    *("--step-length", str(STEP_S)),
    *("--lateral-resolution", "0.4"),
    *("--time-to-teleport", "-1"),
    *("--collision.action", "none"),
    *("--max-depart-delay", "25"),
    *("--ignore-junction-blocker", "8"),
    *("--time-to-impatience", "15"),
    *("--pedestrian.striping.jamtime", "-1"),
    *("--pedestrian.striping.jamtime.crossing", "-1"),
    *("--pedestrian.striping.jamtime.narrow", "-1"),
    "--step-method.ballistic",
    "--no-step-log",
    "--no-warnings",
)
_COLOURS: dict[str, SignalColour] = {
    "r": "red",
    "u": "red-yellow",
    "g": "green",
    "G": "green",
    "s": "green",
    "y": "yellow",
    "Y": "yellow",
}
_RED_YELLOW_S = 1.0
_RIGHT, _LEFT, _HAZARD, _BRAKE = 1, 2, 4, 8
"""Bits of SUMO's vehicle signals."""


class Sumo:
    """A running simulation, the only one of a process, which it needs to the end.

    Raises ``UsageError`` when SUMO is not installed, ``PerceptionError`` when it rejects the network or the routes.
    """

    def __init__(self, network: Path, routes: Path, seed: int) -> None:
        self._sumo: Any = sumo_module("libsumo")
        files = ["--net-file", str(network), "--route-files", str(routes), "--seed", str(seed % 2**31)]
        try:
            self._sumo.start(["sumo", *files, *_OPTIONS])
        except Exception as error:  # libsumo raises exceptions of several unrelated kinds
            raise PerceptionError(f"SUMO could not start the traffic ({error}); use another seed.") from error
        self._phases = {
            light: [str(phase.state) for phase in self._sumo.trafficlight.getAllProgramLogics(light)[0].phases]
            for light in self._sumo.trafficlight.getIDList()
        }

    def step(self, count: int = 1) -> None:
        """Move the world on by ``count`` times ``STEP_S``; raises ``PerceptionError`` when SUMO fails."""
        try:
            for _ in range(count):
                self._sumo.simulationStep()
        except Exception as error:
            raise PerceptionError(f"SUMO stopped the traffic ({error}); use another seed.") from error

    def advance(self, links: tuple[tuple[str, int], ...]) -> tuple[Snapshot, list[SignalColour]]:
        """One step, and the world after it: ``snapshot`` and ``signals``."""
        self.step()
        return self.snapshot(), self.signals(links)

    def snapshot(self) -> Snapshot:
        """Where everyone is now."""
        vehicle, person = self._sumo.vehicle, self._sumo.person
        vehicles, persons = vehicle.getIDList(), person.getIDList()
        rows = np.array([int(name) for name in (*vehicles, *persons)], dtype=np.int64)
        order = np.argsort(rows)
        parts = [(vehicle, name) for name in vehicles] + [(person, name) for name in persons]
        fronts_m = np.array([part.getPosition(name) for part, name in parts]).reshape(-1, 2)
        # SUMO's angles are degrees, clockwise from north.
        yaws_rad = np.deg2rad(90.0 - np.array([part.getAngle(name) for part, name in parts]))
        speeds_mps = np.array([part.getSpeed(name) for part, name in parts])
        lamps = np.array([vehicle.getSignals(name) for name in vehicles] + [0] * len(persons), dtype=np.int64)
        is_left, is_right = (lamps & _LEFT) > 0, (lamps & _RIGHT) > 0
        is_both = ((lamps & _HAZARD) > 0) | (is_left & is_right)
        indicators = np.where(is_both, 2, is_left.astype(np.int64) - is_right)
        return Snapshot(
            rows=rows[order],
            fronts_m=fronts_m[order],
            yaws_rad=yaws_rad[order],
            speeds_mps=speeds_mps[order],
            is_braking=((lamps & _BRAKE) > 0)[order],
            indicators=indicators[order],
        )

    def signals(self, links: tuple[tuple[str, int], ...]) -> list[SignalColour]:
        """The colours at the links (traffic light, index) now; the last second of red is red and yellow."""
        light = self._sumo.trafficlight
        names = sorted({name for name, _ in links})
        states = {name: str(light.getRedYellowGreenState(name)) for name in names}
        following = {}
        now_s = self._sumo.simulation.getTime()
        for name in names:
            is_soon = light.getNextSwitch(name) - now_s <= _RED_YELLOW_S
            phases = self._phases[name]
            following[name] = phases[(light.getPhase(name) + 1) % len(phases)] if is_soon else states[name]
        return [
            "red-yellow"
            if states[name][link] == "r" and following[name][link] in "gG"
            else _COLOURS.get(states[name][link], "off")
            for name, link in links
        ]

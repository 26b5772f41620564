"""Where annotated objects of nuScenes went, as the devkit's ``PredictHelper.get_future_for_agent`` finds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.sources.datasets.nuscenes import do_not_fit, scene_of
from perception.sources.datasets.nuscenes_tables import Row, Tables, open_tables
from perception.sources.truth.challenge_truth import TrueFutures, WantedFutures
from perception.taxonomy import label_of

BUFFER_S = 0.15
"""So much later than the last wanted time an annotation may be, as in the devkit."""

LONGEST_STEP_S = 1.5
"""A velocity is that since the annotation before, where this is not longer ago; as in the devkit."""


def read_futures(folder: Path, scene: str | None, wanted: WantedFutures) -> TrueFutures:
    """The futures of instances after samples, those of one scene only where it is named.

    Raises ``UsageError`` for an instance that is not annotated in its sample, and naming a table that is wrong.
    """
    tables = open_tables(folder)
    try:
        return _futures(folder, tables, scene, wanted)
    except KeyError as error:
        raise do_not_fit(tables, error) from error
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{tables.folder}: a row holds what cannot be right ({error}); copy the tables again."
        ) from error


def _futures(folder: Path, tables: Tables, scene: str | None, wanted: WantedFutures) -> TrueFutures:
    only = None if scene is None else scene_of(folder, tables, scene)["token"]
    names = {row["token"]: str(row["name"]) for row in tables.scenes.values()}
    found = TrueFutures.unknown(wanted)
    for row, (sample, instance) in enumerate(zip(wanted.scenes.tolist(), wanted.objects.tolist(), strict=True)):
        if sample not in tables.samples or only not in (None, tables.samples[sample]["scene_token"]):
            continue
        path = tables.annotations_of_instance.get(instance, ())
        at = next((number for number, one in enumerate(path) if one["sample_token"] == sample), None)
        if at is None:
            raise UsageError(
                f"{wanted.where[row]}: the instance {instance} is not annotated in the sample {sample}; name another."
            )
        times_s = _times_s(tables, path)
        positions_m = np.array([one["translation"][:2] for one in path], np.float64)
        found.is_known[row] = True
        found.recordings[row] = names[tables.samples[sample]["scene_token"]]
        label = label_of(tables.category_of_instance[instance])
        found.labels[row] = -1 if label is None else label
        found.positions_m[row] = positions_m[at]
        if at and times_s[at] - times_s[at - 1] <= LONGEST_STEP_S:
            found.velocities_mps[row] = (positions_m[at] - positions_m[at - 1]) / (times_s[at] - times_s[at - 1])
        after = slice(at + 1, at + 1 + wanted.steps)
        is_near = times_s[after] - times_s[at] < wanted.steps * wanted.dt_s + BUFFER_S
        if is_near.sum() == wanted.steps:
            found.futures_m[row] = positions_m[after]
    return found


def _times_s(tables: Tables, path: Sequence[Row]) -> FloatArray:
    times: FloatArray = np.array([int(tables.samples[one["sample_token"]]["timestamp"]) * 1e-6 for one in path])
    return times

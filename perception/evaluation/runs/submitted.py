"""The predictions of a challenge's file beside what truly happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError, counted
from perception.evaluation.forecasting.challenge import ChallengeReport, ChallengeTargets, evaluate_challenge
from perception.evaluation.runs.truth import find_datasets
from perception.results.formats.submissions.submission import Submission
from perception.sources.truth.challenge_truth import TrueFutures, WantedFutures
from perception.taxonomy import CLASSES

_FARTHEST_M = 200.0
"""No object is so far from its place a step later."""

_GROUPS = {"focal tracks": ("focal",), "focal and scored tracks": ("focal", "scored")}
"""Of Argoverse, which scores the first alone and all of them in two challenges."""


@dataclass(frozen=True)
class SubmittedReports:
    """A report for each group of targets, and sentences on the file."""

    reports: tuple[ChallengeReport, ...]
    notes: tuple[str, ...]


def evaluate_submission(
    found: Submission, path: Path, truth: str | Path, *, rng: np.random.Generator, classes: Sequence[str] | None = None
) -> SubmittedReports:
    """Compare the predictions in ``path`` with ``truth``: a data set, one recording of it, or a pattern.

    Only objects of ``classes`` count, where these are given. Raises ``UsageError`` naming what is wrong, and where the
    two have nothing in common.
    """
    futures = _true_futures(found, path, truth)
    if not futures.is_known.any():
        raise UsageError(
            f"{path}: none of its {counted(len(found), 'prediction')} is of {truth}; give the two together."
        )
    _check_place(found, futures, path)
    notes = [*found.notes]
    lost = int((~futures.is_known).sum())
    if lost:
        notes.append(
            f"{path}: {lost:,} of {counted(len(found), 'prediction')} are of recordings that the truth does not have."
        )
    counts = futures.is_known.copy()
    if classes is not None:
        counts &= np.isin(futures.labels, [CLASSES.index(name) for name in classes])
    unscored = int((counts & (futures.kinds == "unscored")).sum())
    if unscored:
        notes.append(f"{path}: of tracks that Argoverse does not score, {counted(unscored, 'prediction')} left out.")
    groups = {"all objects": counts}
    if found.protocol == "argoverse":
        groups = {name: counts & np.isin(futures.kinds, kinds) for name, kinds in _GROUPS.items()}
        if not (counts & (futures.kinds == "scored")).any():
            groups = {"focal tracks": groups["focal tracks"]}
    reports = [_report(found, futures, chosen, name, rng) for name, chosen in groups.items()]
    return SubmittedReports(tuple(reports), tuple(notes))


def _true_futures(found: Submission, path: Path, truth: str | Path) -> TrueFutures:
    keys = zip(found.scenes.tolist(), found.objects.tolist(), strict=True)
    is_listed = found.protocol == "nuscenes"
    wanted = WantedFutures(
        scenes=found.scenes,
        objects=found.objects,
        where=[f"{path}, entry {row}" if is_listed else f"{path}" for row, _ in enumerate(keys)],
        steps=found.positions_m.shape[2],
        dt_s=found.dt_s,
    )
    futures = TrueFutures.unknown(wanted)
    for dataset in find_datasets(truth):
        if dataset.format.futures is None:
            raise UsageError(
                f"{truth}: does not name its objects as the predictions do; give the data set they are of.",
                field="truth",
            )
        futures = futures.with_known_of(dataset.format.futures(dataset.folder, dataset.drive, wanted))
    return futures


def _check_place(found: Submission, futures: TrueFutures, path: Path) -> None:
    """Raise ``UsageError`` where most predictions begin where their objects cannot be."""
    likeliest = found.probabilities.argmax(axis=1)
    begin_m = found.positions_m[np.arange(len(found)), likeliest, 0]
    apart_m = float(np.median(np.linalg.norm(begin_m - futures.positions_m, axis=1)[futures.is_known]))
    if apart_m > _FARTHEST_M:
        raise UsageError(
            f"{path}: the predictions begin {apart_m:,.0f} m from their objects; give x and y in metres in the world "
            "of the data set."
        )


def _report(
    found: Submission, futures: TrueFutures, chosen: NDArray[np.bool_], name: str, rng: np.random.Generator
) -> ChallengeReport:
    rows = np.flatnonzero(chosen & futures.is_whole)
    objects = np.stack([futures.recordings, found.objects], axis=1)[rows]
    _, numbers = np.unique(objects, axis=0, return_inverse=True)
    return evaluate_challenge(
        ChallengeTargets(
            probabilities=found.probabilities[rows],
            means_m=found.positions_m[rows],
            mode_counts=found.mode_counts[rows],
            futures_m=futures.futures_m[rows],
            positions_m=futures.positions_m[rows],
            velocities_mps=futures.velocities_mps[rows],
            objects=numbers.reshape(-1).astype(np.int64),
        ),
        protocol=found.protocol,
        targets=name,
        dt_s=found.dt_s,
        recording_count=len(np.unique(futures.recordings[rows])),
        without_future_count=int((chosen & ~futures.is_whole).sum()),
        rng=rng,
    )

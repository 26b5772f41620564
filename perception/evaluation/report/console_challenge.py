"""The figures of public forecasting challenges as tables."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from perception.errors import counted
from perception.evaluation.forecasting.challenge import MISS_M, ChallengeReport, Protocol, TopKScores
from perception.evaluation.report.console_layout import (
    NONE,
    comparison_cell,
    counts_line,
    make_table,
    percent,
    print_heading,
    print_note,
    print_table,
)

_TITLES: Mapping[Protocol, str] = {
    "nuscenes": "nuScenes' prediction challenge",
    "argoverse": "Argoverse 2's forecasting challenge",
}

_LEGENDS: Mapping[Protocol, str] = {
    "nuscenes": "In metres, by the definitions of nuScenes' devkit; without its map, so no off-road rate. Top k: of "
    f"the k most probable paths the best. Missed: each of them is somewhere at least {MISS_M:g} m away.",
    "argoverse": "In metres, by the definitions of av2. Top k: of the k most probable paths the best, for each figure "
    "by itself; minADE of end: of the path with the best end, as on the leaderboard. Missed: each of them ends more "
    f"than {MISS_M:g} m away. Brier: brier-minFDE.",
}


def print_challenge(report: ChallengeReport, console: Console, *, has_legend: bool) -> None:
    """Errors of the k most probable paths beside predictions that need no training."""
    detail = f"{_TITLES[report.protocol]}, {report.targets}, {report.horizon_s:g} s ahead"
    print_heading(console, "Forecasting", detail)
    is_argoverse = report.protocol == "argoverse"
    further = ("minADE\nof end", "Brier") if is_argoverse else ()
    table = make_table("Paths", "minADE", "minFDE", "Missed\n%", *further)
    rows = {**{f"top {scores.k}": scores for scores in report.top_k}, **report.baselines}
    for name, scores in rows.items():
        if name in report.baselines and scores is next(iter(report.baselines.values())):
            table.add_section()
        table.add_row(name, *_cells(scores, is_argoverse=is_argoverse))
    print_table(console, table)
    if has_legend:
        print_note(console, f"{_LEGENDS[report.protocol]} CV: constant velocity of the true object; stays: no motion.")
    if report.top_k:
        last = report.top_k[-1].k
        print_note(
            console,
            f"minFDE over that of the better baseline ({report.fde_baseline}): top 1 "
            f"{comparison_cell(report.fde_comparison).plain}, top {last} "
            f"{comparison_cell(report.best_fde_comparison).plain}; [95% interval], by bootstrap over objects.",
        )
    print_note(
        console,
        f"{counted(report.target_count, 'target')}, {counted(report.object_count, 'object')}, "
        f"{counted(report.recording_count, 'recording')}. "
        + counts_line((report.without_future_count, "prediction", "without a whole true future left out")),
    )


def _cells(scores: TopKScores, *, is_argoverse: bool) -> list[Text]:
    values = [_metres(scores.min_ade_m), _metres(scores.min_fde_m), percent(scores.miss_rate)]
    return values + [_metres(one) for one in (scores.best_end_ade_m, scores.brier_min_fde_m) if is_argoverse]


def _metres(value: float | None) -> Text:
    return NONE if value is None else Text(f"{value:.3f}" if value < 100 else f"{value:.1f}")

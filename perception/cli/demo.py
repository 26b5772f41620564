"""``perception demo``: from a recorded video to boxes, identities and futures."""

from __future__ import annotations

from perception.cli.options import command
from perception.cli.terminal import Terminal
from perception.pipeline.config import RunConfig


@command(RunConfig)
def demo(config: RunConfig, terminal: Terminal) -> None:
    """Detect, track and forecast the road users in a recording; writes video, tables and a report."""
    from contextlib import closing

    from perception.cli.session import finish, run_configured
    from perception.evaluation import RunRecorder
    from perception.pipeline.inputs import open_configured_source, with_bundled_source
    from perception.runtime.evaluate import DEMO_EVAL_CONFIG, match_truth, read_ground_truth, report_on

    config = with_bundled_source(config)
    recorder = RunRecorder()
    with closing(open_configured_source(config)) as source:
        recording = config.source[0] if len(config.source) == 1 and not source.is_live else None
        truth = None if recording is None else read_ground_truth(recording)
        on_scene = None if truth is None else recorder.add
        built, result = run_configured("demo", config, source, terminal, prefetch=True, on_scene=on_scene)
    report = result.latency_report()
    if truth is not None and recording is not None and result.stats.failure is None:
        run = match_truth(
            recorder.tables(),
            truth,
            recording,
            title=result.name,
            eval_config=DEMO_EVAL_CONFIG,
            forecaster=built.pipeline.forecaster,
        )
        report = report_on([run], title=result.name, eval_config=DEMO_EVAL_CONFIG, seed=config.seed, notes=built.notes)
    finish(result, report, terminal)

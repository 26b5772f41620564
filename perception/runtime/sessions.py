"""``demo`` and ``stream`` once their options are read."""

from __future__ import annotations

from contextlib import closing

from perception.errors import UsageError, without_credentials
from perception.evaluation.core.run_tables import RunRecorder
from perception.files import bundled
from perception.pipeline.config import Config, RunConfig, StreamConfig
from perception.runtime.evaluate import report_of, truth_of
from perception.runtime.runner import execute, open_configured
from perception.runtime.summary import finish, latency_report

BUNDLED_RECORDING = "data/recording"


def run_demo(config: RunConfig) -> None:
    """Run over any source, the bundled drive where none is named; measures quality where there is ground truth.

    Raises ``PerceptionError`` when an input is wrong or the run breaks off.
    """
    config = with_bundled_source(config)
    recorder = RunRecorder()
    with closing(open_configured(config)) as source:
        truth = truth_of(config.source[0]) if len(config.source) == 1 and not source.is_live else None
        on_scene = None if truth is None else recorder.add
        finished = execute("demo", config, source, on_scene=on_scene, side_by_side=True)
    report = latency_report(source.name, finished.outcome)
    if truth is not None and finished.outcome.failure is None:
        report = report_of(
            recorder.tables(), truth, config.source[0], title=source.name, config=config, assembly=finished.assembly
        )
    finish(finished, report)


def with_bundled_source(config: Config) -> Config:
    """The bundled drive where no source is named."""
    return config if config.source else config.model_copy(update={"source": [str(bundled(BUNDLED_RECORDING))]})


def run_stream(config: StreamConfig) -> None:
    """Run over a live camera. Raises ``PerceptionError`` when it is not there, is no camera, or breaks off."""
    with closing(open_configured(config)) as source:
        if not source.is_live:
            name = without_credentials(config.source[0])
            raise UsageError(f"--source {name}: is a recording, no camera; run it with perception demo.")
        finished = execute("stream", config, source, duration_s=config.duration_s)
    finish(finished, latency_report(source.name, finished.outcome))

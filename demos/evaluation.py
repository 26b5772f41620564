"""How good is it on my recording? ``python demos/evaluation.py RECORDING`` (with gt.txt or objects.csv)."""

import argparse

import numpy as np
from rich.console import Console

from perception import RunConfig, build_pipeline, open_source, read_objects, read_truth
from perception.evaluation import EvalConfig, EvaluatedRun, RunRecorder, Timeline, evaluate_run, print_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", help="a folder with frames and ground truth")
    parser.add_argument("--forecaster", default="auto", help="auto, constant-velocity or a weights file")
    options = parser.parse_args()

    truth = read_truth(options.recording)
    if truth is None:
        raise SystemExit(f"{options.recording}: has no ground truth")
    source = open_source([options.recording])
    pipeline = build_pipeline(RunConfig(forecaster=options.forecaster, conf=0.01), rig=source.rig).pipeline
    recorder = RunRecorder()
    for scene in pipeline.run(source):
        recorder.add(scene)
    config = EvalConfig(score_threshold=0.25)
    run = EvaluatedRun.of(
        title=options.recording,
        run=recorder.tables(),
        truth=truth,
        objects=read_objects(options.recording),
        timeline=Timeline.of(open_source([options.recording])),
    ).with_gt_tracks(pipeline.forecaster, config.scope)
    print_report(evaluate_run(run, config=config, rng=np.random.default_rng(0)), Console())


if __name__ == "__main__":
    main()

"""How good is it on my recording? ``python demos/evaluation.py RECORDING`` (with gt.txt or objects.csv)."""

import argparse

from rich.console import Console

from perception import RunConfig, UsageError, build_pipeline, evaluate_pipeline, open_source
from perception.evaluation import print_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", help="a folder with frames and ground truth")
    parser.add_argument("--detector", default="auto", help="auto, roadnet, a file, or module:factory")
    parser.add_argument("--forecaster", default="auto", help="auto, constant-velocity or a weights file")
    options = parser.parse_args()

    try:
        rig = open_source([options.recording]).rig
        config = RunConfig(detector=options.detector, forecaster=options.forecaster, conf=0.01)
        pipeline = build_pipeline(config, rig=rig).pipeline
        report = evaluate_pipeline(pipeline, options.recording)
    except UsageError as error:  # such as a recording without ground truth
        raise SystemExit(str(error)) from error
    print_report(report, Console())


if __name__ == "__main__":
    main()

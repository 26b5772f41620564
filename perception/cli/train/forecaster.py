"""``perception train forecaster``: one training, several seeds and folds, or a study made of many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perception.cli.terminal import terminal_of
from perception.cli.train.common import ConsoleReporter, TrainingOptions, resume_hint, training_command
from perception.errors import UsageError

_STUDIES = ("overfitting", "features")


@training_command
def forecaster(
    context: typer.Context,
    options: TrainingOptions,
    detector: Annotated[
        str, typer.Option("--detector", help="RoadNet weights that track the recordings and give the CNN features.")
    ] = "roadnet",
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            help="Number of trainings with consecutive random seeds from --seed, each in its own folder.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            help="overfitting: with and without dropout and weight decay, with 5, 25 and 100 % of the data; features: "
            "without CNN features, with RoadNet's, with one trained jointly, with oracle features.",
        ),
    ] = None,
    from_video: Annotated[
        list[Path] | None,
        typer.Option("--from-video", help="Study of data scaling: pseudo-labels from this unlabelled video or folder."),
    ] = None,
) -> None:
    """Train TrajectoryGRU on JAAD's tracks, on recordings tracked by our own detector, or on a public benchmark."""
    from perception.cpu import prepare_processor
    from perception.detection import DetectionSettings, open_detector
    from perception.pipeline.build import choose_device
    from perception.training.engine.distributed import was_started_by_torchrun
    from perception.training.forecaster.config import ForecasterTraining
    from perception.training.forecaster.data_modules.recordings import RecordingsConfig
    from perception.training.forecaster.training_run import ForecasterTrainer

    if study not in (None, *_STUDIES):
        raise UsageError(f"unknown; give {' or '.join(_STUDIES)}.", field="study", value=study)
    if was_started_by_torchrun():
        raise UsageError("torchrun: only perception train detector shares its work; start this one without it.")
    prepare_processor()
    terminal, root = terminal_of(context), options.root
    training = options.read(ForecasterTraining, seeds=seeds)
    if sum((study is not None, bool(from_video), training.seeds > 1 and study != "features")) > 1:
        raise UsageError(
            "`study`, `from_video` and `seeds`: give only one of them; the study of features takes `seeds`, too."
        )
    chosen, reporter = choose_device(options.device), ConsoleReporter(terminal.out)
    folder = options.folder_for(training, "forecaster")
    again = [folder, *(["--study", study] if study else [])]
    again += [word for path in from_video or () for word in ("--from-video", path)]
    if study == "features":
        from perception.cli.train.study_tables import print_ablation
        from perception.training.experiments.feature_ablation_study import run_feature_ablation
        from perception.weights import bundled_weights

        weights = bundled_weights(detector) or Path(detector)
        with resume_hint(again, root, terminal):
            results = run_feature_ablation(training, root, weights, folder, device=chosen, reporter=reporter)
        print_ablation(results, terminal.out)
        terminal.result(folder)
        return
    size_px = training.data.image_size_px if isinstance(training.data, RecordingsConfig) else None
    opened, origin = open_detector(detector, DetectionSettings(image_size_px=size_px), device=chosen)
    if isinstance(training.data, RecordingsConfig) and training.data.train:
        terminal.say(origin.reason)
    trainer = ForecasterTrainer(root, opened, device=chosen, reporter=reporter)
    with resume_hint(again, root, terminal):
        if from_video:
            from perception.cli.train.study_tables import print_scaling
            from perception.training.experiments.data_scaling import run_scaling_study

            print_scaling(run_scaling_study(trainer, training, from_video, folder), training, terminal.out)
        elif study == "overfitting":
            from perception.cli.train.study_tables import print_overfitting
            from perception.training.experiments.overfitting import run_overfitting_study

            print_overfitting(run_overfitting_study(trainer, training, folder), terminal.out)
        else:
            trainer.train_all(training, folder)
    terminal.result(folder)

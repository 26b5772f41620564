"""The study of overfitting: what each trial changes, and what is read from the histories."""

from __future__ import annotations

from PIL import Image

from perception.training.engine.trainer import TRAINING_LOSS, History, TrainingSettings
from perception.training.experiments.overfitting import SHARES, Trial, TrialResult, plot_study, trial_results, trials
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.image import ImageDataConfig

CONFIG = ForecasterTraining(
    data=ImageDataConfig(), dropout=0.3, settings=TrainingSettings(weight_decay=0.2, patience=4)
)


def _history(losses: list[float], learnt: list[float]) -> History:
    entries = [
        {"step": 10 * (index + 1), "loss": loss, "score": -loss, TRAINING_LOSS: own}
        for index, (loss, own) in enumerate(zip(losses, learnt, strict=True))
    ]
    return History(validation=entries)


def test_each_trial_switches_only_its_own_remedies():
    for trial in trials():
        config = trial.config(CONFIG)
        assert config.data.train_share == trial.share
        assert config.dropout == (0.3 if trial.remedies in ("dropout", "both") else 0.0)
        assert config.settings.weight_decay == (0.2 if trial.remedies in ("weight decay", "both") else 0.0)
        assert config.settings.patience is None
        assert config.settings.steps == CONFIG.settings.steps


def test_trials_are_all_pairs_with_folders_of_their_own():
    every = list(trials())
    assert len(every) == 4 * len(SHARES)
    assert len({trial.name for trial in every}) == len(every)
    assert all("%" not in trial.name and " " not in trial.name for trial in every)


def test_early_stopping_is_read_at_the_best_validation():
    history = _history([3.0, 2.0, 2.5], [2.9, 1.5, 0.5])
    end, stopped = trial_results({Trial("none", 0.05): history})
    assert end == TrialResult("none", 0.05, False, 30, 0.5, 2.5)
    assert stopped == TrialResult("none", 0.05, True, 20, 1.5, 2.0)
    assert end.gap == 2.0
    assert stopped.gap == 0.5


def test_the_picture_is_drawn(tmp_path):
    histories = {trial: _history([3.0, 2.0, 2.5], [2.9, 1.5, 0.5]) for trial in trials()}
    plot_study(histories, tmp_path / "study.png", title="Overfitting")
    with Image.open(tmp_path / "study.png") as image:
        assert image.width > 1000

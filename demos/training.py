"""Gradient descent in a minute: a small GRU learns how objects turn, and beats constant velocity at it.

    python demos/training.py [--steps 300] [--output runs/demo-training]

The paths are made up, so that nothing has to be downloaded: objects drive in circles of many sizes and speeds.
``perception train forecaster`` does the same with real tracks.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from perception.benchmarks import JAAD, Predicted, constant_velocity, predict
from perception.benchmarks.jaad import JaadTracks, from_jaad, protocol
from perception.training.engine.plots import plot_curves
from perception.training.engine.trainer import TrainingSettings, train
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.image import ImageDataConfig, ImageDataModule
from perception.training.forecaster.task import forecaster_task


def circling_objects(count: int, rng: np.random.Generator, boxes: int = 120) -> JaadTracks:
    """Boxes of objects that drive in circles through a 1920x1080 picture at 30 frames per second."""
    time_s = np.arange(boxes) / 30
    turn_rate, radius_px = rng.uniform(-1.5, 1.5, (count, 1)), rng.uniform(50, 300, (count, 1))
    angle = rng.uniform(0, 2 * np.pi, (count, 1)) + turn_rate * time_s
    centre = np.stack([960 + radius_px * np.cos(angle), 540 + radius_px * np.sin(angle)], axis=-1)
    corners = np.concatenate([centre - 40, centre + 40], axis=-1).reshape(-1, 4)
    return JaadTracks(
        boxes_xyxy_px=corners,
        frames=np.tile(np.arange(boxes), count),
        starts=np.arange(count + 1) * boxes,
        videos=np.arange(count),
        sizes_px=np.tile([1920, 1080], (count, 1)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("runs/demo-training"))
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    learnt, held_out = circling_objects(200, rng), circling_objects(40, rng)
    settings = TrainingSettings(
        steps=options.steps, batch_size=64, learning_rate=3e-3, ema_decay=0.99, warmup_steps=20,
        weight_decay=0.01, validate_every=max(1, options.steps // 6), patience=3, half=False,
    )  # fmt: skip
    image_data = ImageDataConfig()
    config = ForecasterTraining(data=image_data, hidden_size=64, dropout=0.1, settings=settings)
    data = ImageDataModule(image_data, config.batches, jaad=from_jaad(learnt), jaad_validation=held_out)
    device = torch.device("cpu")
    task = forecaster_task(config, data, feature_space="", feature_size=1, device=device)
    model, history = train(task, settings, folder=options.output, device=device)

    plot_curves(history, options.output / "curves.png", title="A GRU learns to turn")
    targets = protocol(held_out)

    def error_px(predicted: Predicted) -> float:
        errors = JAAD.errors(predicted, targets.futures(JAAD.steps))
        return float(errors["MSE 1.5 s"].mean()) ** 0.5

    ours, straight = predict(model, targets, JAAD, neighbours=False), constant_velocity(targets, JAAD.steps)
    print(f"error up to 1.5 s, root of the mean square: GRU {error_px(ours):.1f} px, ", end="")
    print(f"constant velocity {error_px(straight):.1f} px")
    print(f"loss curves: {options.output / 'curves.png'}")


if __name__ == "__main__":
    main()

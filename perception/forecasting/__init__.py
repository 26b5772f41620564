"""Where each track will go: TrajectoryGRU, constant velocity beside it, and public benchmarks."""

from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.forecasting.recurrent_forecaster import GruForecaster
from perception.forecasting.registry import BUNDLED_NAMES, OpenedForecaster, open_forecaster, read_gru, save_gru
from perception.forecasting.trajectory_gru import GruConfig, TrajectoryGRU

__all__ = [
    "BUNDLED_NAMES",
    "ConstantVelocityForecaster",
    "GruConfig",
    "GruForecaster",
    "OpenedForecaster",
    "TrajectoryGRU",
    "open_forecaster",
    "read_gru",
    "save_gru",
]

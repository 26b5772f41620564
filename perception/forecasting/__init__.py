"""Where each track will go: TrajectoryGRU, constant velocity beside it, and public benchmarks."""

from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.forecasting.gru import GruConfig, TrajectoryGRU
from perception.forecasting.online import GruForecaster
from perception.forecasting.opening import BUNDLED_NAMES, open_forecaster, read_gru, save_gru

__all__ = [
    "BUNDLED_NAMES",
    "ConstantVelocityForecaster",
    "GruConfig",
    "GruForecaster",
    "TrajectoryGRU",
    "open_forecaster",
    "read_gru",
    "save_gru",
]

"""The library that an array belongs to, for code that serves numpy and PyTorch alike."""

from __future__ import annotations

from typing import Any

import numpy as np


def array_library(array: Any) -> Any:
    """numpy for its arrays and for plain numbers, else torch, which is imported only then."""
    if isinstance(array, (np.ndarray, np.generic, float, int)):
        return np
    import torch

    return torch

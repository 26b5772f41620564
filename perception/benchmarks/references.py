"""Per-window errors that others' released checkpoints make on JAAD's test split, for comparisons in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from perception.benchmarks.split import Errors
from perception.errors import UsageError
from perception.files import read_arrays

_SINGLE = {"MSE 0.5 s": "{}_05", "MSE 1.0 s": "{}_10", "MSE 1.5 s": "{}_15"}
_METHODS: Mapping[str, Mapping[str, str]] = {
    "SGNet-ED, released": {
        **{name: column.format("SGNet_MSE") for name, column in _SINGLE.items()},
        "C_MSE": "SGNet_CMSE",
        "CF_MSE": "SGNet_CFMSE",
    },
    "BiTraP-D, released": {
        **{name: column.format("BiTrapD_ADE") for name, column in _SINGLE.items()},
        "C_MSE": "BiTrapD_C-ADE(1.5)",
        "CF_MSE": "BiTrapD_C_FDE(1.5)",
    },
    "BiTraP-NP, released": {
        f"best {name}": column
        for name, column in {
            **{name: column.format("BiTrapNP_MSE") for name, column in _SINGLE.items()},
            "C_MSE": "BiTrapNP_CMSE",
            "CF_MSE": "BiTrapNP_CFMSE",
        }.items()
    },
}


def read_references(path: Path) -> Mapping[str, Errors]:
    """By method and figure, one error per test window in the protocol's order. Raises ``UsageError``."""
    columns = read_arrays(path, "reference errors")
    found: dict[str, Errors] = {
        method: {name: columns[column].astype(float) for name, column in figures.items() if column in columns}
        for method, figures in _METHODS.items()
    }
    found = {method: errors for method, errors in found.items() if errors}
    if not found:
        raise UsageError(f"{path}: holds no reference errors that are known; expected columns such as SGNet_MSE_15.")
    return found

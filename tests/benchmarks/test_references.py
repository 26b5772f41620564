"""Others' errors per window: which columns are what, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.benchmarks import JAAD, Predicted, read_references
from perception.errors import UsageError


def test_columns_become_figures_of_methods(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez(
        path, **{"SGNet_MSE_05": [1, 2], "SGNet_CFMSE": [3, 4], "BiTrapD_C-ADE(1.5)": [5, 6], "BiTrapNP_MSE_15": [7, 8]}
    )
    found = {
        method: {name: values.tolist() for name, values in errors.items()}
        for method, errors in read_references(path).items()
    }
    assert found == {
        "SGNet-ED, released": {"MSE 0.5 s": [1, 2], "CF_MSE": [3, 4]},
        "BiTraP-D, released": {"C_MSE": [5, 6]},
        "BiTraP-NP, released": {"best MSE 1.5 s": [7, 8]},
    }


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "references.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"references\.npz"):
        read_references(path)


def test_a_file_without_any_known_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez(path, errors=np.zeros(3))
    with pytest.raises(UsageError, match="SGNet_MSE_15"):
        read_references(path)


@pytest.mark.shared
def test_the_released_checkpoints_have_their_known_means_and_names_that_are_figures(shared_dir: Path) -> None:
    found = read_references(shared_dir / "benchmarks" / "jaad_reference_errors.npz")
    figures = JAAD.errors(Predicted(np.ones((1, 1)), np.zeros((1, 1, 45, 4))), np.zeros((1, 45, 4)))
    for errors in found.values():
        assert set(errors) <= set(figures)
        assert len(errors) == 5
        assert {len(values) for values in errors.values()} == {13_624}
    means = {
        method: [float(found[method][name].mean()) for name in ("MSE 0.5 s", "MSE 1.0 s", "MSE 1.5 s")]
        for method in ("SGNet-ED, released", "BiTraP-D, released")
    }
    assert means["SGNet-ED, released"] == pytest.approx([82.1, 321.1, 1020.3], abs=0.1)
    assert means["BiTraP-D, released"] == pytest.approx([101, 396, 1208], abs=0.5)
    assert float(found["SGNet-ED, released"]["C_MSE"].mean()) == pytest.approx(968, abs=0.5)
    assert float(found["SGNet-ED, released"]["CF_MSE"].mean()) == pytest.approx(3965, abs=0.5)

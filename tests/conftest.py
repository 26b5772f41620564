"""Fixtures that several test folders use."""

from pathlib import Path

import pytest

pytest_plugins = ["support.scenes"]

SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of shared real data; tests that need it skip where it is absent."""
    if not (SHARED / "README.md").is_file():
        pytest.skip("the shared data folder is absent")
    return SHARED

"""Other people's weights: torchvision's detectors, which can be fetched, and public files that are recognised."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from torchvision.models import detection as torchvision_detection
from torchvision.models import get_model_weights, list_models

from perception.errors import UsageError
from perception.plugins import did_you_mean

BASE_URL = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class FetchableWeights:
    """Weights behind an address. ``sha256_prefix`` is in the file's name; ``box_map`` 0..100 on COCO val2017 and
    ``size_mb`` (2^20 bytes) are as torchvision publishes them."""

    name: str
    url: str
    sha256_prefix: str
    size_mb: float
    box_map: float
    parameters: int

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def path_in(self, folder: Path) -> Path:
        """Where the file lies in ``folder`` once it is fetched; only whole, checked files carry this name."""
        return folder / self.file_name

    def cached_path(self) -> Path | None:
        """The file in the cache, None where it was not fetched or the cache cannot be read."""
        folder = cache_folder()
        if folder is None:
            return None
        path = self.path_in(folder)
        try:
            return path if path.is_file() else None
        except OSError:  # HOME of another user, as in a container that runs as one of its own
            return None


@dataclass(frozen=True)
class PublicFile:
    """A network of others that was run here. It is neither shipped nor fetched: who has the file names it.

    ``layout`` is how its graph is read, ``licence`` that of ``origin``, the project that published it; ``box_map``
    0..100 on COCO, as published there, for ``classes``.
    """

    name: str
    layout: str
    origin: str
    licence: str
    box_map: float
    classes: str = "80 of COCO"


PUBLIC_FILES: tuple[PublicFile, ...] = (
    PublicFile("YOLOX-Nano", "YOLOX", "Megvii-BaseDetection/YOLOX", "Apache-2.0", 25.8),
    PublicFile("NanoDet-Plus-m", "NanoDet-Plus", "RangiLyu/nanodet", "Apache-2.0", 30.4),
    PublicFile("NanoDet-Plus-m-1.5x", "NanoDet-Plus", "RangiLyu/nanodet", "Apache-2.0", 34.1),
    PublicFile("PicoDet-S", "PicoDet", "PaddlePaddle/PaddleDetection", "Apache-2.0, not verified", 30.7),
    PublicFile("DEIMv2-Femto", "DEIM", "Intellindust-AI-Lab/DEIMv2", "Apache-2.0", 31.0),
    PublicFile("RTMDet-nano person", "RTMDet", "open-mmlab/mmpose", "Apache-2.0", 40.3, "persons"),
)
"""Copies of these files in other repositories often come without a licence file."""


def torchvision_names() -> list[str]:
    """The detectors that torchvision can build (boxes; not key points, not masks)."""
    names: list[str] = list_models(module=torchvision_detection)
    return [name for name in names if not name.startswith(("keypoint", "mask"))]


def fetchable_detectors(*, base_url: str = BASE_URL) -> list[FetchableWeights]:
    """All that can be fetched and checked, the best on COCO first; ``base_url`` may name a mirror."""
    entries = []
    for name in torchvision_names():
        published = get_model_weights(name).DEFAULT
        file_name = published.url.rsplit("/", 1)[-1]
        hash_in_name = re.search(r"-([0-9a-f]{8,})\.", file_name)
        if hash_in_name is None:  # without a hash a download could not be checked
            continue
        entries.append(
            FetchableWeights(
                name=name,
                url=base_url.rstrip("/") + "/" + file_name,
                sha256_prefix=hash_in_name.group(1),
                size_mb=float(published.meta["_file_size"]),
                box_map=float(published.meta["_metrics"]["COCO-val2017"]["box_map"]),
                parameters=int(published.meta["num_params"]),
            )
        )
    return sorted(entries, key=lambda entry: -entry.box_map)


def find_fetchable(name: str, *, base_url: str = BASE_URL) -> FetchableWeights:
    """The entry of that name. Raises ``UsageError`` listing close matches."""
    entries = {entry.name: entry for entry in fetchable_detectors(base_url=base_url)}
    if name not in entries:
        raise UsageError(f"{name}: not among the weights that can be fetched; {did_you_mean(name, list(entries))}.")
    return entries[name]


def cache_folder() -> Path | None:
    """Where fetched weights are kept: ``$PERCEPTION_CACHE``, or the platform's folder for such things.

    None for a user without a home folder, as in many containers: then nothing is in the cache. Raises ``UsageError``
    where ``$PERCEPTION_CACHE`` names a home folder that is not there.
    """
    chosen = os.environ.get("PERCEPTION_CACHE")
    if chosen:
        return _chosen_folder(chosen)
    home = _home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return _below(Path(local) if local else _below(home, "AppData", "Local"), "perception")
    if sys.platform == "darwin":
        return _below(home, "Library", "Caches", "perception")
    xdg = os.environ.get("XDG_CACHE_HOME")
    return _below(Path(xdg) if xdg else _below(home, ".cache"), "perception")


def _chosen_folder(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"PERCEPTION_CACHE {text}: there is no such home folder; set it to a path without a tilde."
        ) from error


def _home() -> Path | None:
    """The user's home folder; None without HOME and without an entry among the users of the system."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _below(folder: Path | None, *names: str) -> Path | None:
    return None if folder is None else folder.joinpath(*names)

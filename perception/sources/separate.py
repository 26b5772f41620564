"""What a person names in one go (videos, folders of them, globs, lists) as separate recordings, to run one by one."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from perception.errors import UsageError
from perception.safety.regular_files import read_regular_text
from perception.sources.dataset_formats import find_dataset
from perception.sources.files.images import IMAGE_SUFFIXES, images_in, natural_order
from perception.sources.files.video import VIDEO_SUFFIXES

LIST_SUFFIX = ".txt"
_COMMENT = "#"


def separate_sources(named: Sequence[str]) -> list[str]:
    """One spec of ``open_source`` for each recording that ``named`` stand for, each once, in order.

    A folder that is no recording stands for each video in it, and for its images as one series. A glob stands for each
    video and folder that it matches, and for the images that it matches as one series. ``list.txt`` has one of all
    these in a line; empty lines and those that begin with # do not count, and a path is relative to the working folder
    or, where there is no such file, to the list's own. Anything else stands for itself.

    Raises ``UsageError`` for a list that is no text or names nothing, and for a video or image that is not there.
    """
    found: list[str] = []
    for spec in named:
        if Path(spec).suffix.lower() == LIST_SUFFIX and Path(spec).is_file():
            found += [part for line in _lines(Path(spec)) for part in _parts(line)]
        else:
            found += _parts(spec)
    for spec in found:
        # Others may be the names of plug-ins, which are looked up when they are opened.
        if Path(spec).suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, LIST_SUFFIX) and _is_missing(spec):
            raise UsageError(f"{spec}: no such file; check the name.")
    return list(dict.fromkeys(found))


def _is_missing(spec: str) -> bool:
    """Whether a path that is no address and no pattern leads nowhere."""
    return not ("://" in spec or glob.has_magic(spec) or Path(spec).exists())


def _parts(spec: str) -> list[str]:
    if "://" in spec or find_dataset(spec) is not None:
        return [spec]
    path = Path(spec)
    if path.is_dir():
        videos = videos_in(path.iterdir())
        return [*videos, *([spec] if images_in(path) or not videos else [])]
    if path.exists() or not glob.has_magic(spec):
        return [spec]
    matches = [Path(match) for match in glob.glob(spec, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute one
    folders = [part for match in natural_order(matches) if match.is_dir() for part in _parts(str(match))]
    videos = videos_in(matches)
    has_images = any(match.suffix.lower() in IMAGE_SUFFIXES and match.is_file() for match in matches)
    return [*folders, *videos, *([spec] if has_images or not folders + videos else [])]


def videos_in(paths: Iterable[Path]) -> list[str]:
    """The video files among ``paths`` in natural order, by their suffix; hidden files do not count."""
    videos = (path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."))
    return [str(path) for path in natural_order(video for video in videos if video.is_file())]


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in read_regular_text(path, encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text; write one video or folder in each line.") from error
    named = [line for line in lines if line and not line.startswith(_COMMENT)]
    if not named:
        raise UsageError(f"{path}: names nothing; write one video or folder in each line.")
    return [_beside(path, line) for line in named]


def _beside(path: Path, line: str) -> str:
    beside = path.parent / line
    return str(beside) if not Path(line).exists() and beside.exists() else line

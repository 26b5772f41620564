"""What a person names in one go (videos, folders of them, globs, lists) as separate recordings, to run one by one."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from perception.errors import UsageError
from perception.safety.regular_files import exists, is_dir, is_file, read_regular_text
from perception.sources.dataset_formats import find_dataset
from perception.sources.files.images import IMAGE_SUFFIXES, images_in, natural_order
from perception.sources.files.video import VIDEO_SUFFIXES

LIST_SUFFIX = ".txt"
_COMMENT = "#"
_LONGEST = 4096
"""Of a path."""


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
        if Path(spec).suffix.lower() == LIST_SUFFIX and is_file(Path(spec)):
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
    return not ("://" in spec or glob.has_magic(spec) or exists(Path(spec)))


def _parts(spec: str) -> list[str]:
    if "://" in spec or find_dataset(spec) is not None:
        return [spec]
    path = Path(spec)
    if is_dir(path):
        videos = videos_in(path.iterdir())
        return [*videos, *([spec] if images_in(path) or not videos else [])]
    if exists(path) or not glob.has_magic(spec):
        return [spec]
    matches = [Path(match) for match in glob.glob(spec, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute one
    folders = [part for match in natural_order(matches) if is_dir(match) for part in _parts(str(match))]
    videos = videos_in(matches)
    has_images = any(match.suffix.lower() in IMAGE_SUFFIXES and is_file(match) for match in matches)
    return [*folders, *videos, *([spec] if has_images or not folders + videos else [])]


def videos_in(paths: Iterable[Path]) -> list[str]:
    """The video files among ``paths`` in natural order, by their suffix; hidden files do not count."""
    videos = (path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."))
    return [str(path) for path in natural_order(video for video in videos if is_file(video))]


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in read_regular_text(path, encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text; write one video or folder in each line.") from error
    named = [line for line in lines if line and not line.startswith(_COMMENT)]
    if not named:
        raise UsageError(f"{path}: names nothing; write one video or folder in each line.")
    if max(map(len, named)) > _LONGEST:
        raise UsageError(f"{path}: has a line of more than {_LONGEST} letters; write one video or folder in each line.")
    return [_beside(path, line) for line in named]


def _beside(path: Path, line: str) -> str:
    beside = path.parent / line
    return str(beside) if not exists(Path(line)) and exists(beside) else line

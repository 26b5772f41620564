"""Errors say which thing is wrong, for a program and for a command line."""

from __future__ import annotations

import pickle

import pytest

from perception.errors import PerceptionError, UsageError, counted, without_credentials


def test_the_field_and_its_value_come_first() -> None:
    error = UsageError("the cameras are not calibrated; give a `rig` too.", field="frame", value="ground")
    assert str(error) == "frame ground: the cameras are not calibrated; give a `rig` too."
    assert error.described(str.upper) == "FRAME ground: the cameras are not calibrated; give a RIG too."
    assert str(UsageError("name one.", field="source")) == "source: name one."
    assert str(UsageError("unknown.", field="classes", value=("cat", "dog"))) == "classes cat,dog: unknown."


def test_an_error_about_a_file_has_no_field() -> None:
    error = PerceptionError("a.mp4: no such file.")
    assert str(error) == error.described(str.upper) == "a.mp4: no such file."


def test_credentials_are_never_shown() -> None:
    error = PerceptionError("gone: rtsp://me:secret@cam/1.", field="source", value="rtsp://me:secret@cam/1")
    assert "secret" not in str(error) + error.described(str)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:s3cret@cam/1", "rtsp://cam/1"),
        ("rtsp://me:1/s3cret@cam/1", "rtsp://cam/1"),
        ("http://me:a s3cret@cam/1", "http://cam/1"),
        ("http://cam/1?user=me&pwd=s3cret&fps=5", "http://cam/1?user=...&pwd=...&fps=5"),
        ("http://cam/1?fps=5&access_token=s3cret", "http://cam/1?fps=5&access_token=..."),
    ],
)
def test_secrets_leave_addresses_wherever_they_stand(address: str, shown: str) -> None:
    assert without_credentials(f"{address} and http://a:s3cret@b/c") == f"{shown} and http://b/c"


def test_an_error_of_another_process_arrives_whole() -> None:
    error = pickle.loads(pickle.dumps(UsageError("too many.", field="size", value=3)))
    assert (type(error), str(error), error.field, error.value) == (UsageError, "size 3: too many.", "size", 3)


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "frame", "1 frame"),
        (0, "frame", "0 frames"),
        (2000, "frame", "2,000 frames"),
        (3, "true box", "3 true boxes"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (2, "match", "2 matches"),
    ],
)
def test_one_of_a_thing_is_singular(count: int, noun: str, words: str) -> None:
    assert counted(count, noun) == words

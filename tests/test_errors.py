"""Errors say which thing is wrong, for a program and for a command line."""

from __future__ import annotations

import pickle

from perception.errors import PerceptionError, UsageError


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


def test_an_error_of_another_process_arrives_whole() -> None:
    error = pickle.loads(pickle.dumps(UsageError("too many.", field="size", value=3)))
    assert (type(error), str(error), error.field, error.value) == (UsageError, "size 3: too many.", "size", 3)

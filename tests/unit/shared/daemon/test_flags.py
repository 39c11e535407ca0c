"""A command line in Go's syntax."""

import contextlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_shared.daemon.flags import Flag, Values, boolean, duration, one_of, parse, usage

NAME = Flag("name", "nobody", "Who it is.", str, "WHO")
LOUD = Flag("loud", False, "Whether it shouts.", boolean)
EVERY = Flag("every", 120.0, "How often.", duration)
KIND = Flag("kind", "a", "Which.", one_of("a", "b"))
FLAGS = (NAME, LOUD, EVERY, KIND)


def read(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Values:
    return parse("tool", "A tool.", FLAGS, arguments, environ or {})


@pytest.mark.parametrize("arguments", [["-name", "x"], ["--name", "x"], ["-name=x"], ["--name=x"]])
def test_four_ways_to_say_it(arguments: list[str]) -> None:
    assert read(arguments)[NAME] == "x"


def test_defaults_and_the_environment() -> None:
    assert read([])[NAME] == "nobody"
    assert read([], {"WHO": "env"})[NAME] == "env"
    assert read(["--name=flag"], {"WHO": "env"})[NAME] == "flag"
    assert read([], {"WHO": ""})[NAME] == "nobody"


@pytest.mark.parametrize(
    ("arguments", "value"), [([], False), (["--loud"], True), (["--loud=false"], False), (["-loud=T"], True)]
)
def test_booleans_take_no_next_argument(arguments: list[str], value: bool) -> None:
    values = read([*arguments, "--name", "x"])
    assert (values[LOUD], values[NAME]) == (value, "x")


def test_the_last_one_counts() -> None:
    assert read(["--name=a", "--name=b"])[NAME] == "b"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--odd"], "flag provided but not defined: -odd"),
        (["--name"], "flag needs an argument: -name"),
        (["--every=soon"], "invalid value 'soon' for flag -every"),
        (["--loud=perhaps"], "true or false"),
        (["--kind=c"], "one of a, b"),
        (["word"], "unexpected argument: word"),
    ],
)
def test_mistakes_end_with_usage_and_status_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read(arguments)
    assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert text in shown
    assert "Usage of tool:" in shown


def test_help_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read(["-h"])
    assert caught.value.code == 0
    assert usage("tool", "A tool.", FLAGS) in capsys.readouterr().out


def test_usage_names_every_flag_with_default_and_variable() -> None:
    text = usage("tool", "A tool.", FLAGS)
    assert all(f"--{flag.name}" in text and flag.help in text for flag in FLAGS)
    assert "Who it is. (default nobody) [$WHO]" in text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m", 120), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("0", 0), ("0s", 0), (".5s", 0.5), ("1µs", 1e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "m", "-1s", "1 m", "1d", "2m!", "1e3s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert duration(text) >= 0

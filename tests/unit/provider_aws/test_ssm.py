"""Parameter Store: which names go into one call, and whose answer is whose."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_provider_aws.ssm import BATCH, Parameter, batches, match
from sscsi_shared.errors import BackendUnavailable, ObjectNotFound
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes

parameters = st.lists(st.builds(Parameter, st.sampled_from("abcdefghijklmnopq"), st.sampled_from(["", "1", "2", "x"])))


@settings(max_examples=100, deadline=None)
@given(parameters)
def test_each_is_asked_once_and_no_name_twice_in_a_call(asked: list[Parameter]) -> None:
    calls = batches(asked)
    assert sorted((one for call in calls for one in call), key=str) == sorted(set(asked), key=str)
    for call in calls:
        assert 0 < len(call) <= BATCH
        assert len({one.name for one in call}) == len(call)


def test_twelve_names_are_two_calls_in_order() -> None:
    names = [Parameter(f"p{number}") for number in range(12)]
    assert batches(names) == [tuple(names[:10]), tuple(names[10:])]


def answer(name: str, value: str, version: int) -> dict[str, object]:
    return {"Name": name, "ARN": f"arn:aws:ssm:r:1:parameter/{name}", "Value": value, "Version": version}


def test_answers_are_matched_whatever_their_order() -> None:
    asked = (Parameter("a"), Parameter("b", "x"), Parameter("arn:aws:ssm:r:1:parameter/c", "3"))
    found = match(asked, {"Parameters": [answer("c", "C", 3), answer("b", "B", 2), answer("a", "A", 1)]}, "r")
    assert found == {
        asked[0]: Read.of(SecretBytes(b"A"), "1"),
        asked[1]: Read.of(SecretBytes(b"B"), "2"),
        asked[2]: Read.of(SecretBytes(b"C"), "3", pinned=True),
    }


def test_an_answer_that_nobody_asked_for_is_left_out() -> None:
    asked = (Parameter("a"),)
    found = match(asked, {"Parameters": [answer("z", "Z", 9)], "InvalidParameters": []}, "r")
    assert list(found) == [asked[0]]
    assert isinstance(found[asked[0]], BackendUnavailable)


def test_invalid_names_are_not_found_each() -> None:
    asked = (Parameter("a"), Parameter("b", "x"))
    found = match(asked, {"Parameters": [answer("a", "A", 1)], "InvalidParameters": ["b:x"]}, "eu-west-1")
    assert isinstance(found[asked[0]], Read)
    error = found[asked[1]]
    assert isinstance(error, ObjectNotFound)
    assert str(error).startswith("400: eu-west-1: invalid parameters: b:x.")

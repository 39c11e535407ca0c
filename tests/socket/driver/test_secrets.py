"""What a volume's Secrets are made of, and of what time it is."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from driver_rig import Driver, needs_mount
from scripted_provider import Answer, ScriptedProvider, always, volume
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount


def saying(read_at: str, response: pb.MountResponse) -> Answer:
    def answer(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        context.set_trailing_metadata((("sscsi-read-at", read_at),))
        return response

    return answer


def test_they_are_made_of_the_files(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    provider.answer = always(volume(("a", b"1"), ("b/c", b"2")))
    driver.publish(target)
    (filled,) = driver.secrets.filled
    assert {path: contents.reveal() for path, contents in filled.files.items()} == {"a": b"1", "b/c": b"2"}
    assert (filled.target, filled.provider, filled.fetched_at) == (target, "test", driver.now)
    driver.unpublish(target)
    assert driver.secrets.forgotten == [target]


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("990.5", 990.5),
        ("2000", 1000.0),
        ("", 1000.0),
        ("nan", 1000.0),
        ("-1", 1000.0),
        ("1e3", 1000.0),
        ("9" * 99, 1000.0),
    ],
)
def test_kept_content_is_of_the_time_when_it_was_read(
    driver: Driver, provider: ScriptedProvider, target: Path, said: str, counts: Any
) -> None:
    provider.answer = saying(said, volume(("a", b"1")))
    driver.publish(target)
    assert [filled.fetched_at for filled in driver.secrets.filled] == [counts]

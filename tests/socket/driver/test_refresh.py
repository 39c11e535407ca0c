"""A refresh that somebody asks for: on the node's socket, or by an annotation of the class or the pod."""

from pathlib import Path

import grpc
import pytest

from driver_rig import POD, Driver, failure, needs_mount
from scripted_provider import ScriptedProvider
from sscsi.__main__ import main
from sscsi_driver import control

pytestmark = needs_mount


def cli(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(["refresh", *arguments])
    return caught.value.code


def test_on_the_socket(
    rotating: Driver, provider: ScriptedProvider, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rotating.publish(target)
    assert cli("shop/demo", f"--driver={rotating.socket}") == 0
    assert capsys.readouterr().out.startswith("1 volume of class shop/demo: fetched now")
    assert rotating.rotate() == 1
    assert rotating.rotate() == 0
    assert cli("--all", f"--driver={rotating.socket}") == 0
    assert rotating.rotate() == 1


def test_where_there_is_nothing_to_refresh(
    rotating: Driver, provider: ScriptedProvider, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rotating.publish(target)
    assert cli("shop/other", f"--driver={rotating.socket}") == 1
    assert "no volume of class shop/other is filled" in capsys.readouterr().err
    assert rotating.rotate() == 0
    assert cli("--all", "--driver=/nowhere.sock") == 1
    assert "nobody answers on /nowhere.sock" in capsys.readouterr().err
    assert cli(f"--driver={rotating.socket}") == 2


@pytest.mark.parametrize("of_class", ["demo", "/demo", "shop/"])
def test_what_is_no_class(rotating: Driver, of_class: str) -> None:
    code, _ = failure(lambda: control.refresh(rotating.channel, of_class, 5))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_it_works_without_rotation(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    driver.publish(target)
    assert control.refresh(driver.channel, "", 5) == 1
    assert driver.rotate() == 1


def test_by_the_classes_annotation(rotating: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
    other = target.parents[1] / "other" / "mount"
    rotating.publish(target)
    rotating.publish(other, volume_id="csi-2", volume_context={**POD, "csi.storage.k8s.io/pod.uid": "uid-1"})
    rotating.annotations.look()
    assert rotating.rotate() == 0
    rotating.classes.refresh = "2026-11-27"
    rotating.annotations.look()
    assert rotating.rotate() == 2
    rotating.annotations.look()
    assert rotating.rotate() == 0
    rotating.classes.present = False
    rotating.annotations.look()
    assert rotating.rotate() == 0


class TestByThePodsAnnotation:
    @pytest.fixture
    def two(self, rotating: Driver, provider: ScriptedProvider, target: Path) -> Driver:
        rotating.publish(target)
        other = target.parents[1] / "other" / "mount"
        rotating.publish(other, volume_id="csi-2", volume_context={**POD, "csi.storage.k8s.io/pod.uid": "uid-2"})
        return rotating

    def test_each_change_fetches_the_pods_own_volumes_once(self, two: Driver) -> None:
        for words, fetched in [
            ({"uid-1": "", "uid-2": ""}, 0),
            ({"uid-1": "", "uid-2": "a"}, 1),
            ({"uid-1": "", "uid-2": "a"}, 0),
            ({"uid-1": "b", "uid-2": "c"}, 2),
            ({"uid-1": "", "uid-2": "c"}, 0),
            ({"uid-1": "b", "uid-2": "c"}, 1),
        ]:
            two.words = words
            two.annotations.look()
            assert two.rotate() == fetched, words

    def test_a_word_from_before_the_first_look_counts(self, two: Driver) -> None:
        two.words = {"uid-1": "a", "uid-2": ""}
        two.annotations.look()
        assert two.rotate() == 1

    def test_while_nobody_can_say_nothing_changes(self, two: Driver) -> None:
        two.words = {"uid-1": "a", "uid-2": "a"}
        two.annotations.look()
        assert two.rotate() == 2
        for words in (None, {}, {"uid-1": "a", "uid-2": "a"}):
            two.words = words
            two.annotations.look()
            assert two.rotate() == 0

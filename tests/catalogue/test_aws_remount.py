"""reference/aws.md section 13, "server: remount sequence", against moto, in its five steps.

The same files and versions at each step. How they come is ours: the existing provider asks DescribeSecret and reads
back the mounted file where the version is still current; ours never trusts the target path, and saves the calls by
what it keeps for each identity (tests/emulator/test_aws_calls.py counts them).
"""

from pathlib import Path

import pytest

from aws_world import SM, World, aws_world
from sscsi_shared.mount import MountResult

PARAMETERS = 11


class Sequence:
    """Four secrets, eleven parameters, and what was reported before."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reported: dict[str, str] = {}
        aws = world.aws
        self.first = {name: aws.put_secret(name, f"{name} 1") for name in ("plain", "labelled", "pinned")}
        self.first["jmes"] = aws.put_secret("jmes", '{"key": "jmes 1"}')
        aws.stage("labelled", "custom", self.first["labelled"])
        self.pinned = self.first["pinned"]
        for number in range(PARAMETERS):
            aws.put_parameter(f"p{number}", f"{number} 1", labels=["live"] if number == 0 else [])

    def rotate(self) -> dict[str, str]:
        """A second version of everything; stages and labels stay."""
        aws = self.world.aws
        second = {name: aws.put_secret(name, f"{name} 2") for name in ("plain", "labelled", "pinned")}
        second["jmes"] = aws.put_secret("jmes", '{"key": "jmes 2"}')
        for number in range(PARAMETERS):
            aws.put_parameter(f"p{number}", f"{number} 2")
        return second

    def mount(self) -> MountResult:
        objects = f"""
- {{objectName: plain, {SM}}}
- {{objectName: labelled, {SM}, objectVersionLabel: custom}}
- {{objectName: pinned, {SM}, objectVersion: {self.pinned}}}
- {{objectName: jmes, {SM}, jmesPath: [{{path: key, objectAlias: key}}]}}
- {{objectName: p0, objectType: ssmparameter, objectVersionLabel: live}}
- {{objectName: p1, objectType: ssmparameter, objectVersion: 1}}
"""
        objects += "".join(f"- {{objectName: p{n}, objectType: ssmparameter}}\n" for n in range(2, PARAMETERS))
        result = self.world.mount(objects, versions=self.reported)
        self.reported = {version.id: version.version for version in result.versions}
        return result

    def files(self) -> dict[str, str]:
        return {file.path: file.contents.reveal().decode() for file in self.mount().files}


def expected(number: int, **other: str) -> dict[str, str]:
    """Files when everything that moves is at version `number`."""
    found = {"plain": f"plain {number}", "labelled": "labelled 1", "pinned": "pinned 1"}
    found |= {"jmes": f'{{"key": "jmes {number}"}}', "key": f"jmes {number}", "p0": "0 1", "p1": "1 1"}
    return found | {f"p{n}": f"{n} {number}" for n in range(2, PARAMETERS)} | other


@pytest.mark.parametrize("trusted", [False, True], ids=["versions of the last mount", "versions that are a lie"])
def test_the_remount_sequence(tmp_path: Path, trusted: bool) -> None:
    with aws_world(tmp_path) as world:
        sequence = Sequence(world)
        # 1 first mount
        assert sequence.files() == expected(1)
        first = dict(sequence.reported)
        assert first["plain"] == sequence.first["plain"]
        assert first["key"] == first["jmes"] == sequence.first["jmes"]
        assert (first["p0"], first["p5"]) == ("1", "1")
        # 2 nothing changed
        assert sequence.files() == expected(1)
        assert sequence.reported == first
        # 3 rotation: the custom label is still on the first version, the pinned one stays
        second = sequence.rotate()
        if trusted:
            sequence.reported = second | {"p5": "2"}  # as if all of it were mounted already
        assert sequence.files() == expected(2)
        assert sequence.reported["plain"] == second["plain"]
        assert (sequence.reported["labelled"], sequence.reported["p5"]) == (first["labelled"], "2")
        # 4 the label moves: only that one changes
        world.aws.stage("labelled", "custom", second["labelled"])
        assert sequence.files() == expected(2, labelled="labelled 2")
        # 5 the class pins another version: only that one changes
        sequence.pinned = second["pinned"]
        assert sequence.files() == expected(2, labelled="labelled 2", pinned="pinned 2")


def test_what_left_the_class_is_not_reported_any_more(tmp_path: Path) -> None:
    with aws_world(tmp_path) as world:
        world.aws.put_secret("db", "x")
        result = world.mount(f"- {{objectName: db, {SM}}}", versions={"db": "old", "gone": "v0"})
        # The existing provider sends back the ids that are no longer in the class; ours reports what it mounts.
        assert [version.id for version in result.versions] == ["db"]

"""Whatever is read: all of it or nothing, never above the ceiling, never told."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_shared.errors import InvalidParameters, ObjectUnusable
from sscsi_shared.mount import MountPlan, Output, Place, PlannedRead, Read
from sscsi_shared.render import EMPTY, check_plan, render
from sscsi_shared.secret import SecretBytes
from sscsi_shared.v1alpha1 import provider_pb2

LIMIT = 600
names = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["a", "a/b", "b", "../c", "é" * 200])
outputs = st.builds(Output, path=names, mode=st.integers(-1, 0o1000), id=names)
reads = st.builds(
    PlannedRead, name=names, candidates=st.just(((Place("p"), 0),)), outputs=st.lists(outputs, min_size=1, max_size=2)
    .map(tuple), optional=st.booleans(),
)  # fmt: skip
contents = st.builds(Read, st.builds(SecretBytes, st.binary(max_size=300)), st.text(st.characters(codec="utf-8")))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(reads, st.none() | contents), max_size=5))
def test_all_or_nothing(pairs: list[tuple[PlannedRead[int], Read | None]]) -> None:
    plan = MountPlan(tuple(planned for planned, _ in pairs))
    found = [read for _, read in pairs]
    try:
        check_plan(plan)
    except InvalidParameters:
        return
    expected = [output for planned, read in pairs if read for output in planned.outputs]
    try:
        result = render(plan, found, max_bytes=LIMIT)
    except ObjectUnusable:
        assert expected
        return
    assert [(file.path, file.mode) for file in result.files] == [(output.path, output.mode) for output in expected]
    assert [version.id for version in result.versions] == [output.id for output in expected] or [EMPTY.id]
    assert result.versions
    wire = provider_pb2.MountResponse(
        files=[
            provider_pb2.File(path=file.path, mode=file.mode, contents=file.contents.reveal()) for file in result.files
        ],
        object_version=[provider_pb2.ObjectVersion(id=one.id, version=one.version) for one in result.versions],
    )
    assert wire.ByteSize() <= LIMIT

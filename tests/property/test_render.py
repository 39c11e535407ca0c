"""Whatever is read: all of it or nothing, never above the ceiling, never told."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_shared.errors import InvalidParameters, ObjectUnusable
from sscsi_shared.mount import MountPlan, Output, Place, PlannedRead, Read, Spread
from sscsi_shared.paths import Naming, check_layout
from sscsi_shared.render import EMPTY, check_plan, render
from sscsi_shared.secret import SecretBytes
from sscsi_shared.transform import AllKeys
from sscsi_shared.v1alpha1 import provider_pb2

LIMIT = 600
names = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["a", "a/b", "b", "../c", "é" * 200])
outputs = st.builds(Output, path=names, mode=st.integers(-1, 0o1000), id=names)
reads = st.builds(
    PlannedRead, name=names, candidates=st.just(((Place("p"), 0),)), outputs=st.lists(outputs, min_size=1, max_size=2)
    .map(tuple), optional=st.booleans(),
)  # fmt: skip
contents = st.builds(Read.of, st.builds(SecretBytes, st.binary(max_size=300)), st.text(st.characters(codec="utf-8")))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(reads, st.none() | contents), max_size=5))
def test_all_or_nothing(pairs: list[tuple[PlannedRead[int], Read | None]]) -> None:
    plan = MountPlan(tuple(planned for planned, _ in pairs))
    found = [read for _, read in pairs]
    try:
        check_plan(plan)
    except InvalidParameters:
        return
    expected = [output for planned, read in pairs if read for output in planned.outputs if isinstance(output, Output)]
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


names = st.one_of(st.sampled_from(["a", "a/b", "a_b", "..", "", "/", "\0", "x" * 300]), st.text(max_size=12))


@given(
    st.dictionaries(names, st.one_of(st.text(max_size=5), st.integers(), st.none(), st.lists(st.booleans()))),
    st.sampled_from(["", "_"]),
    st.sampled_from(["", "p/", "../", "p-"]),
)
def test_hostile_keys_make_a_volume_or_a_refusal(document: dict[str, object], slash: str, prefix: str) -> None:
    spread = PlannedRead("db", ((Place("p"), 0),), (Spread(Naming(slash, prefix), 0o400, AllKeys()),))
    fixed = PlannedRead("a", ((Place("p"), 1),), (Output("a", 0o400, "a"),))
    reads = [Read.of(SecretBytes(json.dumps(document).encode()), "1"), Read.of(SecretBytes(b"mine"), "1")]
    try:
        result = render(MountPlan((spread, fixed)), reads)
    except ObjectUnusable:
        return
    check_layout([file.path for file in result.files])
    assert len(result.files) == 1 + sum(value is not None for value in document.values())
    assert result.files[-1].contents.reveal() == b"mine"

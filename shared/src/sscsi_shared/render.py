"""PURE: what was read becomes the content of a volume. All or nothing.

A partial volume would let a pod start with half of its secrets, so one failed object fails the mount, and all failures
are told at once, in the order of the class.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from sscsi_shared.errors import InvalidParameters, MountError, ObjectError, ObjectUnusable, clip, first_or_all, fresh
from sscsi_shared.mount import (
    MountPlan,
    MountResult,
    ObjectT,
    ObjectVersion,
    Output,
    PlannedRead,
    Read,
    SecretFile,
    Spread,
)
from sscsi_shared.paths import check_layout, check_mode, check_path
from sscsi_shared.secret import SecretBytes

ErrorT = TypeVar("ErrorT", bound=ObjectError)

MAX_RESULT_BYTES: Final = 4_000_000
"""The most that a whole answer may come to: a little below 4 MiB, which is what existing drivers receive by default.

A larger one would fail in the driver as RESOURCE_EXHAUSTED, which kubelet takes for unfinished."""
_FILE_OVERHEAD_BYTES: Final = 32
"""Tags, lengths and mode of a File and of an ObjectVersion in protobuf's wire format, at most."""
EMPTY: Final = ObjectVersion("sscsi/empty", "0")
"""Reported for a class without objects, and for one whose optional objects are all absent.

The existing driver takes an empty list of object versions for a failure: `missing object versions`."""


def check_plan(plan: MountPlan[ObjectT]) -> None:
    """Refuse a plan that could never be rendered, before anything is asked.

    Raises:
        InvalidParameters: a path or mode is illegal, two files collide, or files of two objects bear one id.
    """
    outputs = [output for planned in plan.reads for output in planned.outputs]
    for output in outputs:
        check_mode(output.mode)
    fixed = [output for output in outputs if isinstance(output, Output)]
    check_layout([output.path for output in fixed])
    first: dict[str, tuple[str, object]] = {}
    for planned in plan.reads:
        for output in planned.outputs:
            if not isinstance(output, Output):
                continue
            path, of = first.setdefault(output.id, (output.path, planned.candidates))
            if of != planned.candidates:
                raise InvalidParameters(
                    f"The files {_shown(path)} and {_shown(output.path)} would be reported under one object version "
                    f"id, {_shown(output.id)}.",
                    hint="Ask for the object once, or give one of them an alias.",
                )


def render(plan: MountPlan[ObjectT], reads: Sequence[Read | None], *, max_bytes: int = MAX_RESULT_BYTES) -> MountResult:
    """Make the files of a plan.

    Args:
        plan: what was to be read.
        reads: as long as `plan.reads`; None = optional, and not there: it leaves neither file nor version.
        max_bytes: the most that the answer may come to: contents, paths, ids, versions and what the wire adds.

    Returns:
        All files and object versions in the order of the class; at least one version, see EMPTY.

    Raises:
        InvalidParameters: the plan can't be rendered whatever was read; see `check_plan`.
        ObjectUnusable: an object can't become its files, two of them collide, or all are more than `max_bytes`.
        MountFailed: several can't.
    """
    check_plan(plan)
    files: list[SecretFile] = []
    versions: list[ObjectVersion] = []
    failures: list[MountError] = []
    for planned, read in zip(plan.reads, reads, strict=True):
        if read is None:
            continue
        for output in planned.outputs:
            try:
                made = [_one(output, read)] if isinstance(output, Output) else _many(output, read)
            except ObjectUnusable as error:
                failures.append(named(planned.name, error, subject=_subject(planned, output)))
            else:
                files += [file for file, _ in made]
                versions += [version for _, version in made]
    if failures:
        raise first_or_all(failures)
    _check_layout(files)
    _check_size(files, versions, max_bytes)
    moments = [read.read_at for read in reads if read is not None and read.read_at is not None]
    return MountResult(tuple(files), tuple(versions) or (EMPTY,), min(moments, default=None))


def _one(output: Output, read: Read) -> tuple[SecretFile, ObjectVersion]:
    item = read.only
    contents = SecretBytes(output.transform.apply(item.contents.reveal()))
    version = item.version if output.stamp is None else output.stamp.version(contents.reveal())
    return SecretFile(output.path, output.mode, contents), ObjectVersion(output.id, version)


def _many(spread: Spread, read: Read) -> list[tuple[SecretFile, ObjectVersion]]:
    """The files of a read whose names it brings itself."""
    made = []
    for item in read.items:
        contents = spread.transform.apply(item.contents.reveal())
        split = {"": contents} if spread.split is None else spread.split.apply(contents)
        parts = {item.name + name: part for name, part in split.items()}
        version_id = f"{spread.id}/{item.name}" if spread.id and item.name else spread.id
        for name, part in parts.items():
            path = spread.naming.path(name)
            try:
                check_path(path)
            except InvalidParameters as error:
                raise ObjectUnusable(f"{_shown(name)} can't name a file: {error.message}") from error
            version = item.version if spread.stamp is None else spread.stamp.version(part)
            made.append((SecretFile(path, spread.mode, SecretBytes(part)), ObjectVersion(version_id or path, version)))
    return made


def _check_layout(files: Sequence[SecretFile]) -> None:
    """The files that the class names were looked at before; those that an object brings may collide only now."""
    try:
        check_layout([file.path for file in files])
    except InvalidParameters as error:
        raise ObjectUnusable(
            error.message, hint="At least one of them comes from allKeys or select: give that object a filePrefix."
        ) from error


def named(name: str, error: ErrorT, *, subject: str = "") -> ErrorT:
    """An error whose text has the object's name in it.

    Args:
        name: the object in the author's words.
        error: given back as it is if it has the name; else copied, since an outcome may be shared between mounts.
        subject: what to put in front of the copy's text; by default the name.
    """
    if re.search(rf"(?<![\w-]){re.escape(clip(name))}(?![\w-])", str(error)):
        return error
    copy = fresh(error)
    copy.message = f"{subject or clip(name)}: {error.message}"
    copy.args = (copy.message,)
    copy.__cause__ = error
    return copy


def _subject(planned: PlannedRead[ObjectT], output: Output | Spread) -> str:
    """The object, and where it becomes several files also which one."""
    if len(planned.outputs) == 1 or isinstance(output, Spread):
        return clip(planned.name)
    return f"{clip(planned.name)} (file {_shown(output.path)})"


def _check_size(files: Sequence[SecretFile], versions: Sequence[ObjectVersion], max_bytes: int) -> None:
    size = sum(len(file.path.encode()) + len(file.contents) + _FILE_OVERHEAD_BYTES for file in files)
    size += sum(len(one.id.encode()) + len(one.version.encode()) + _FILE_OVERHEAD_BYTES for one in versions)
    if size <= max_bytes:
        return
    largest = max(files, key=lambda file: len(file.contents))
    raise ObjectUnusable(
        f"The volume's {len(files)} files come to {size} bytes; at most {max_bytes} may be mounted at once.",
        hint=f"The largest is {_shown(largest.path)} with {len(largest.contents)} bytes. Split the class into several "
        "volumes; or raise the driver's --max-call-recv-msg-size and the provider's --max-response-bytes, both.",
    )


def _shown(text: str) -> str:
    return f"`{clip(text if text.isprintable() else ascii(text)[1:-1], 120)}`"

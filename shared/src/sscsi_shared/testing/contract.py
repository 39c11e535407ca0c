"""The suite that every provider passes, whoever wrote it, over a real unix socket through the real servicer.

To use it, write a Stage and hand it over in a fixture:

    class StageOfMine(Stage):
        ...

    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def stage(self) -> Iterator[Stage]:
            with MyEmulator() as emulator:
                yield StageOfMine(emulator)

The suite puts the objects it reads, so the backend may begin empty. It listens to the root logger at DEBUG: an SDK that
logs bodies or headers must be kept quiet by the provider itself (`logging.getLogger("botocore").setLevel(...)`).
`memory.py` is a provider to try it on.
"""

# ruff: noqa: D102, S101  # a test's name says what it promises; asserts are what a suite is made of

import contextlib
import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import pytest

from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.testing.caller import TARGET, Caller, Refusal, Volume, listening
from sscsi_shared.testing.daemon import dialled, serving
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted

Code: Final = grpc.StatusCode

MAX_BYTES: Final = 100_000
"""What a volume may come to in the suite; small, so that every backend can hold more."""

NOT_TEXT_TO_TEXT: Final = ["", "{", "[]", "null", "7", '"text"', '{"a": 1}', '{"a": null}', '{"a": {"b": "c"}}', "{}x"]
NOT_A_PERMISSION: Final = ["", "null", "[]", "0644", "-1", "512", "2304", "420.5", "1e3", "99999999999", '"420"']
NOT_A_LIST_OF_OBJECTS: Final = {
    "a word": "shop-db",
    "a number": "7",
    "null entry": "- null\n",
    "empty entry": "- {}\n",
    "list in list": "- [shop-db]\n",
    "number as entry": "- 7\n",
    "broken YAML": "- {objectName: [\n",
    "tab": "\t- objectName: shop-db\n",
    "alias of nothing": "- *shop\n",
    "control character": "- objectName: \x07\n",
    "deep": "[" * 2000 + "]" * 2000,
    "bomb": "- &a [x, x]\n"
    + "".join(f"- &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
}
HOSTILE_PATHS: Final = [
    "../escape", "a/../../escape", "/etc/passwd", "..data", "a//b", "./a", "a/", "n\0l", "x" * 300, "a/" * 2100 + "a"
]  # fmt: skip


@contextlib.contextmanager
def calling(stage: Stage) -> Iterator[Caller]:
    """Serve the stage's provider and call it; in the end no secret may stand in any status, log record or metric."""
    observed: list[str] = []
    servicer = ProviderServicer(
        Pipeline(stage.provider, stage.cluster, Economy(stage.provider, OFF), max_bytes=MAX_BYTES),
        stage.provider.name,
        "0.0.0",
        observe=lambda reason, _: observed.append(reason),
    )
    with contextlib.ExitStack() as stack:
        records = stack.enter_context(listening())
        channel = stack.enter_context(dialled(stack.enter_context(serving(servicer))))
        stack.callback(stage.mend)
        caller = Caller(channel, stage, records, observed)
        yield caller
    caller.assert_silent()


class ProviderContract:
    """Subclass it with a name that starts with `Test`, and override the fixture `stage`."""

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        """The provider under test and its backend."""
        raise NotImplementedError("override the fixture `stage` and yield a Stage")

    @pytest.fixture
    def caller(self, stage: Stage) -> Iterator[Caller]:
        """The driver's part; see `calling`."""
        with calling(stage) as caller:
            yield caller

    # What a driver gets

    def test_version_says_which_contract_and_who(self, caller: Caller, stage: Stage) -> None:
        answer = caller.version()
        assert answer.version == "v1alpha1"
        assert answer.runtime_name == stage.provider.name
        assert answer.runtime_version
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,30}", stage.provider.name), "no driver finds a provider of this name"

    def test_objects_become_files(self, caller: Caller) -> None:
        volume = caller.volume(*caller.put("shop-db", "shop-api", "shop-tls"))
        assert volume.files == {name: text.encode() for name, text in caller.contents.items()}
        assert list(volume.files) == ["shop-db", "shop-api", "shop-tls"], "the order of the class"
        assert set(volume.modes.values()) == {0o644}
        assert len(volume.versions) == 3
        assert caller.observed == ["OK"]

    def test_contents_are_untouched(self, caller: Caller) -> None:
        wanted = caller.put("shop-odd", contents=f" canary-{secrets.token_hex(16)}\n\tü€😀 {{}}: - # \\n %s\n\n")
        assert caller.volume(*wanted).files["shop-odd"] == caller.contents["shop-odd"].encode()

    def test_paths_and_modes_of_the_class(self, caller: Caller) -> None:
        caller.put("shop-db", "shop-api")
        volume = caller.volume(Wanted("shop-db", path="db.txt", mode=0o400), Wanted("shop-api", path="api"))
        assert volume.modes == {"db.txt": 0o400, "api": 0o644}
        assert volume.files["db.txt"] == caller.contents["shop-db"].encode()

    def test_permission_is_the_mode_of_files_that_name_none(self, caller: Caller) -> None:
        assert caller.volume(*caller.put("shop-db"), permission="256").modes == {"shop-db": 0o400}

    def test_a_repeat_gives_the_same(self, caller: Caller) -> None:
        wanted = caller.put("shop-db", "shop-api")
        assert caller.volume(*wanted) == caller.volume(*wanted)

    def test_rotation_changes_one_version(self, caller: Caller) -> None:
        wanted = caller.put("shop-db", "shop-api")
        before = caller.volume(*wanted)
        caller.put("shop-db")
        after = caller.volume(*wanted)
        assert after.files == {name: text.encode() for name, text in caller.contents.items()}
        assert before.versions.keys() == after.versions.keys()
        assert len(before.versions.items() & after.versions.items()) == 1

    def test_versions_are_no_digests_to_guess_by(self, caller: Caller) -> None:
        versions = " ".join(caller.volume(*caller.put("shop-db")).versions.values()).lower()
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, caller.contents["shop-db"].encode(), usedforsecurity=False).hexdigest()
            assert digest[:16] not in versions

    @pytest.mark.parametrize("text", ["null", "{}", "", '{"csi.storage.k8s.io/serviceAccount.tokens": "{}"}'])
    def test_secrets_that_hold_nothing(self, caller: Caller, text: str) -> None:
        assert caller.volume(*caller.put("shop-db"), secrets=text).files

    def test_mounts_at_once_do_not_mix(self, caller: Caller) -> None:
        wanted = caller.put(*(f"shop-{n}" for n in range(16)))
        with ThreadPoolExecutor(16) as pool:
            volumes = list(pool.map(caller.volume, wanted))
        for one, volume in zip(wanted, volumes, strict=True):
            assert volume.files == {one.name: caller.contents[one.name].encode()}

    # What goes wrong in the backend

    @pytest.mark.parametrize(
        ("hook", "reason", "code"),
        [("remove", "ObjectNotFound", Code.NOT_FOUND), ("deny", "AccessDenied", Code.PERMISSION_DENIED)],
    )
    def test_one_bad_object_fails_the_mount_and_is_named(
        self, caller: Caller, stage: Stage, hook: str, reason: str, code: grpc.StatusCode
    ) -> None:
        wanted = caller.put("shop-db", "shop-api")
        getattr(stage, hook)("shop-api")
        refusal = caller.refusal(reason, code, *wanted)
        assert "shop-api" in refusal.text
        assert "shop-db" not in refusal.text
        assert caller.observed == [reason]

    @pytest.mark.parametrize(
        ("hook", "reason", "code"),
        [
            ("throttle", "BackendThrottled", Code.UNKNOWN),
            ("break_down", "BackendUnavailable", Code.UNKNOWN),
            ("refuse_login", "AuthenticationFailed", Code.UNAUTHENTICATED),
        ],
    )
    def test_trouble_passes(self, caller: Caller, stage: Stage, hook: str, reason: str, code: grpc.StatusCode) -> None:
        wanted = caller.put("shop-db")
        getattr(stage, hook)()
        first, second = caller.refusal(reason, code, *wanted), caller.refusal(reason, code, *wanted)
        assert _stable(first.text) == _stable(second.text), "the same between retries, but for a request id at the end"
        stage.mend()
        assert caller.volume(*wanted).files

    def test_all_bad_objects_are_told_at_once(self, caller: Caller, stage: Stage) -> None:
        wanted = caller.put("shop-db", "shop-api", "shop-tls")
        stage.remove("shop-tls")
        stage.remove("shop-db")
        text = caller.refusal("MountFailed", Code.NOT_FOUND, *wanted).text
        assert 0 <= text.index("shop-db") < text.index("shop-tls"), "the order of the class"
        assert "shop-api" not in text
        stage.deny("shop-api")
        caller.refusal("MountFailed", Code.FAILED_PRECONDITION, *wanted)

    def test_a_backend_that_hangs_is_told_before_the_callers_deadline(self, caller: Caller, stage: Stage) -> None:
        wanted = caller.put("shop-db")
        stage.hang()
        began = time.monotonic()
        refusal = caller.mount(*wanted, seconds=5)
        assert time.monotonic() - began < 4.5
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.UNKNOWN
        assert refusal.reason in {"OutOfTime", "BackendUnavailable"}
        assert caller.version().version == "v1alpha1"

    def test_more_than_a_driver_takes(self, caller: Caller) -> None:
        wanted = [caller.put(f"shop-{n}", contents=secrets.token_hex(10_000))[0] for n in range(6)]
        text = caller.refusal("ObjectUnusable", Code.FAILED_PRECONDITION, *wanted).text
        assert "--max-call-recv-msg-size" in text

    # What goes wrong in the request

    @pytest.mark.parametrize(
        ("field", "text"),
        [
            *(("attributes", text) for text in NOT_TEXT_TO_TEXT),
            *(("secrets", text) for text in NOT_TEXT_TO_TEXT if text not in {"", "null"}),
            *(("permission", text) for text in NOT_A_PERMISSION),
            ("target_path", ""),
        ],
    )
    def test_a_field_that_is_none(self, caller: Caller, field: str, text: str) -> None:
        caller.refusal("InvalidParameters", Code.INVALID_ARGUMENT, *caller.put("shop-db"), **{field: text})

    @pytest.mark.parametrize("case", NOT_A_LIST_OF_OBJECTS)
    def test_a_list_of_objects_that_is_none(self, caller: Caller, stage: Stage, case: str) -> None:
        attributes = caller.attributes(*caller.put("shop-db")) | {stage.objects_key: NOT_A_LIST_OF_OBJECTS[case]}
        refusal = caller.refusal("InvalidParameters", Code.INVALID_ARGUMENT, attributes=json.dumps(attributes))
        assert stage.objects_key in refusal.text, "the message names the parameter"

    @pytest.mark.parametrize("path", HOSTILE_PATHS, ids=[path[:20] for path in HOSTILE_PATHS])
    def test_a_file_never_leaves_the_volume(self, caller: Caller, path: str) -> None:
        caller.put("shop-db")
        answer = caller.mount(Wanted("shop-db", path=path))
        if isinstance(answer, Volume):
            assert path not in answer.files, "it may be translated to a harmless name, which Caller looks at"
        else:
            assert (answer.reason, answer.code) == ("InvalidParameters", Code.INVALID_ARGUMENT)

    @pytest.mark.parametrize("mode", [0o1000, 0o4755, 0o7777])
    def test_bits_beyond_permissions(self, caller: Caller, mode: int) -> None:
        caller.put("shop-db")
        caller.refusal("InvalidParameters", Code.INVALID_ARGUMENT, Wanted("shop-db", mode=mode))

    def test_two_objects_at_one_path(self, caller: Caller) -> None:
        caller.put("shop-db", "shop-api")
        wanted = [Wanted("shop-db", path="one"), Wanted("shop-api", path="one")]
        assert "one" in caller.refusal("InvalidParameters", Code.INVALID_ARGUMENT, *wanted).text

    @pytest.mark.parametrize("case", ["none", "empty", "not JSON", "not a JWT", "ends soon", "of a stranger"])
    def test_a_token_that_proves_nothing(self, caller: Caller, case: str) -> None:
        own = caller.tokens()
        if own is None:
            pytest.skip("this provider needs no token")
        tokens = {
            "none": None,
            "empty": "{}",
            "not JSON": "{",
            "not a JWT": json.dumps({audience: {"token": "opaque"} for audience in json.loads(own)}),
            "ends soon": caller.tokens(lifetime_seconds=10),
            "of a stranger": caller.tokens(STRANGER),
        }[case]
        caller.refusal("AuthenticationFailed", Code.UNAUTHENTICATED, *caller.put("shop-db"), tokens=tokens)

    # What nobody may read

    def test_a_failed_mount_is_one_line_in_the_log(self, caller: Caller, stage: Stage) -> None:
        wanted = caller.put("shop-db")
        stage.remove("shop-db")
        refusal = caller.refusal("ObjectNotFound", Code.NOT_FOUND, *wanted)
        lines = [record.getMessage() for record in caller.records if record.levelno >= logging.WARNING]
        assert len(lines) == 1, lines
        for word in (f"{POD.namespace}/{POD.name}", refusal.reason, refusal.text):
            assert word in lines[0]

    def test_no_value_on_the_way_shows_a_secret(self, caller: Caller, stage: Stage) -> None:
        wanted = caller.put("shop-db")
        deadline = Deadline.after(30)
        mount = read_mount(json.dumps(caller.attributes(*wanted)), "null", "420", TARGET, ())
        request = stage.provider.parse(mount)
        login = stage.provider.identify(request, stage.cluster, deadline)
        plan = stage.provider.plan(request, login.identity)
        place, one = plan.reads[0].candidates[0]
        with contextlib.closing(stage.provider.open(login, place, deadline)) as session:
            outcomes = session.fetch([one], deadline)
            values: list[Any] = [stage.provider, mount, request, login, plan, session, outcomes]
            caller.assert_silent(*map(repr, values), *map(str, values), *map(_variables, values))
        assert list(outcomes) == [one]
        assert request == stage.provider.parse(mount), "parse is pure"
        assert plan == stage.provider.plan(request, login.identity), "plan is pure"
        assert {login.identity: 1}[stage.provider.identify(request, stage.cluster, deadline).identity] == 1


def _variables(value: object) -> str:
    """What a debugger or a careless log line would show of it."""
    return repr(getattr(value, "__dict__", ""))


def _stable(text: str) -> str:
    """The text without a request id, which comes last."""
    return re.split(r"request.?id", text, maxsplit=1, flags=re.IGNORECASE)[0]

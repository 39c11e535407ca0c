"""How often Google Cloud is asked, over how many connections, and what happens where it does not answer."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from gcp_stage import POOL, GcpStage
from gcp_world import MEMBER, World, gcp_world, one
from sscsi_emulators.faults import Fault
from sscsi_emulators.google import ACCESS, LIST
from sscsi_emulators.google_store import GoogleStore
from sscsi_emulators.wire import Wire
from sscsi_provider_gcp.calls import Caller
from sscsi_provider_gcp.channels import Channels, Endpoints
from sscsi_provider_gcp.resources import Kind, read_resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import (
    AccessDenied,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    ObjectNotFound,
    ObjectUnusable,
)
from sscsi_shared.mount import PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.secret import SecretText
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        yield world


def crowd(stage: GcpStage, pods: int, secrets: str) -> list[dict[str, str]]:
    """The volumes of pods of one service account that start at once, by one provider as it is by default."""
    economy: Economy[Any, Any, Any, Any] = Economy(stage.provider, EconomyOptions())
    pipeline = Pipeline(stage.provider, stage.cluster, economy)

    def mount(number: int) -> dict[str, str]:
        pod = PodInfo(POD.namespace, f"web-{number}", f"uid-{number}", POD.service_account)
        sent = {"secrets": secrets} | pod_attributes(pod, stage.tokens(pod))
        result = pipeline.mount(read_mount(json.dumps(sent), "null", "420", "/t", ()), Deadline.after(30))
        return {file.path: file.contents.reveal().decode() for file in result.files}

    with ThreadPoolExecutor(pods) as pool:
        return list(pool.map(mount, range(pods)))


def test_fifty_pods_with_ten_secrets() -> None:
    with GcpStage() as stage:
        names = [f"s{number}" for number in range(10)]
        for name in names:
            stage.put(name, f"value of {name}")
        stage.accounts.annotations = {"iam.gke.io/gcp-service-account": "a@my-project.iam.gserviceaccount.com"}
        stage.google.logins.let_act(
            "serviceAccount:my-project.svc.id.goog[shop/web]", "a@my-project.iam.gserviceaccount.com"
        )
        entries = [{"resourceName": f"{stage.google.store.full(n)}/versions/latest", "path": n} for n in names]
        volumes = crowd(stage, 50, json.dumps(entries))
        assert volumes == [{name: f"value of {name}" for name in names}] * 50
        assert dict(stage.google.calls) == {"sts.Token": 1, "iam.GenerateAccessToken": 1, ACCESS: 10}


def test_sixty_first_mounts_of_a_region_are_one_connection() -> None:
    with GcpStage() as stage:
        name = "projects/my-project/locations/europe-west1/secrets/s"
        stage.google.store.put(name, "x")
        entries = [{"resourceName": f"{name}/versions/latest", "path": "a"}]
        assert crowd(stage, 60, json.dumps(entries)) == [{"a": "x"}] * 60
        assert stage.provider.channels.made == 1  # type: ignore[attr-defined]


def test_a_numbered_version_is_pinned_and_an_alias_is_not(world: World) -> None:

    assert read_resource("projects/p/secrets/s/versions/7").pinned
    for moving in ("secrets/s/versions/latest", "secrets/s/versions/prod", "locations/global/parameters/x/versions/1"):
        assert not read_resource(f"projects/p/{moving}").pinned
    world.google.store.put("s", "one")
    world.google.store.put("s", "two")
    world.google.store.alias("s", "prod", "1")
    assert world.files(one("s", "prod")) == {"a": b"one"}
    assert world.files(one("s", "2")) == {"a": b"two"}


def test_secrets_by_prefix_and_label(world: World) -> None:
    for number in range(3):
        world.google.store.put(f"shop-{number}", str(number), labels={"team": "shop"})
    world.google.store.put("shop-x", "x")
    world.google.store.put("workshop-1", "y", labels={"team": "shop"})
    select = {"prefix": "shop-", "tags": {"team": "shop"}, "stripPrefix": True}
    wanted = json.dumps([{"resourceName": "projects/my-project", "select": select}])
    assert world.files(wanted) == {"0": b"0", "1": b"1", "2": b"2"}
    short = json.dumps([{"select": {"prefix": "shop-", "limit": 2}}])
    error = world.refusal(short, project="my-project")
    assert isinstance(error, ObjectUnusable)
    assert "more than 2 secrets" in str(error)
    none = json.dumps([{"resourceName": "projects/my-project", "select": {"prefix": "none-"}}])
    assert isinstance(world.refusal(none), ObjectNotFound)


def selecting(**select: object) -> str:
    return json.dumps([{"resourceName": "projects/my-project", "select": select}])


@pytest.mark.parametrize(
    "select",
    [
        {"tags": {"team": 'x" OR labels.team="shop'}},
        {"tags": {'team="x" OR labels.team': "shop"}},
        {"tags": {"team": "shop OR name:a"}},
        {"prefix": "x OR name:shop"},
        {"prefix": 'x" OR name:"shop'},
        {"prefix": "shop/"},
        {"tags": {"1": "shop"}},
    ],
)
def test_no_selection_is_a_filter_of_its_authors_own(world: World, select: dict[str, object]) -> None:
    world.google.store.put("shop-1", "x", labels={"team": "shop"})
    error = world.refusal(selecting(**select))
    assert isinstance(error, InvalidParameters)
    assert "no secret" in str(error)
    assert not world.google.calls


def test_what_is_listed_is_looked_at_again(world: World) -> None:
    """As if the service's filter found everything."""
    world.google.store.finds_all = True
    for name, labels in {"shop-1": {"team": "shop"}, "shop-2": {"team": "other"}, "other": {"team": "shop"}}.items():
        world.google.store.put(name, name, labels=labels)
    assert world.files(selecting(prefix="shop-", tags={"team": "shop"})) == {"shop-1": b"shop-1"}
    assert world.files(selecting(tags={"team": "shop"})) == {"other": b"other", "shop-1": b"shop-1"}
    assert isinstance(world.refusal(selecting(tags={"team": "shop", "tier": ""})), ObjectNotFound)


def test_page_after_page_up_to_the_limit(world: World) -> None:
    world.google.store.most_listed = 3
    for number in range(10):
        world.google.store.put(f"s{number}", str(number))
    assert world.files(selecting(prefix="s")) == {f"s{number}": str(number).encode() for number in range(10)}
    assert world.google.calls[LIST] == 4
    world.google.calls.clear()
    assert "more than 4 secrets" in str(world.refusal(selecting(prefix="s", limit=4)))
    assert dict(world.google.calls) == {"sts.Token": 1, LIST: 2}, "one page more at most, and no read"


class Together(GoogleStore):
    """Every read waits until so many are there: one after the other they would never come."""

    def __init__(self, count: int) -> None:
        super().__init__("my-project")
        self._barrier = threading.Barrier(count, timeout=20)

    def read(self, name: str) -> tuple[str, bytes]:
        self._barrier.wait()
        return super().read(name)


def test_what_is_selected_is_read_side_by_side(world: World) -> None:
    world.google.store = Together(10)
    for number in range(10):
        world.google.store.put(f"s{number}", str(number))
    assert len(world.files(selecting(prefix="s"))) == 10


def test_what_several_entries_mean_is_read_once(world: World) -> None:
    for number in range(10):
        world.google.store.put(f"s{number}", str(number))
    entries = [
        {"resourceName": "projects/my-project", "select": {"prefix": "s"}},
        {"resourceName": "projects/my-project", "select": {"prefix": "s", "limit": 50}, "filePrefix": "again-"},
        {"resourceName": "projects/my-project/secrets/s0/versions/latest", "path": "alone"},
    ]
    assert len(world.files(json.dumps(entries))) == 21
    assert world.google.calls[ACCESS] == 10


def test_a_selected_secret_that_is_gone_is_left_out_and_a_denied_one_is_told(world: World) -> None:
    world.google.store.put("s1", "x")
    world.google.store.put("s2", "y")
    world.google.faults.add(Fault(ACCESS, 404, "NOT_FOUND", "gone", times=1))
    assert len(world.files(selecting(prefix="s"))) == 1
    world.google.deny(MEMBER, world.google.store.full("s2"))
    assert isinstance(world.refusal(selecting(prefix="s")), AccessDenied)


def test_short_names_need_a_project(world: World) -> None:
    world.google.store.put("db", "x")
    world.google.store.put("projects/my-project/locations/europe-west1/secrets/db", "eu")
    entry = json.dumps([{"resourceName": "db", "path": "a"}])
    assert world.files(entry, project="my-project") == {"a": b"x"}
    assert world.files(entry, project="my-project", location="europe-west1") == {"a": b"eu"}
    assert "unknown resource type" in str(world.refusal(entry))


def test_optional_and_all_keys_and_encodings(world: World) -> None:
    world.google.store.put("db", '{"user": "u", "port": 1}')
    world.google.store.put("b64", '{"key": "aGVsbG8="}')
    assert world.files(one("db", allKeys=True, filePrefix="db-", path="")) == {"db-user": b"u", "db-port": b"1"}
    assert world.files(one("none", optional=True)) == {}
    assert world.files(one("b64", extractJSONKey="key", objectEncoding="base64")) == {"a": b"hello"}
    jmes = [{"path": "user", "objectAlias": "user", "filePermission": "0400"}]
    assert world.files(one("db", jmesPath=jmes)) == {"a": b'{"user": "u", "port": 1}', "user": b"u"}


def test_a_damaged_payload_is_not_mounted(world: World) -> None:
    world.google.store.put("s", "x")
    world.google.faults.add(Fault("damage", 0, "", ""))
    error = world.refusal(one("s"))
    assert isinstance(error, BackendUnavailable)
    assert "CRC32C" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        (Fault(ACCESS, 503, "UNAVAILABLE", "down"), BackendUnavailable, 4),
        (Fault(ACCESS, 429, "RESOURCE_EXHAUSTED", "Quota exceeded"), BackendThrottled, 2),
        (Fault(ACCESS, 500, "INTERNAL", "boom"), BackendUnavailable, 1),
        (Fault(ACCESS, 400, "INVALID_ARGUMENT", "no"), ObjectUnusable, 1),
    ],
)
def test_what_is_tried_again(world: World, fault: Fault, kind: type[Exception], tries: int) -> None:
    world.google.store.put("s", "x")
    world.google.faults.add(fault)
    error = world.refusal(one("s"))
    assert isinstance(error, kind)
    assert fault.message in str(error)
    assert world.google.calls[ACCESS] == tries


class Silent:
    """A client whose first calls end without an answer."""

    def __init__(self, silent: int) -> None:
        self.left = silent

    def access_secret_version(self, **_: object) -> str:
        from google.api_core.exceptions import DeadlineExceeded

        if self.left:
            self.left -= 1
            raise DeadlineExceeded("Deadline Exceeded")  # type: ignore[no-untyped-call]
        return "answer"


def test_after_two_silent_attempts_the_next_goes_over_a_new_connection() -> None:

    clients = [Silent(9), Silent(0)]
    made = iter(clients)

    def client(channel: grpc.Channel) -> Silent:
        channel.close()
        return next(made)

    channels = Channels(Endpoints("localhost:1"), {Kind.SECRET: client})
    caller = Caller(channels, None, SecretText("t"), pause=lambda _: None)  # type: ignore[arg-type]
    resource = read_resource("projects/p/secrets/s/versions/1")
    assert caller.call("access_secret_version", resource, {"name": resource.name}, Deadline.after(60)) == "answer"
    assert clients[0].left == 7
    assert channels.made == 2


def test_connections_that_fall_silent_are_left(world: World) -> None:
    """With attempts of 0.3 s instead of 4: two of them, then a new connection (design, section 7)."""
    world.google.store.put("s", "x")
    with Wire(world.google.target) as wire:
        world.with_provider(endpoints=Endpoints(f"localhost:{wire.port}"), attempt_seconds=0.3)
        assert world.files(one("s")) == {"a": b"x"}
        wire.stall()
        assert world.files(one("s")) == {"a": b"x"}
        assert wire.connections == 2
        wire.stall(also_new=True)
        assert isinstance(world.refusal(one("s")), BackendUnavailable)
        wire.end_stall()
        assert world.files(one("s")) == {"a": b"x"}


def test_a_throttled_project_is_left_alone_by_all_identities(world: World) -> None:
    world.google.store.put("p", "v")
    world.google.store.put("projects/other/secrets/p", "other")
    economy: Economy[Any, Any, Any, Any] = Economy(world.provider, EconomyOptions())
    pipeline = Pipeline(world.provider, world.cluster, economy)

    def files(account: str, secrets: str) -> dict[str, bytes]:
        pod = PodInfo(POD.namespace, f"{account}-0", f"uid-{account}", account)
        token = world.kubernetes.token(pod.namespace, account, POOL, pod.name, pod.uid)
        sent = {"secrets": secrets} | pod_attributes(pod, tokens_text({POOL: token}))
        result = pipeline.mount(read_mount(json.dumps(sent), "null", "420", "/t", ()), Deadline.after(30))
        return {file.path: file.contents.reveal() for file in result.files}

    for account in ("api", "job"):
        metadata = {"namespace": POD.namespace, "name": account}
        world.kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    world.google.faults.add(Fault(ACCESS, 429, "RESOURCE_EXHAUSTED", "Quota exceeded"))
    with pytest.raises(BackendThrottled, match="Quota exceeded"):
        files("web", one("p"))
    asked = world.google.calls[ACCESS]
    for account in ("api", "job"):
        with pytest.raises(BackendThrottled, match="not asked, because it throttles"):
            files(account, one("p"))
    assert world.google.calls[ACCESS] == asked
    world.google.faults.clear()
    elsewhere = json.dumps([{"resourceName": "projects/other/secrets/p/versions/latest", "path": "a"}])
    assert files("api", elsewhere) == {"a": b"other"}, "another project has limits of its own"

    world.google.faults.add(Fault("sts.Token", 429, "rate_limited", "slower"))
    for account, text in (("late", "slower"), ("later", "not asked")):
        metadata = {"namespace": POD.namespace, "name": account}
        world.kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        with pytest.raises(BackendThrottled, match=text):
            files(account, elsewhere)

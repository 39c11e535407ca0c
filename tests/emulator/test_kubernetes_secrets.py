"""The stand-in's Secrets, held against recordings of a real API server: apply, types, owners, garbage collection."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3

from sscsi_emulators.kubernetes import KubernetesEmulator

RECORDINGS = Path(__file__).with_name("recordings")
FINALIZERS = "finalizers are not kept back: a deletion is at once"
NOT_CLAIMED: Mapping[str, Mapping[int, str]] = {
    "03-secret-server-side-apply": {
        12: "a name in the body other than the path's is not looked at",
        52: "an empty value in place of null is no change",
        69: "sub-resources of Secrets are none",
        70: FINALIZERS,
        71: FINALIZERS,
        72: FINALIZERS,
        73: FINALIZERS,
        77: "namespaces need not exist",
        79: "duplicate keys in JSON are not warned of",
        68: "dry runs are not made",
    },
    "04-secret-types": {
        27: "the annotation of a service-account-token is not asked for",
        28: "no controller deletes the token of an absent account",
        30: "the same",
        31: "no controller makes tokens",
        **dict.fromkeys((56, 57, 59), "JSON of wrong types is not told in Go's words"),
        **dict.fromkeys((67, 68, 69, 70, 71, 72), "values of a megabyte are not sent: test_too_much has the limit"),
    },
    "05-owner-reference-patches": {
        **dict.fromkeys((9, 10, 11, 12), "strategic merge patches are not taken"),
        20: "two controllers are not refused",
        26: "unknown fields of owners are not left out",
    },
    "06-garbage-collection": {
        **dict.fromkeys(range(45, 51), FINALIZERS),
        **dict.fromkeys(range(53, 57), FINALIZERS),
        **dict.fromkeys((57, 58, 59, 61), "orphaning is not done"),
        **dict.fromkeys((63, 64, 65), "preconditions of a deletion are not looked at"),
        69: "writer's token is not in the recording",
        35: "the collector leaves no Event",
    },
}
"""Steps that the stand-in does not claim, and why."""
LOOSE_TEXTS = ("secret contents redacted", "Go struct", 'Pod "')


class Replay:
    """Sends the steps and keeps what placeholders stand for."""

    def __init__(self, kubernetes: KubernetesEmulator) -> None:
        self.kubernetes = kubernetes
        self.values: dict[str, str] = {}
        self.http = urllib3.PoolManager()

    def put_in(self, recorded: Any) -> Any:
        if isinstance(recorded, dict):
            if "$repeat" in recorded:
                return recorded["$repeat"] * recorded["count"] + recorded.get("then", "")
            return {key: self.put_in(value) for key, value in recorded.items()}
        if isinstance(recorded, list):
            return [self.put_in(item) for item in recorded]
        if isinstance(recorded, str) and recorded.startswith("$UID") and recorded not in self.values:
            self.values[recorded] = f"uid-{recorded[1:]}"
        return self.values.get(recorded, recorded) if isinstance(recorded, str) else recorded

    def same(self, recorded: Any, found: Any, where: str) -> None:
        if isinstance(recorded, dict):
            assert isinstance(found, dict), where
            recorded = {key: value for key, value in recorded.items() if key not in {"managedFields", "generation"}}
            assert recorded.keys() == found.keys(), where
            for key, value in recorded.items():
                self.same(value, found[key], f"{where}.{key}")
        elif isinstance(recorded, list):
            if where.endswith(".causes"):  # a real server may name one twice
                recorded = [one for number, one in enumerate(recorded) if one not in recorded[:number]]
            assert len(recorded) == len(found), where
            for number, item in enumerate(recorded):
                self.same(item, found[number], f"{where}[{number}]")
        elif isinstance(recorded, str) and recorded == "$TIME":
            assert found, where
        elif isinstance(recorded, str) and recorded.startswith("$RV"):
            known = {int(key[3:]): int(value) for key, value in self.values.items() if key.startswith("$RV")}
            number = int(recorded[3:])
            assert known.setdefault(number, int(found)) == int(found), where
            assert all((other < number) == (value < int(found)) for other, value in known.items() if other != number)
            self.values[recorded] = found
        elif isinstance(recorded, str) and recorded.startswith("$"):
            assert self.values.setdefault(recorded, found) == found, where
        elif isinstance(recorded, str) and any(text in recorded for text in LOOSE_TEXTS):
            assert isinstance(found, str), where
        elif isinstance(recorded, str):
            texts = sorted(self.values.items(), key=lambda item: -len(item[0]))
            for key, value in texts:
                recorded = recorded.replace(key, value)
            assert recorded == found, where
        else:
            assert recorded == found, where

    def step(self, step: Mapping[str, Any]) -> None:
        request, response = step["request"], step["response"]
        body = self.put_in(request.get("body"))
        content = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        answer = self.http.request(
            request["method"],
            self.kubernetes.url + self.put_in(request["path"]) + query(request["query"]),
            body=content,
            headers={
                **request["headers"],
                "Authorization": f"Bearer {self.kubernetes.admin_token}",
                "User-Agent": "client/1.0",
            },
            retries=False,
        )
        assert answer.headers["Content-Type"].startswith("application/json"), answer.data
        found = json.loads(answer.data)
        assert answer.status == response["status"], found
        assert answer.headers["Content-Type"] == response["headers"]["content-type"]
        recorded = response["body"]
        if recorded.get("kind") in {"Pod", "ReplicaSet"}:  # what a real server adds to these is not made up
            recorded, found = ({"uid": body["metadata"]["uid"]} for body in (recorded, found))
        self.same(recorded, found, "body")


def query(recorded: Mapping[str, str]) -> str:
    return "?" + "&".join(f"{key}={value}" for key, value in recorded.items()) if recorded else ""


@pytest.fixture
def kubernetes() -> Iterator[KubernetesEmulator]:
    with KubernetesEmulator() as emulator:
        yield emulator


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("03-secret-server-side-apply", 65),
        ("04-secret-types", 48),
        ("05-owner-reference-patches", 20),
        ("06-garbage-collection", 30),
    ],
)
def test_recording(kubernetes: KubernetesEmulator, name: str, least: int) -> None:
    replay = Replay(kubernetes)
    kubernetes.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1", "uid": "uid-UID17"}})
    for one in ("1", "2", "3") if name.startswith("05") else ():
        metadata = {"namespace": "s05", "name": f"o{one}", "uid": f"uid-UID{int(one) + 1}"}
        kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    claimed = 0
    for number, step in enumerate(json.loads((RECORDINGS / f"{name}.json").read_text())["steps"]):
        if number in NOT_CLAIMED[name] or "request" not in step:
            continue
        try:
            replay.step(step)
        except AssertionError as error:
            raise AssertionError(f"step {number} ({step.get('note', '')}): {error}") from error
        claimed += 1
    assert claimed >= least

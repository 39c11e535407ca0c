"""The Kubernetes stand-in, held against recordings of a real API server (v1.36.3)."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3

from sscsi_emulators.kubernetes import KubernetesEmulator

RECORDINGS = Path(__file__).with_name("recordings")
NOT_CLAIMED: Mapping[int, str] = {
    1: "the defaults that an API server gives a Pod are not made up: the pod is set up",
    2: "the same",
    12: "an expiry 136 years ahead is recorded as a number",
    18: "warnings about unknown fields are not given",
    52: "the recorded token with a broken signature can't be made again",
    56: "made as the pod, with a token for the API server that the recording does not hold",
    58: "SelfSubjectReview is not served",
    59: "the Pod's whole status is answered: the pod is deleted",
    60: "a real server remembers a review for up to 10 s",
    63: "made as the pod",
    65: "as step 1",
    70: "as step 60",
    76: "an observation; test_discovery_and_keys has it",
}
"""Steps of recording 08 that the stand-in does not claim, and why."""
PODS = {"p1": "app", "p2": "default"}


class Replay:
    """Sends the steps and keeps what placeholders stand for."""

    def __init__(self, kubernetes: KubernetesEmulator, namespace: str) -> None:
        self.kubernetes = kubernetes
        self._namespace = namespace
        self.values: dict[str, Any] = {}
        self.http = urllib3.PoolManager()
        for number, (name, account) in enumerate(PODS.items(), start=2):
            self.values[f"$UID{number}"] = f"uid-of-{name}"
            self.make("Pod", name, {"serviceAccountName": account, "nodeName": "node1"})
        self.values["$UID4"] = "uid-of-node1"
        self.make("Node", "node1", {})
        self.make("Secret", "bs", {})

    def make(self, kind: str, name: str, spec: Mapping[str, str], uid: str = "") -> None:
        """Set an object up that the recording rests on."""
        metadata = {"name": name, "uid": uid or f"uid-of-{name}"}
        if kind != "Node":
            metadata["namespace"] = self._namespace
        self.kubernetes.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})

    def stand_in(self, number: int) -> None:
        """Do by hand what steps do whose answers are not claimed."""
        if number == 59:
            self.kubernetes.delete("Pod", self._namespace, "p1")
        elif number == 65:
            self.make("Pod", "p1", {"serviceAccountName": "app", "nodeName": "node1"}, "uid-of-the-new-p1")

    def put_in(self, recorded: Any) -> Any:
        """The request, with values for placeholders."""
        if isinstance(recorded, dict):
            if "$jwt" in recorded:
                return self.values[recorded["$jwt"]]
            return {key: self.put_in(value) for key, value in recorded.items()}
        if isinstance(recorded, list):
            return [self.put_in(item) for item in recorded]
        return self.values.get(recorded, recorded) if isinstance(recorded, str) else recorded

    def same(self, recorded: Any, found: Any, where: str) -> None:
        """Compare as trees; a placeholder matches anything the first time, the same afterwards."""
        if isinstance(recorded, dict) and "$jwt" in recorded:
            self.same(recorded["$jwt"], found, where)
            if "claims" in recorded:
                header, claims, _ = found.split(".")
                self.values["$IAT"] = decoded(claims)["iat"]
                self.same(recorded["header"], decoded(header), f"{where}.header")
                self.same(recorded["claims"], decoded(claims), f"{where}.claims")
        elif isinstance(recorded, dict):
            assert isinstance(found, dict), where
            keys = {key for key in recorded if key != "managedFields"}
            assert keys == found.keys(), where
            for key in keys:
                self.same(recorded[key], found[key], f"{where}.{key}")
        elif isinstance(recorded, list):
            assert len(recorded) == len(found), where
            for number, item in enumerate(recorded):
                self.same(item, found[number], f"{where}[{number}]")
        elif isinstance(recorded, str) and recorded.startswith("$IAT+"):
            assert found == self.values["$IAT"] + int(recorded[5:]), where
        elif isinstance(recorded, str) and recorded in {"$TIME", "$IAT"}:
            assert found, where
        elif isinstance(recorded, str) and recorded.startswith("$"):
            assert self.values.setdefault(recorded, found) == found, where
        elif isinstance(recorded, str) and ("$UID" in recorded or "$NODEIP" in recorded):
            assert isinstance(found, str), where
        else:
            assert recorded == found, where

    def step(self, step: Mapping[str, Any]) -> None:
        request, response = step["request"], step["response"]
        headers = dict(request["headers"])
        tokens = {"admin": self.kubernetes.admin_token, "vault-token": self.values.get("$TOKEN2", "")}
        headers["Authorization"] = f"Bearer {tokens[step['as']]}"
        body = self.put_in(request.get("body"))
        content = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        answer = self.http.request(
            request["method"], self.kubernetes.url + request["path"], body=content, headers=headers, retries=False
        )
        found = json.loads(answer.data)
        assert answer.status == response["status"], found
        assert answer.headers["Content-Type"] == response["headers"]["content-type"]
        recorded = response["body"]
        if answer.status in {400, 500} and "Go struct" in recorded.get("message", ""):
            recorded, found = ({**one, "message": ""} for one in (recorded, found))
        self.same(recorded, found, "body")


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
def kubernetes() -> Iterator[KubernetesEmulator]:
    with KubernetesEmulator() as emulator:
        yield emulator


def test_tokens(kubernetes: KubernetesEmulator) -> None:
    name = "08-token-request-and-review"
    replay = Replay(kubernetes, "s08")
    claimed = 0
    for number, step in enumerate(json.loads((RECORDINGS / f"{name}.json").read_text())["steps"]):
        if number in NOT_CLAIMED:
            replay.stand_in(number)
            continue
        try:
            replay.step(step)
        except AssertionError as error:
            raise AssertionError(f"step {number} ({step.get('note', '')}): {error}") from error
        claimed += 1
    assert claimed == 64


def test_refusals(kubernetes: KubernetesEmulator) -> None:
    """The 401 and 403 of recording 07, for the resources that the stand-in has."""
    kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "s07", "name": "nobody"}})
    nobody = kubernetes.token("s07", "nobody", kubernetes.issuer)
    tokens = {"nobody": nobody, "garbage": "garbage", "broken-signature": nobody[:-8] + "AAAAAAAA"}
    tokens["wrong-audience"] = kubernetes.token("s07", "nobody", "other")
    http = urllib3.PoolManager()
    compared = 0
    for step in json.loads((RECORDINGS / "07-rbac-denials-and-401.json").read_text())["steps"]:
        if step.get("as") not in {*tokens, "anonymous"} or step["response"]["status"] not in {401, 403}:
            continue
        request = step["request"]
        resource = request["path"].split("/s07/")[-1].split("/")[0]
        if "/namespaces/s07/" not in request["path"] or resource not in {"secrets", "serviceaccounts", "pods"}:
            continue
        if request["query"].get("watch") or (request["query"].get("fieldSelector") or "").startswith("metadata.name"):
            continue
        headers = {} if step["as"] == "anonymous" else {"Authorization": f"Bearer {tokens[step['as']]}"}
        answer = http.request(request["method"], kubernetes.url + request["path"], headers=headers, retries=False)
        assert (answer.status, json.loads(answer.data)) == (step["response"]["status"], step["response"]["body"]), step
        compared += 1
    assert compared >= 12


def test_discovery_and_keys(kubernetes: KubernetesEmulator) -> None:
    http = urllib3.PoolManager(headers={"Authorization": f"Bearer {kubernetes.admin_token}"})
    found = http.request("GET", f"{kubernetes.url}/.well-known/openid-configuration").json()
    assert found["issuer"] == kubernetes.issuer
    keys = http.request("GET", found["jwks_uri"], headers={**http.headers, "Accept": "*/*"})
    assert keys.headers["Content-Type"] == "application/jwk-set+json"
    assert keys.json()["keys"][0]["alg"] == "RS256"

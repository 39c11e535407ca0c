"""Events at the API server: the body as recorded, and no trouble of theirs is a mount's."""

import json

import httpx2
import pytest

from kube_rig import kube_at
from sscsi_driver.event_writer import ApiEvents
from sscsi_driver.events import Event, event_body, rotation_failed
from sscsi_shared.mount import PodInfo

POD = PodInfo(namespace="shop", name="web-0", uid="uid-1", service_account="web")


def writer(*answers: httpx2.Response | Exception) -> tuple[ApiEvents, list[httpx2.Request]]:
    requests: list[httpx2.Request] = []
    waiting = list(answers)

    def serve(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ApiEvents(kube_at(serve), "node-1", now=lambda: 1767355445.0), requests


def test_the_object() -> None:
    assert event_body(POD, Event("Rotated", "m"), "node-1", "abc", 1767355445.0) == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web-0.abc", "namespace": "shop"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web-0", "uid": "uid-1"},
        "reason": "Rotated",
        "message": "m",
        "type": "Normal",
        "source": {"component": "sscsi-driver", "host": "node-1"},
        "firstTimestamp": "2026-01-02T12:04:05Z",
        "lastTimestamp": "2026-01-02T12:04:05Z",
        "count": 1,
    }


def test_long_words_are_cut() -> None:
    pod = PodInfo(namespace="shop", name="x" * 199 + "-" + "y" * 53, uid="u", service_account="w")
    body = event_body(pod, rotation_failed("demo", "é" * 5000), "node-1", "a" * 16, 0.0)
    assert len(body["metadata"]["name"]) <= 253
    assert "-." not in body["metadata"]["name"]
    assert len(body["message"].encode()) <= 1024
    assert body["type"] == "Warning"


def test_it_is_created_in_the_pods_namespace() -> None:
    events, requests = writer(httpx2.Response(201, json={"metadata": {"name": "x"}}))
    events.tell(POD, Event("Mounted", "m"))
    assert requests == [], "telling does not wait"
    assert events.write_one(0)
    assert (requests[0].method, requests[0].url.path) == ("POST", "/api/v1/namespaces/shop/events")
    assert json.loads(requests[0].content)["reason"] == "Mounted"
    assert not events.write_one(0)


def test_trouble_is_said_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    denied = {"kind": "Status", "code": 403, "message": 'events is forbidden: User "x" cannot create'}
    events, _ = writer(
        httpx2.Response(403, json=denied), httpx2.ConnectError("refused"), httpx2.Response(502, text="<html>"),
        httpx2.Response(201, json={}), httpx2.ReadTimeout("slow"),
    )  # fmt: skip
    for _ in range(5):
        events.tell(POD, Event("Mounted", "m"))
        assert events.write_one(0)
    assert caplog.text.count("are not written") == 2
    assert "events is forbidden" in caplog.text


def test_too_many_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    events, _ = writer()
    for _ in range(600):
        events.tell(POD, Event("Mounted", "m"))
    assert caplog.text.count("too many of them wait") == 1

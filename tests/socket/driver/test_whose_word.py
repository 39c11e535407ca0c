"""What a pod may say, and what only kubelet may."""

import json
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from driver_rig import POD, TOKENS, Driver, failure, gone, needs_mount
from scripted_provider import ScriptedProvider
from sscsi_driver.attributes import DriverObject, OverlayRule

pytestmark = needs_mount


class TestWhoseWordItIs:
    """A pod may set any volumeAttribute; kubelet's words count only where kubelet writes them."""

    FORGED = '{"a":{"token":"forged"}}'
    TRUE = '{"a":{"token":"true"}}'

    @pytest.mark.parametrize(
        ("driver_object", "context", "secrets", "expected"),
        [
            (None, FORGED, None, FORGED),
            (DriverObject(token_requests=False, tokens_in_secrets=False, pod_info=True), FORGED, None, None),
            (DriverObject(token_requests=True, tokens_in_secrets=False, pod_info=True), TRUE, None, TRUE),
            (DriverObject(token_requests=True, tokens_in_secrets=True, pod_info=True), FORGED, TRUE, TRUE),
            (DriverObject(token_requests=True, tokens_in_secrets=True, pod_info=True), FORGED, None, None),
        ],
    )
    def test_tokens(
        self,
        driver: Driver,
        provider: ScriptedProvider,
        target: Path,
        driver_object: DriverObject | None,
        context: str,
        secrets: str | None,
        expected: str | None,
    ) -> None:
        driver.classes.driver = driver_object

        driver.publish(
            target, volume_context={**POD, TOKENS: context}, secrets={} if secrets is None else {TOKENS: secrets}
        )

        assert json.loads(provider.requests[0].attributes).get(TOKENS) == expected
        assert provider.requests[0].secrets == "null"

    def test_pod_info_that_kubelet_did_not_write_is_not_believed(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        driver.classes.driver = DriverObject(token_requests=True, tokens_in_secrets=True, pod_info=False)
        code, details = failure(lambda: driver.publish(target))
        assert (code, "podInfoOnMount" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
        assert gone(home, target)

    @pytest.mark.parametrize(
        ("rule", "region"), [("override", "of pod"), ("ignore", "of class"), ("x,region", "of pod")]
    )
    def test_which_parameters_a_pod_may_override(
        self, start: Callable[..., Driver], provider: ScriptedProvider, target: Path, rule: str, region: str
    ) -> None:
        driver = start(overlay=OverlayRule.parse(rule))
        driver.classes.parameters = {"region": "of class"}
        driver.publish(target, volume_context={**POD, "region": "of pod", "other": "of pod"})
        attributes = json.loads(provider.requests[0].attributes)
        assert attributes["region"] == region
        assert ("other" in attributes) == (rule == "override")
        assert attributes["csi.storage.k8s.io/pod.uid"] == "uid-1"

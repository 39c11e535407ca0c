"""The README's grpcurl lines, run as they stand; and the same calls by server reflection alone."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
TOOLS = f"{ROOT / '.tools'}{os.pathsep}{os.environ.get('PATH', '')}"
SERVICE = "v1alpha1.CSIDriverProvider"
SAMPLE = b"h+7Q?D7ydVXrzCXn"


@pytest.fixture(scope="module")
def exports() -> Iterator[Mapping[str, str]]:
    """What `sscsi demo --stay` prints for the second terminal."""
    command = [sys.executable, "-m", "sscsi", "demo", "--stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as demo:
        assert demo.stdout is not None
        found: dict[str, str] = {}
        for line in demo.stdout:
            if match := re.match(r"\s*export (\w+)=(\S+)", line):
                found[match[1]] = match[2]
            if {"SOCKET", "REQUEST"} <= found.keys():
                break
        yield found
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(timeout=30) == 0
    assert not Path(found["REQUEST"]).exists(), "the request holds a token: it goes with the demo"


def test_the_lines_of_the_readme(exports: Mapping[str, str]) -> None:
    if shutil.which("grpcurl", path=TOOLS) is None:
        pytest.skip("grpcurl is not installed; .ci/run installs it where Go is present")
    block = re.search(r"<!-- grpcurl -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    script = f"set -euo pipefail\n{block[1]}"
    environment = {**os.environ, **exports, "PATH": TOOLS}
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    decoder = json.JSONDecoder()
    version, end = decoder.raw_decode(done.stdout)
    mounted, _ = decoder.raw_decode(done.stdout[end:].lstrip())
    assert version["version"] == "v1alpha1"
    assert [(file["path"], base64.b64decode(file["contents"])) for file in mounted["files"]] == [("password", SAMPLE)]
    assert [entry["id"] for entry in mounted["objectVersion"]] == ["password"]


def test_the_same_calls_by_reflection_alone(exports: Mapping[str, str]) -> None:
    with grpc.insecure_channel(
        f"unix:{exports['SOCKET']}", options=[("grpc.default_authority", "localhost")]
    ) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service = pool.FindServiceByName(SERVICE)

        def call(method: str, request: dict[str, object]) -> dict[str, object]:
            described = service.methods_by_name[method]
            message = json_format.ParseDict(request, message_factory.GetMessageClass(described.input_type)())
            invoke: Any = channel.unary_unary(
                f"/{SERVICE}/{method}",
                request_serializer=lambda value: value.SerializeToString(),
                response_deserializer=message_factory.GetMessageClass(described.output_type).FromString,
            )
            return json_format.MessageToDict(invoke(message, timeout=20))

        assert call("Version", {"version": "v1alpha1"})["version"] == "v1alpha1"
        answer = call("Mount", json.loads(Path(exports["REQUEST"]).read_text()))
        files = answer["files"]
        assert isinstance(files, list)
        assert [(file["path"], file["mode"], base64.b64decode(file["contents"])) for file in files] == [
            ("password", 0o644, SAMPLE)
        ]

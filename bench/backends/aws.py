"""AWS: Secrets Manager by IRSA, canned."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from bench.backends.backend import Promises
from sscsi_emulators.canned_aws import CannedAws


class AwsBackend:
    """See Backend.

    Attributes:
        aws: what is asked.
    """

    name: ClassVar[str] = "aws"
    audience: ClassVar[str] = "sts.amazonaws.com"
    promises: ClassVar[Promises] = Promises(first_calls=2, crowd_calls=2, round_trips=4, idle_mib=75)

    def __init__(self, latency: float, folder: Path) -> None:
        del folder
        self.aws = CannedAws(latency)

    def __enter__(self) -> Self:
        self.aws.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.aws.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Backend."""
        return self.aws.calls

    def flags(self) -> list[str]:
        """See Backend."""
        services = ("sts", "secretsmanager", "ssm")
        return ["--region=eu-central-1", *(f"--{service}-endpoint={self.aws.url}" for service in services)]

    def environ(self) -> Mapping[str, str]:
        """See Backend."""
        return {}

    def annotations(self, account: str) -> Mapping[str, str]:
        """See Backend."""
        return {"eks.amazonaws.com/role-arn": f"arn:aws:iam::123456789012:role/{account}"}

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """See Backend."""
        objects = [{"objectName": f"s{number}", "objectType": "secretsmanager"} for number in range(secrets)]
        return {"objects": json.dumps(objects)}

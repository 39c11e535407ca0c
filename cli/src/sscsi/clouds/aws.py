"""AWS: Secrets Manager, by IRSA."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import ClassVar, Final, Self

from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, Ground
from sscsi_emulators.aws import REGION, AwsEmulator

ROLE: Final = "arn:aws:iam::123456789012:role/application-one-secrets"
"""In the annotation of the article's service account."""
SECRET: Final = "password"  # noqa: S105  # the article's name for it


class AwsCloud:
    """See Cloud.

    Attributes:
        backend: Secrets Manager, SSM and STS.
    """

    name: ClassVar[str] = "aws"
    title: ClassVar[str] = "AWS Secrets Manager"
    audience: ClassVar[str] = "sts.amazonaws.com"
    rights: ClassVar[tuple[tuple[str, str], ...]] = (("get", "serviceaccounts"),)
    file: ClassVar[str] = "password"

    def __init__(self, ground: Ground) -> None:
        self.backend = AwsEmulator()
        self._ground = ground

    def __enter__(self) -> Self:
        self.backend.__enter__()
        verify = self._ground.kubernetes.verify
        self.backend.trust(ROLE, verify, f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.backend.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Cloud."""
        return self.backend.calls

    def put(self, value: str) -> None:
        """See Cloud."""
        self.backend.put_secret(SECRET, value)

    def flags(self) -> list[str]:
        """See Cloud."""
        services = ("sts", "secretsmanager", "ssm")
        return [f"--region={REGION}", *(f"--{service}-endpoint={self.backend.url}" for service in services)]

    def environ(self) -> Mapping[str, str]:
        """See Cloud."""
        return {}

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        """See Cloud; the article prints no address."""
        return printed

    def handed_out(self) -> Iterable[str]:
        """See Cloud."""
        return self.backend.handed_out()

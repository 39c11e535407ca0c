"""Google Cloud: Secret Manager, by Workload Identity on GKE, as a Google service account."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import ClassVar, Final, Self

from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, Ground
from sscsi_emulators.google import PROJECT, GoogleEmulator

SECRET: Final = "testsecret"  # noqa: S105  # the article's name for it
TARGET: Final = "gsa-name@my-project.iam.gserviceaccount.com"
"""In the annotation of the article's service account."""
_POOL: Final = f"{PROJECT}.svc.id.goog"
_CLUSTER: Final = {"PROJECT": PROJECT, "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "demo"}
_PROVIDER: Final = (
    f"https://container.googleapis.com/v1/projects/{PROJECT}/locations/{_CLUSTER['CLUSTER_LOCATION']}"
    f"/clusters/{_CLUSTER['CLUSTER_NAME']}"
)


class GcpCloud:
    """See Cloud.

    Attributes:
        backend: Secret Manager, and what logs in.
    """

    name: ClassVar[str] = "gcp"
    title: ClassVar[str] = "Google Secret Manager"
    audience: ClassVar[str] = _POOL
    rights: ClassVar[tuple[tuple[str, str], ...]] = (("get", "serviceaccounts"),)
    file: ClassVar[str] = "password.txt"

    def __init__(self, ground: Ground) -> None:
        self.backend = GoogleEmulator()
        self._ground = ground

    def __enter__(self) -> Self:
        self.backend.__enter__()
        self.backend.logins.trust(f"identitynamespace:{_POOL}:{_PROVIDER}", self._ground.kubernetes.verify)
        self.backend.logins.let_act(f"serviceAccount:{_POOL}[{NAMESPACE}/{ACCOUNT}]", TARGET)
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
        self.backend.store.put(SECRET, value)

    def flags(self) -> list[str]:
        """See Cloud."""
        return [
            "--metrics_addr=",
            f"--ca-bundle={self.backend.ca_file}",
            f"--secretmanager-endpoint={self.backend.target}",
            f"--token-exchange-endpoint={self.backend.logins.url}/v1/identitybindingtoken",
            f"--iam-endpoint={self.backend.logins.url}",
        ]

    def environ(self) -> Mapping[str, str]:
        """See Cloud."""
        return _CLUSTER

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        """See Cloud; the article prints no address."""
        return printed

    def handed_out(self) -> Iterable[str]:
        """See Cloud."""
        return self.backend.handed_out()

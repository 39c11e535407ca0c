"""Where the pods' tokens are exchanged: GKE's own pool, a fleet's, or any workload identity pool."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sscsi_provider_gcp.metadata import MetadataFacts
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, clip

GKE_ENDPOINT: Final = "https://container.googleapis.com/v1"
IAM: Final = "//iam.googleapis.com/"
_FLEET_PARTS: Final = 3
_MAX_FILE_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Pool:
    """What a token has to be for, and what it is exchanged for.

    Attributes:
        audiences: of the pod's token; any of them will do, the first is asked for.
        exchange: audience of the token exchange.
    """

    audiences: tuple[str, ...]
    exchange: str


def pool_of(audience: str) -> Pool:
    """The pool of an audience: `identitynamespace:<pool>:<provider>` of GKE and fleets, or a provider's resource."""
    parts = audience.split(":", _FLEET_PARTS - 1)
    if len(parts) == _FLEET_PARTS and parts[0] == "identitynamespace":
        return Pool((parts[1], audience), audience)
    return Pool((audience, f"https:{audience}"), audience)


def pool_in_file(path: Path) -> Pool:
    """The pool that an `external_account` file names; nothing else in it is looked at.

    Raises:
        AuthenticationFailed: it can't be read, or is of another type.
    """
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(_MAX_FILE_BYTES))
    except OSError as error:
        raise AuthenticationFailed(f"GOOGLE_APPLICATION_CREDENTIALS can't be read: {error.strerror}.") from error
    except ValueError:
        raise AuthenticationFailed("GOOGLE_APPLICATION_CREDENTIALS is not JSON.") from None
    kind = document.get("type") if isinstance(document, dict) else None
    if kind != "external_account" or not isinstance(document.get("audience"), str):
        raise AuthenticationFailed(
            f"google: unexpected credentials type: {clip(str(kind), 64)}, expected: external_account"
        )
    return pool_of(document["audience"])


class Federation:
    """Finds the pool of a request.

    Args:
        facts: of the cluster, from the environment or the metadata server.
        credentials_file: of the operator (GOOGLE_APPLICATION_CREDENTIALS); None = none.
        gke_endpoint: the beginning of a GKE cluster's identity provider.
    """

    def __init__(self, facts: MetadataFacts, credentials_file: Path | None, gke_endpoint: str = GKE_ENDPOINT) -> None:
        self._facts = facts
        self._file = credentials_file
        self._gke_endpoint = gke_endpoint

    def begin(self) -> None:
        """Start to ask the metadata server, where its answer will be needed."""
        if self._file is None:
            self._facts.begin()

    def pool(self, provider: str, deadline: Deadline) -> Pool:
        """The pool.

        What the class names; else the cluster's own, where the environment says all of it; else what the operator's
        file names; else the cluster's own, by the metadata server.

        Args:
            provider: resource name of a pool's provider; empty where the class names none.
            deadline: of the wait for the first answer of the metadata server.

        Raises:
            AuthenticationFailed: nobody says one.
        """
        if provider:
            return pool_of(IAM + provider)
        if not self._facts.known and self._file is not None:
            return pool_in_file(self._file)
        facts = self._facts.get(deadline)
        pool = f"{facts.project}.svc.id.goog"
        cluster = f"projects/{facts.project}/locations/{facts.location}/clusters/{facts.cluster}"
        return pool_of(f"identitynamespace:{pool}:{self._gke_endpoint}/{cluster}")


def credentials_file(environ: Mapping[str, str]) -> Path | None:
    """The operator's file, where one is named."""
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    return Path(path) if path else None

"""The AWS provider: the seam's four steps."""

import os
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, TypeAlias
from urllib.request import getproxies_environment

from sscsi_provider_aws.auth import AUDIENCE, AwsIdentity, WebIdentity, assume_role, role_of
from sscsi_provider_aws.batches import Batches
from sscsi_provider_aws.clients import AWS_OWN, AwsCredentials, Clients, Endpoints, acting_as
from sscsi_provider_aws.parameters import (
    PARAMETER_STORE,
    AwsRequest,
    Described,
    check_regions,
    read_request,
    region_of_arns,
)
from sscsi_provider_aws.secretsmanager import Secret, SecretsManager
from sscsi_provider_aws.ssm import Parameter, fetch_parameters
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, InvalidParameters, ObjectError
from sscsi_shared.mount import MountInput, MountPlan, Output, Place, PlannedRead, Read
from sscsi_shared.provider import Login
from sscsi_shared.tokens import prove
from sscsi_shared.transform import JmesPath

RUNTIME_NAME: Final = "secrets-store-csi-driver-provider-aws"
VERSION: Final = metadata.version("sscsi-provider-aws")

AwsObject: TypeAlias = Secret | Parameter


class AwsSession:
    """One role in one region."""

    def __init__(self, clients: Clients, credentials: AwsCredentials, role: str, region: str, batches: Batches) -> None:
        self._clients = clients
        self._credentials = credentials
        self._secrets = SecretsManager(clients, region, role, batches)
        self._role = role
        self._region = region

    @property
    def expires_at(self) -> Instant:
        """When the role's credentials end."""
        return self._credentials.expires_at

    def fetch(self, objects: Sequence[AwsObject], deadline: Deadline) -> Mapping[AwsObject, Read | ObjectError]:
        """See Session."""
        secrets = [one for one in objects if isinstance(one, Secret)]
        parameters = [one for one in objects if isinstance(one, Parameter)]
        found: dict[AwsObject, Read | ObjectError] = {}
        with acting_as(self._credentials):
            if secrets:
                found.update(self._secrets.fetch(secrets, deadline).items())
            if parameters:
                found.update(fetch_parameters(self._clients, self._region, self._role, parameters, deadline).items())
        return found

    def close(self) -> None:
        """Clients are shared; there is nothing to give back."""


class AwsProvider:
    """Secrets Manager and Parameter Store.

    Args:
        endpoints: where the services are.
        region: where a class and its ARNs name none; empty = ask for the node's.
        ca_bundle: PEM file of authorities; None = the system's.
        app_id: goes into the user agent; by default name and version.
        batch: whether BatchGetSecretValue is used where it can be.
        now: seconds since 1970.
        clock: seconds that only grow.
        environ: for proxies and FIPS.
    """

    name = "aws"

    def __init__(
        self,
        *,
        endpoints: Endpoints = AWS_OWN,
        region: str = "",
        ca_bundle: Path | None = None,
        app_id: str = f"{RUNTIME_NAME}-{VERSION}",
        batch: bool = True,
        now: Clock = time.time,
        clock: Clock = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._clients = Clients(endpoints, ca_bundle, app_id, environ)
        self._batches = Batches(on=batch, clock=clock)
        self._region = region
        self._ca_bundle = str(ca_bundle or "")
        self._now = now
        self._fips = environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
        self._proxy = tuple(sorted(getproxies_environment().items()))

    def parse(self, mount: MountInput) -> AwsRequest:
        """See Provider."""
        return read_request(mount)

    def identify(self, request: AwsRequest, cluster: Cluster, deadline: Deadline) -> Login[AwsIdentity, WebIdentity]:
        """See Provider. The token proves itself before the cluster is asked."""
        pod = request.mount.pod
        token = request.mount.tokens.for_audience(AUDIENCE, context="IRSA token extraction failed")
        proof = prove(token, pod=pod, audience=AUDIENCE, now=self._now(), context="IRSA token extraction failed")
        region = self._find_region(request, cluster, deadline)
        account = cluster.service_account(pod.namespace, pod.service_account, deadline)
        endpoints = self._clients.endpoints
        identity = AwsIdentity(
            mode="irsa",
            namespace=pod.namespace,
            service_account=pod.service_account,
            uid=account.uid,
            issuer=proof.issuer,
            audience=AUDIENCE,
            role=role_of(account.annotations, pod.namespace, pod.service_account),
            region=region,
            endpoints=(endpoints.sts, endpoints.secretsmanager, endpoints.ssm),
            ca_bundle=self._ca_bundle,
            proxy=self._proxy,
            fips=self._fips,
        )
        account_id = identity.role.split(":")[4]  # whose quota it is
        return Login(identity, WebIdentity(token.token), proof.expires_at, (account_id, identity.endpoints))

    def plan(self, request: AwsRequest, identity: AwsIdentity) -> MountPlan[AwsObject]:
        """See Provider."""
        check_regions(request.objects, identity.region)
        place = Place(identity.region)
        return MountPlan(tuple(_planned(one, place) for one in request.objects))

    def open(self, login: Login[AwsIdentity, WebIdentity], place: Place, deadline: Deadline) -> AwsSession:
        """See Provider."""
        credentials = assume_role(self._clients, login.identity, login.credentials, place, deadline)
        return AwsSession(self._clients, credentials, login.identity.role, place, self._batches)

    def _find_region(self, request: AwsRequest, cluster: Cluster, deadline: Deadline) -> str:
        """From the class, its ARNs, the operator, the node's label: the first that says one."""
        if region := request.region or region_of_arns(request.objects) or self._region:
            return _checked(region)
        pod = request.mount.pod
        try:
            region = cluster.node_region(pod.namespace, pod.name, deadline)
        except AuthenticationFailed as error:
            raise AuthenticationFailed(
                f"failed to retrieve region from node. error {error}", hint=_REGION_HINT
            ) from error
        if not region:
            raise AuthenticationFailed(
                "failed to retrieve region from node. error Region not found.", hint=_REGION_HINT
            )
        return _checked(region)


_REGION_HINT: Final = "Set the parameter `region`, or AWS_REGION or --region of the provider."


def _checked(region: str) -> str:
    """A region becomes a part of a host's name: nothing else may stand in it."""
    if not region.isascii() or not region.replace("-", "").isalnum() or len(region) > 63 or region.startswith("-"):
        raise InvalidParameters(
            f"{region[:63]!r} is no AWS region.", path="parameters.region", hint="It looks like eu-central-1."
        )
    return region


def _planned(one: Described, place: Place) -> PlannedRead[AwsObject]:
    target: AwsObject
    if one.service == PARAMETER_STORE:
        target = Parameter(one.name, one.version or one.label)
    else:
        target = Secret(one.name, one.version, one.label)
    outputs = [Output(one.path, one.mode, one.path)]
    outputs += [
        Output(entry.path, entry.mode, entry.path, JmesPath(entry.expression, one.name, entry.alias))
        for entry in one.jmes
    ]
    return PlannedRead(one.name, ((place, target),), tuple(outputs), one.optional)

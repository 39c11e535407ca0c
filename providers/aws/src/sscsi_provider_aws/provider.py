"""The AWS provider: the seam's four steps."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.request import getproxies_environment

from sscsi_provider_aws import auth, podidentity
from sscsi_provider_aws.batches import Batches
from sscsi_provider_aws.clients import AWS_OWN, AwsCredentials, Clients, Endpoints, acting_as
from sscsi_provider_aws.descriptors import PARAMETER_STORE, Described, Target
from sscsi_provider_aws.identity import IRSA, POD_IDENTITY, AwsIdentity, WebIdentity
from sscsi_provider_aws.parameters import AwsRequest, check_regions, read_request, region_of_arns
from sscsi_provider_aws.podidentity import EKS_OWN, AgentAddresses, PodIdentityAgent
from sscsi_provider_aws.secretsmanager import Secret, SecretSelection, SecretsManager
from sscsi_provider_aws.ssm import Parameter, ParameterPath, ParameterStore
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, InvalidParameters, ObjectError
from sscsi_shared.mount import MountInput, MountPlan, Place, PlannedRead, Read
from sscsi_shared.provider import Login
from sscsi_shared.tokens import prove

RUNTIME_NAME: Final = "secrets-store-csi-driver-provider-aws"
VERSION: Final = metadata.version("sscsi-provider-aws")

AwsObject: TypeAlias = Secret | SecretSelection | Parameter | ParameterPath


class AwsSession:
    """One identity in one region."""

    def __init__(self, clients: Clients, credentials: AwsCredentials, who: str, region: str, batches: Batches) -> None:
        self._credentials = credentials
        secrets, parameters = SecretsManager(clients, region, who, batches), ParameterStore(clients, region, who)
        self._kinds: Mapping[type, Callable[..., Mapping[Any, Read | ObjectError]]] = {
            Secret: secrets.fetch,
            SecretSelection: secrets.select,
            Parameter: parameters.fetch,
            ParameterPath: parameters.fetch_paths,
        }

    @property
    def expires_at(self) -> Instant:
        """When the credentials end."""
        return self._credentials.expires_at

    def fetch(self, objects: Sequence[AwsObject], deadline: Deadline) -> Mapping[AwsObject, Read | ObjectError]:
        """See Session."""
        found: dict[AwsObject, Read | ObjectError] = {}
        with acting_as(self._credentials):
            for kind, fetch in self._kinds.items():
                wanted = [one for one in objects if isinstance(one, kind)]
                found |= fetch(wanted, deadline) if wanted else {}
        return found

    def close(self) -> None:
        """Clients are shared; there is nothing to give back."""


class AwsProvider:
    """Secrets Manager and Parameter Store.

    Args:
        endpoints: where the services are.
        agent_addresses: where the Pod Identity agent is.
        agent: asks it; by default made for these addresses.
        region: where a class and its ARNs name none; empty = ask for the node's.
        ca_bundle: PEM file of authorities; None = the system's.
        app_id: goes into the user agent; by default name and version.
        batch: whether BatchGetSecretValue is used where it can be.
        failover_check: whether both regions are asked each time, as the existing provider does.
        now: seconds since 1970.
        clock: seconds that only grow.
        environ: for proxies and FIPS.
    """

    name = "aws"

    def __init__(
        self,
        *,
        endpoints: Endpoints = AWS_OWN,
        agent_addresses: AgentAddresses = EKS_OWN,
        agent: PodIdentityAgent | None = None,
        region: str = "",
        ca_bundle: Path | None = None,
        app_id: str = f"{RUNTIME_NAME}-{VERSION}",
        batch: bool = True,
        failover_check: bool = False,
        now: Clock = time.time,
        clock: Clock = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._clients = Clients(endpoints, ca_bundle, app_id, environ)
        self._agent = agent or PodIdentityAgent(agent_addresses)
        self._agent_addresses = agent_addresses
        self._batches = Batches(on=batch, clock=clock)
        self._region = region
        self._ca_bundle = str(ca_bundle or "")
        self._failover_check = failover_check
        self._now = now
        self._fips = environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
        self._proxy = tuple(sorted(getproxies_environment().items()))

    def parse(self, mount: MountInput) -> AwsRequest:
        """See Provider."""
        return read_request(mount)

    def identify(self, request: AwsRequest, cluster: Cluster, deadline: Deadline) -> Login[AwsIdentity, WebIdentity]:
        """See Provider. The token proves itself before the cluster is asked, which is only where it is needed."""
        pod = request.mount.pod
        mode, audience, context = (
            (POD_IDENTITY, podidentity.AUDIENCE, "Pod Identity token extraction failed")
            if request.pod_identity
            else (IRSA, auth.AUDIENCE, "IRSA token extraction failed")
        )
        token = request.mount.tokens.for_audience(audience, context=context)
        proof = prove(token, pod=pod, audience=audience, now=self._now(), context=context)
        region = self._find_region(request, cluster, deadline)
        role, uid = "", proof.account_uid
        if mode == IRSA:
            account = cluster.service_account(pod.namespace, pod.service_account, deadline)
            role, uid = auth.role_of(account.annotations, pod.namespace, pod.service_account), account.uid
        endpoints, agent = self._clients.endpoints, self._agent_addresses
        identity = AwsIdentity(
            mode=mode,
            namespace=pod.namespace,
            service_account=pod.service_account,
            uid=uid,
            issuer=proof.issuer,
            audience=audience,
            role=role,
            address_type=request.address_type.value if request.pod_identity else "",
            assume_role=auth.check_second_role(request.assume_role),
            external_id=request.external_id,
            region=region,
            endpoints=(endpoints.sts, endpoints.secretsmanager, endpoints.ssm, agent.ipv4, agent.ipv6),
            ca_bundle=self._ca_bundle,
            proxy=self._proxy,
            fips=self._fips,
        )
        backend = (identity.account_id, identity.endpoints) if identity.account_id else None
        return Login(identity, WebIdentity(token.token), proof.expires_at, backend)

    def plan(self, request: AwsRequest, identity: AwsIdentity) -> MountPlan[AwsObject]:
        """See Provider."""
        regions = [identity.region]
        if request.failover_region:
            regions.append(_checked(request.failover_region, "parameters.failoverRegion"))
            if regions[0] == regions[1]:
                raise InvalidParameters(
                    f"{regions[0]}: failover region cannot be the same as the primary region",
                    path="parameters.failoverRegion",
                )
        check_regions(request.objects, identity.region)
        return MountPlan(tuple(_planned(one, regions, everywhere=self._failover_check) for one in request.objects))

    def open(self, login: Login[AwsIdentity, WebIdentity], place: Place, deadline: Deadline) -> AwsSession:
        """See Provider."""
        identity = login.identity
        if identity.mode == POD_IDENTITY:
            credentials = self._agent.credentials(identity, login.credentials, deadline)
        else:
            credentials = auth.assume_role(self._clients, identity, login.credentials, place, deadline)
        if identity.assume_role:
            credentials = auth.assume_second_role(self._clients, identity, credentials, place, deadline)
        return AwsSession(self._clients, credentials, identity.acting, place, self._batches)

    def _find_region(self, request: AwsRequest, cluster: Cluster, deadline: Deadline) -> str:
        """From the class, its ARNs, the operator, the node's label: the first that says one."""
        if region := request.region or region_of_arns(request.objects) or self._region:
            return _checked(region, "parameters.region")
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
        return _checked(region, "parameters.region")


_REGION_HINT: Final = "Set the parameter `region`, or AWS_REGION or --region of the provider."


def _checked(region: str, path: str) -> str:
    """A region becomes a part of a host's name: nothing else may stand in it."""
    if not region.isascii() or not region.replace("-", "").isalnum() or len(region) > 63 or region.startswith("-"):
        raise InvalidParameters(f"{region[:63]!r} is no AWS region.", path=path, hint="It looks like eu-central-1.")
    return region


def _planned(one: Described, regions: Sequence[str], *, everywhere: bool) -> PlannedRead[AwsObject]:
    targets = (one.target, one.failover or one.target)
    candidates = tuple((Place(region), _object(one, target)) for region, target in zip(regions, targets, strict=False))
    outputs = one.common.outputs(one.name, one.path, one.mode)
    return PlannedRead(one.name, candidates, outputs, one.common.optional, everywhere)


def _object(one: Described, target: Target) -> AwsObject:
    selection = one.common.selection
    if one.service == PARAMETER_STORE:
        if selection is not None:
            return ParameterPath(selection.prefix, target.label, selection.limit)
        return Parameter(target.name, target.version or target.label)
    if selection is not None:
        return SecretSelection(selection, target.label)
    return Secret(target.name, target.version, target.label)

"""The daemon: `sscsi-provider-aws`."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.podidentity import EKS_OWN, REQUEST_SECONDS, AgentAddresses, PodIdentityAgent
from sscsi_provider_aws.provider import RUNTIME_NAME, VERSION, AwsProvider
from sscsi_shared.daemon.flags import Flag, boolean, duration, one_of
from sscsi_shared.daemon.options import authorities
from sscsi_shared.server.serve import parse_options, serve_provider
from sscsi_shared.server.writing import KUBELET_ROOT

log = logging.getLogger(__name__)

MAX_AGENT_SECONDS: Final = 30.0
REGION: Final = Flag("region", "", "Region where neither the class nor its ARNs name one.", str, "AWS_REGION")
STS: Final = Flag("sts-endpoint", "", "Address of STS instead of AWS's own.", str, "AWS_ENDPOINT_URL_STS")
SECRETS: Final = Flag(
    "secretsmanager-endpoint",
    "",
    "Address of Secrets Manager instead of AWS's own.",
    str,
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
)
SSM: Final = Flag("ssm-endpoint", "", "Address of SSM instead of AWS's own.", str, "AWS_ENDPOINT_URL_SSM")
ADDON: Final = Flag("eks-addon-version", "", "Replaces the version in the user agent.", str)
WRITES: Final = Flag(
    "driver-writes-secrets", True, "Return the files to the driver; false = write them here, for old drivers.", boolean
)
ROOT: Final = Flag("kubelet-root", KUBELET_ROOT, "Kubelet's folder, with --driver-writes-secrets=false.", str)
QPS: Final = Flag("qps", "", "Accepted and ignored: there is no limiter.", str)
BURST: Final = Flag("burst", "", "Accepted and ignored: there is no limiter.", str)
AGENT_TIMEOUT: Final = Flag("pod-identity-http-timeout", "", "The most that one request of the agent takes.", str)
AGENT: Final = Flag(
    "pod-identity-endpoint",
    "",
    "Address of the Pod Identity agent instead of EKS's two.",
    str,
    "AWS_ENDPOINT_URL_EKS_AUTH",
)
FAILOVER_CHECK: Final = Flag(
    "failover-check", False, "Ask both regions each time, and fail where either lacks an object.", boolean
)

BATCH: Final = Flag(
    "batch",
    "auto",
    "Use BatchGetSecretValue, a right of its own, from three secrets on: auto, or off.",
    one_of("auto", "off"),
)

FLAGS: Final[tuple[Flag[Any], ...]] = (
    REGION,
    STS,
    SECRETS,
    SSM,
    ADDON,
    WRITES,
    ROOT,
    QPS,
    BURST,
    AGENT_TIMEOUT,
    AGENT,
    FAILOVER_CHECK,
    BATCH,
)


def agent_seconds(text: str) -> float:
    """Seconds of a Go duration; one that can't be read, or is not above 0, is logged and the default used."""
    if not text:
        return REQUEST_SECONDS
    try:
        seconds = duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        log.error("invalid --pod-identity-http-timeout %r: using %g s", text, REQUEST_SECONDS)
        return REQUEST_SECONDS
    if seconds > MAX_AGENT_SECONDS:
        log.warning("--pod-identity-http-timeout is %g s, longer than %g s", seconds, MAX_AGENT_SECONDS)
    return seconds


def ca_bundle(environ: Mapping[str, str]) -> Path | None:
    """The file that AWS_CA_BUNDLE names (AWS SDKs); one that can't be used ends the process, as a wrong flag does."""
    try:
        return authorities(environ.get("AWS_CA_BUNDLE", ""))
    except ValueError as error:
        print(f"invalid value for the variable AWS_CA_BUNDLE: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def main() -> None:
    """Serve until SIGTERM."""
    values, options = parse_options(
        "sscsi-provider-aws",
        "AWS Secrets Manager and SSM Parameter Store for the Secrets Store CSI driver.",
        VERSION,
        FLAGS,
        sys.argv[1:],
        os.environ,
    )
    everywhere = os.environ.get("AWS_ENDPOINT_URL", "")
    addresses = AgentAddresses(values[AGENT], values[AGENT]) if values[AGENT] else EKS_OWN
    provider = AwsProvider(
        agent_addresses=addresses,
        agent=PodIdentityAgent(addresses, agent_seconds(values[AGENT_TIMEOUT])),
        failover_check=values[FAILOVER_CHECK],
        endpoints=Endpoints(values[STS] or everywhere, values[SECRETS] or everywhere, values[SSM] or everywhere),
        region=values[REGION],
        ca_bundle=options.daemon.ca_bundle or ca_bundle(os.environ),
        batch=values[BATCH] == "auto",
        app_id=f"{RUNTIME_NAME}-{values[ADDON] or VERSION}",
    )
    serve_provider(
        provider,
        options,
        runtime_name=RUNTIME_NAME,
        version=VERSION,
        writes_below=None if values[WRITES] else Path(values[ROOT]),
    )


if __name__ == "__main__":
    main()

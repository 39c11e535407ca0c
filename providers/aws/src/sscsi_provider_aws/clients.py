"""AWS clients: one session for the process, one client for each service, region and endpoint, shared by all identities.

No default chain of credentials exists here. A client signs with what the context of the call holds; nothing there is a
failure. Shared configuration files are never read.
"""

import functools
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from sscsi_provider_aws.errors import outcome_of
from sscsi_shared.daemon.metrics import backend_call
from sscsi_shared.deadline import Instant
from sscsi_shared.secret import SecretText

CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 10
ATTEMPTS: Final = 3
_POOL: Final = 32
_MAX_CLIENTS: Final = 64
SERVICES: Final = ("sts", "secretsmanager", "ssm")
_METRIC_NAMES: Final = {"sts": "sts", "secrets-manager": "secretsmanager", "ssm": "ssm"}


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Temporary credentials of a role.

    Attributes:
        access_key: its id; no secret, but of no use in a message.
        secret_key: signs requests.
        session_token: goes with every request.
        expires_at: their end.
    """

    access_key: SecretText
    secret_key: SecretText
    session_token: SecretText
    expires_at: Instant


_current: ContextVar[AwsCredentials | None] = ContextVar("aws_credentials", default=None)


@contextmanager
def acting_as(credentials: AwsCredentials) -> Iterator[None]:
    """Let the calls within sign with these credentials, in this context and in the pool's that is copied from it."""
    token = _current.set(credentials)
    try:
        yield
    finally:
        _current.reset(token)


class _CallersCredentials(Credentials):
    """What botocore takes for credentials: asked anew at each signature."""

    def __init__(self) -> None:
        super().__init__("", "")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Those of the call's context."""
        credentials = _current.get()
        if credentials is None:
            raise NoCredentialsError
        return ReadOnlyCredentials(
            credentials.access_key.reveal(), credentials.secret_key.reveal(), credentials.session_token.reveal()
        )


class _OnlyOurs(CredentialProvider):
    METHOD = "sscsi"

    def load(self) -> Credentials:
        """The only credentials there are."""
        return _CallersCredentials()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are; empty = AWS's own address.

    Attributes:
        sts: scheme, host and port.
        secretsmanager: the same.
        ssm: the same.
    """

    sts: str = ""
    secretsmanager: str = ""
    ssm: str = ""


AWS_OWN: Final = Endpoints()


class Clients:
    """Makes each client once, on first need.

    Args:
        endpoints: where the services are.
        ca_bundle: PEM file of authorities; None = the system's.
        app_id: goes into the user agent.
        environ: for the retry settings that AWS documents.
    """

    def __init__(
        self, endpoints: Endpoints, ca_bundle: Path | None, app_id: str, environ: Mapping[str, str] = os.environ
    ) -> None:
        for name in ("botocore", "urllib3"):
            # At debug they print requests and answers: tokens, keys, secrets.
            logging.getLogger(name).setLevel(logging.INFO)
        self.endpoints: Final = endpoints
        self._ca_bundle = ca_bundle
        settings: Any = Config  # the stubs lag behind its settings
        self._config: Config = settings(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=_POOL,
            retries={
                "mode": "standard" if environ.get("AWS_RETRY_MODE") != "adaptive" else "adaptive",
                "total_max_attempts": _attempts(environ),
            },
            user_agent_appid=app_id[:50],
            ignore_configured_endpoint_urls=True,
            tcp_keepalive=True,
        )
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: OrderedDict[tuple[str, str, bool, bool], Any] = OrderedDict()

    def get(self, service: str, region: str, *, retries: bool = True, signed: bool = True) -> Any:
        """The client of a service in a region.

        Args:
            service: sts, secretsmanager or ssm.
            region: where.
            retries: off where there is a better way at hand.
            signed: off where a token in the request is the proof.
        """
        key = service, region, retries, signed
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._make(service, region, retries=retries, signed=signed)
            self._clients.move_to_end(key)
            while len(self._clients) > _MAX_CLIENTS:  # a class may name any region
                self._clients.popitem(last=False)
            return client

    def _make(self, service: str, region: str, *, retries: bool, signed: bool) -> Any:
        if self._session is None:
            self._session = _session()
        session: Any = self._session
        unsigned: Any = {"signature_version": botocore.UNSIGNED}
        config = self._config if signed else self._config.merge(Config(**unsigned))
        if not retries:
            config = config.merge(Config(retries={"total_max_attempts": 1}))
        verify: Any = str(self._ca_bundle) if self._ca_bundle else None
        client: Any = session.client(
            service,
            region_name=region,
            endpoint_url=getattr(self.endpoints, service) or None,
            verify=verify,
            config=config,
        )
        client.meta.events.register("response-received", _count)
        return client


def _session() -> boto3.Session:
    """A session that reads no file and finds no credentials but ours."""
    core = botocore.session.Session()
    core.register_component("data_loader", _descriptions())
    for variable in ("config_file", "credentials_file"):
        core.set_config_variable(variable, os.devnull)
    # The session itself takes None for "ask the environment"; its store takes it for "none".
    core.get_component("config_store").set_config_variable("profile", None)
    core.register_component("credential_provider", CredentialResolver([_OnlyOurs()]))
    return boto3.Session(botocore_session=core)


@functools.cache
def _descriptions() -> Loader:
    """What describes AWS's services, read once for the process."""
    loader: Loader = botocore.session.Session().get_component("data_loader")
    return loader


def _attempts(environ: Mapping[str, str]) -> int:
    text = environ.get("AWS_MAX_ATTEMPTS", "")
    return max(1, min(int(text), 10)) if text.isdecimal() else ATTEMPTS


def _count(event_name: str, parsed_response: Any = None, exception: Exception | None = None, **_: object) -> None:
    """Count a request that was sent, each try by itself (botocore's event `response-received`)."""
    name, operation = event_name.split(".")[1:]
    backend_call(f"{_METRIC_NAMES.get(name, name)}.{operation}", outcome_of(parsed_response, exception))

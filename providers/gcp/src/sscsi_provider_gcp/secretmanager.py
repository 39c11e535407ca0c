"""Secret Manager: versions by name, and secrets by what they have in common."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from sscsi_provider_gcp.calls import Caller
from sscsi_provider_gcp.errors import damaged, none_found, too_many
from sscsi_provider_gcp.parameters import Search
from sscsi_provider_gcp.resources import LATEST, Kind, Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import Item, Read
from sscsi_shared.secret import SecretBytes

_PAGE: Final = 250


def client(channel: grpc.Channel) -> SecretManagerServiceClient:
    """The SDK's client over a channel of ours; it looks for no credentials."""
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


def read(caller: Caller, resource: Resource, deadline: Deadline) -> Read:
    """AccessSecretVersion; what came must be what was sent.

    Raises:
        ObjectError: why there is nothing.
        AuthenticationFailed: the token was refused.
    """
    answer = caller.call("access_secret_version", resource, {"name": resource.name}, deadline)
    return Read((_item(answer, resource),), resource.pinned)


def select(caller: Caller, search: Search, deadline: Deadline) -> Read:
    """The newest version of every secret that the selection finds; names are the secrets' ids.

    Raises:
        ObjectError: there are none, or too many, or one can't be read.
        AuthenticationFailed: the token was refused.
    """
    names = list(_found(caller, search, deadline))
    if not names:
        raise none_found(search.selection.shown, search.parent)
    if len(names) > search.selection.limit:
        raise too_many(search.selection.shown, search.selection.limit)
    items = []
    for name in sorted(names):
        project = search.parent.split("/")[1]
        version = Resource(Kind.SECRET, f"{name}/versions/{LATEST}", search.location, project, LATEST)
        answer = caller.call("access_secret_version", version, {"name": version.name}, deadline)
        items.append(_item(answer, version, name.rpartition("/")[2]))
    return Read(tuple(items))


def _found(caller: Caller, search: Search, deadline: Deadline) -> Iterator[str]:
    """Full names, one more at most than the limit."""
    tags = [f'labels.{key}="{value}"' for key, value in search.selection.tags]
    prefix = search.selection.prefix
    where = Resource(Kind.SECRET, search.parent, search.location, search.parent.split("/")[1], "")
    request: dict[str, Any] = {
        "parent": search.parent,
        "page_size": _PAGE,
        "filter": " AND ".join([*([f"name:{prefix}"] if prefix else []), *tags]),
    }
    seen = 0
    while True:
        page = caller.call("list_secrets", where, request, deadline, first=_first_page)
        for secret in page.secrets:
            # `name:` of the service's filter finds it anywhere in the name.
            if secret.name.rpartition("/")[2].startswith(prefix):
                yield secret.name
                seen += 1
        if not page.next_page_token or seen > search.selection.limit:
            return
        request["page_token"] = page.next_page_token


def _first_page(pager: Any) -> Any:
    return next(iter(pager.pages))


def _item(answer: Any, resource: Resource, name: str = "") -> Item:
    payload = answer.payload
    contents = bytes(payload.data)
    if "data_crc32c" in payload and payload.data_crc32c != crc32c(contents):
        raise damaged(resource)
    return Item(SecretBytes(contents), str(answer.name), name)


def crc32c(contents: bytes) -> int:
    """The checksum that Google's APIs send along (RFC 3720, Castagnoli)."""
    import google_crc32c

    value: Callable[[bytes], int] = google_crc32c.value
    return value(contents)

"""Secret Manager: versions by name, and secrets by what they have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from sscsi_provider_gcp.calls import Caller
from sscsi_provider_gcp.errors import damaged, none_found, too_many
from sscsi_provider_gcp.parameters import Search
from sscsi_provider_gcp.resources import LATEST, Kind, Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import ObjectError, ObjectNotFound
from sscsi_shared.mount import Item, Read
from sscsi_shared.object_fields import Selection
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


def found(caller: Caller, search: Search, deadline: Deadline) -> tuple[Resource, ...]:
    """The newest versions of the secrets that a selection finds, by name (ListSecrets, one page after the other).

    The service's filter finds more: `name:` looks anywhere in a name. So what it lists is looked at again.

    Raises:
        ObjectError: there are too many, or they can't be listed.
        AuthenticationFailed: the token was refused.
    """
    selection, project = search.selection, search.parent.split("/")[1]
    where = Resource(Kind.SECRET, search.parent, search.location, project, "")
    request: dict[str, Any] = {"parent": search.parent, "page_size": _PAGE, "filter": filter_of(selection)}
    names: list[str] = []
    while True:
        page = caller.call("list_secrets", where, request, deadline, first=_first_page)
        names += [str(secret.name) for secret in page.secrets if _is_meant(secret, selection)]
        if len(names) > selection.limit:
            raise too_many(selection.shown, selection.limit)
        if not page.next_page_token:
            break
        request["page_token"] = page.next_page_token
    versions = (f"{name}/versions/{LATEST}" for name in sorted(names))
    return tuple(Resource(Kind.SECRET, name, search.location, project, LATEST) for name in versions)


def together(
    search: Search, resources: Sequence[Resource], outcomes: Mapping[Any, Read | ObjectError]
) -> Read | ObjectError:
    """One read of them all, under their ids; a secret without a version, or gone since it was listed, is left out.

    Args:
        search: the selection.
        resources: what it found.
        outcomes: of each of these.
    """
    items: list[Item] = []
    for one in resources:
        outcome = outcomes[one]
        if isinstance(outcome, Read):
            items.append(replace(outcome.only, name=one.name.split("/")[-3]))
        elif not isinstance(outcome, ObjectNotFound):
            return outcome
    return Read(tuple(items)) if items else none_found(search.selection.shown, search.parent)


def filter_of(selection: Selection) -> str:
    """A filter of ListSecrets (AIP-160): all its terms hold, and no text in one can end it and begin another."""
    terms = [f"name:{_quoted(selection.prefix)}"] if selection.prefix else []
    return " AND ".join([*terms, *(f"labels.{key}={_quoted(value)}" for key, value in selection.tags)])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_meant(secret: Any, selection: Selection) -> bool:
    name = str(secret.name).rpartition("/")[2]
    return name.startswith(selection.prefix) and all(secret.labels.get(key) == value for key, value in selection.tags)


def _first_page(pager: Any) -> Any:
    return next(iter(pager.pages))


def _item(answer: Any, resource: Resource) -> Item:
    payload = answer.payload
    contents = bytes(payload.data)
    if "data_crc32c" in payload and payload.data_crc32c != crc32c(contents):
        raise damaged(resource)
    return Item(SecretBytes(contents), str(answer.name))


def crc32c(contents: bytes) -> int:
    """The checksum that Google's APIs send along (RFC 3720, Castagnoli)."""
    import google_crc32c

    value: Callable[[bytes], int] = google_crc32c.value
    return value(contents)

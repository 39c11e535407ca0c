"""AWS Systems Manager Parameter Store: GetParameters, ten names a call; GetParametersByPath below a path."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from sscsi_provider_aws.clients import Clients
from sscsi_provider_aws.errors import Asked, none_found, object_error, readable, too_many
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendUnavailable, ObjectError, ObjectNotFound, ObjectUnusable, OutOfTime, clip
from sscsi_shared.fetch import fetch_batches, fetch_each
from sscsi_shared.mount import Item, Read
from sscsi_shared.secret import SecretBytes

BATCH: Final = 10
"""The most names that one GetParameters takes."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter to read.

    Attributes:
        name: name or ARN.
        selector: version number or label; empty = the latest.
    """

    name: str
    selector: str = ""

    @property
    def reference(self) -> str:
        """As GetParameters wants it: `name:selector`."""
        return f"{self.name}:{self.selector}" if self.selector else self.name


@dataclass(frozen=True, slots=True)
class ParameterPath:
    """All parameters below a path.

    Attributes:
        path: begins with a slash.
        label: of each; those without it are left out; empty = the latest version.
        limit: the most that there may be.
    """

    path: str
    label: str
    limit: int

    @property
    def shown(self) -> str:
        """For messages."""
        return f"select (prefix {clip(self.path, 128)})"


def batches(parameters: Iterable[Parameter]) -> list[tuple[Parameter, ...]]:
    """Calls of ten at most, in order. No call asks for one name twice: the answers could not be told apart by name."""
    found: list[dict[str, Parameter]] = []
    for parameter in dict.fromkeys(parameters):
        for batch in found:
            if len(batch) < BATCH and parameter.name not in batch:
                batch[parameter.name] = parameter
                break
        else:
            found.append({parameter.name: parameter})
    return [tuple(batch.values()) for batch in found]


Outcomes: TypeAlias = Mapping[Parameter, Read | ObjectError]


@dataclass(frozen=True, slots=True)
class ParameterStore:
    """Parameter Store in one region, for one identity.

    Attributes:
        clients: of the process.
        region: that is asked.
        who: on whose behalf, for messages.
    """

    clients: Clients
    region: str
    who: str

    def fetch(self, parameters: Sequence[Parameter], deadline: Deadline) -> Outcomes:
        """Read parameters, decrypted, batches in parallel, with the credentials of the context.

        A batch that is refused for what one of its names looks like is asked again name by name.

        Raises:
            AuthenticationFailed: the credentials were refused.
        """
        found = fetch_batches(self._ask, batches(parameters), deadline)
        refused = [(one,) for one, outcome in found.items() if isinstance(outcome, ObjectUnusable)]
        return {**found, **fetch_batches(self._ask, refused, deadline)} if len(refused) > 1 else found

    def fetch_paths(
        self, paths: Sequence[ParameterPath], deadline: Deadline
    ) -> Mapping[ParameterPath, Read | ObjectError]:
        """Read what is below paths, decrypted, with the credentials of the context (GetParametersByPath).

        Raises:
            AuthenticationFailed: the credentials were refused.
        """
        return fetch_each(self._below, paths, deadline)

    def _below(self, path: ParameterPath, deadline: Deadline) -> Read:
        request: dict[str, Any] = {
            "Path": path.path.rstrip("/") or "/",
            "Recursive": True,
            "WithDecryption": True,
            "MaxResults": BATCH,
        }
        if path.label:
            request["ParameterFilters"] = [{"Key": "Label", "Option": "Equals", "Values": [path.label]}]
        items: list[Item] = []
        while True:
            if deadline.expired:
                raise OutOfTime(f"{self.region}: there was no time left to read parameters.")
            try:
                with readable():
                    answer = self.clients.get("ssm", self.region).get_parameters_by_path(**request)
                    items += [
                        Item(SecretBytes(str(entry["Value"]).encode()), str(entry["Version"]), entry["Name"])
                        for entry in answer["Parameters"]
                    ]
            except (ClientError, BotoCoreError) as error:
                target = clip(path.path, 256)
                asked = Asked("parameters", path.shown, self.region, self.who, "ssm:GetParametersByPath", target)
                raise object_error(error, asked) from error
            if len(items) > path.limit:
                raise too_many(path.shown, path.limit, "parameters")
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
        if not items:
            raise none_found(self.region, path.shown, "parameter")
        return Read(tuple(sorted(items, key=lambda item: item.name)))

    def _ask(self, batch: tuple[Parameter, ...], deadline: Deadline) -> Outcomes:
        del deadline  # the client has its own timeouts; the caller stops waiting at the deadline
        try:
            with readable():
                answer = self.clients.get("ssm", self.region).get_parameters(
                    Names=[parameter.reference for parameter in batch], WithDecryption=True
                )
                return match(batch, answer, self.region)
        except (ClientError, BotoCoreError) as error:
            names = ", ".join(clip(parameter.reference, 128) for parameter in batch)
            asked = Asked("parameters", names, self.region, self.who, "ssm:GetParameters", names)
            raise object_error(error, asked) from error


def match(batch: Sequence[Parameter], answer: Mapping[str, Any], region: str) -> Outcomes:
    """Tell which answer is whose, by name or ARN; an answer that nobody asked for is left out."""
    answers = {key: entry for entry in answer.get("Parameters", ()) for key in (entry.get("ARN"), entry.get("Name"))}
    invalid = set(answer.get("InvalidParameters", ()))
    found: dict[Parameter, Read | ObjectError] = {}
    for parameter in batch:
        entry = answers.get(parameter.name)
        if entry is not None:
            contents = SecretBytes(str(entry["Value"]).encode())
            found[parameter] = Read.of(contents, str(entry["Version"]), pinned=parameter.selector.isdecimal())
        elif parameter.reference in invalid or parameter.name in invalid:
            found[parameter] = ObjectNotFound(
                f"400: {region}: invalid parameters: {clip(parameter.reference, 256)}.",
                hint="There is no such parameter, version or label in this account and region.",
            )
        else:
            found[parameter] = BackendUnavailable(
                f"{region}: Failed fetching parameters: the answer does not hold {clip(parameter.reference, 256)}."
            )
    return found

"""AWS Secrets Manager: BatchGetSecretValue for current versions, GetSecretValue for the rest and where that fails."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from sscsi_provider_aws.batches import LEAST, MOST, Batches
from sscsi_provider_aws.clients import Clients
from sscsi_provider_aws.errors import Asked, is_unknown_operation, none_found, object_error, readable, too_many
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AccessDenied, BackendThrottled, ObjectError, ObjectNotFound, OutOfTime, clip
from sscsi_shared.fetch import fetch_batches, fetch_each
from sscsi_shared.mount import Item, Read
from sscsi_shared.object_fields import Selection
from sscsi_shared.secret import SecretBytes

MOST_LISTED: Final = 100
"""Secrets in one page of ListSecrets (AWS)."""
MOST_FILTERS: Final = 10
"""Filters that one ListSecrets takes (AWS)."""
_CURRENT: Final = frozenset({"", "AWSCURRENT"})


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret to read.

    Attributes:
        name: friendly name or ARN.
        version: VersionId; empty = by stage.
        stage: VersionStage; empty = AWSCURRENT.
    """

    name: str
    version: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True)
class SecretSelection:
    """Secrets by what they have in common.

    Attributes:
        selection: which.
        stage: VersionStage of each; those without it are left out; empty = AWSCURRENT.
    """

    selection: Selection
    stage: str = ""


Outcomes: TypeAlias = Mapping[Secret, Read | ObjectError]


@dataclass(frozen=True, slots=True)
class SecretsManager:
    """Secrets Manager in one region, for one identity.

    Attributes:
        clients: of the process.
        region: that is asked.
        who: on whose behalf, for messages and for what is known of batches.
        batches: where they may be used.
    """

    clients: Clients
    region: str
    who: str
    batches: Batches

    def fetch(self, secrets: Sequence[Secret], deadline: Deadline) -> Outcomes:
        """Read secrets, with the credentials of the context: what a batch does not bring is read alone.

        Raises:
            AuthenticationFailed: the credentials were refused.
        """
        calls = plan_calls(secrets) if self.batches.use(self.who, self.region) else [(one,) for one in secrets]
        found = fetch_batches(self._ask, calls, deadline)
        alone = [(one,) for one in secrets if one not in found]
        return {**found, **fetch_batches(self._ask, alone, deadline)} if alone else found

    def select(
        self, selections: Sequence[SecretSelection], deadline: Deadline
    ) -> Mapping[SecretSelection, Read | ObjectError]:
        """Read the secrets that selections find, with the credentials of the context (ListSecrets, then `fetch`).

        Raises:
            AuthenticationFailed: the credentials were refused.
        """
        listed = fetch_each(self._list, selections, deadline)
        wanted = [one for names in listed.values() if not isinstance(names, ObjectError) for one in names]
        found = self.fetch(list(dict.fromkeys(wanted)), deadline) if wanted else {}
        outcomes: dict[SecretSelection, Read | ObjectError] = {}
        for one, names in listed.items():
            if isinstance(names, ObjectError):
                outcomes[one] = names
            else:
                outcomes[one] = self._together(one, {each: found[each] for each in names})
        return outcomes

    def _list(self, one: SecretSelection, deadline: Deadline) -> tuple[Secret, ...]:
        """The secrets that a selection finds, by name. AWS's filters find more: a tag's key and value apart, say."""
        client = self.clients.get("secretsmanager", self.region)
        request: dict[str, Any] = {"Filters": _filters(one.selection), "MaxResults": MOST_LISTED}
        names: list[str] = []
        while True:
            if deadline.expired:
                raise OutOfTime(f"{self.region}: there was no time left to list secrets.")
            try:
                with readable():
                    answer = client.list_secrets(**request)
                    names += [entry["Name"] for entry in answer["SecretList"] if _is_meant(entry, one.selection)]
            except (ClientError, BotoCoreError) as error:
                asked = Asked("secrets", one.selection.shown, self.region, self.who, "secretsmanager:ListSecrets", "*")
                raise object_error(error, asked) from error
            if len(names) > one.selection.limit:
                raise too_many(one.selection.shown, one.selection.limit, "secrets")
            if not answer.get("NextToken"):
                return tuple(Secret(name, stage=one.stage) for name in sorted(names))
            request["NextToken"] = answer["NextToken"]

    def _together(self, one: SecretSelection, outcomes: Outcomes) -> Read | ObjectError:
        """One read of them all; a secret without the stage, or gone since it was listed, is not among them."""
        items: list[Item] = []
        for secret, outcome in outcomes.items():
            if isinstance(outcome, Read):
                items.append(replace(outcome.only, name=secret.name))
            elif not isinstance(outcome, ObjectNotFound):
                return outcome
        return Read(tuple(items)) if items else none_found(self.region, one.selection.shown, "secret")

    def _ask(self, call: tuple[Secret, ...], deadline: Deadline) -> Outcomes:
        del deadline  # the client has its own timeouts; the caller stops waiting at the deadline
        return {call[0]: self._read(call[0])} if len(call) == 1 else self._read_batch(call)

    def _read(self, secret: Secret) -> Read:
        request = {"SecretId": secret.name}
        if secret.version:
            request["VersionId"] = secret.version
        if secret.stage:
            request["VersionStage"] = secret.stage
        try:
            with readable():
                answer = self.clients.get("secretsmanager", self.region).get_secret_value(**request)
                return _content(answer, pinned=bool(secret.version and not secret.stage))
        except (ClientError, BotoCoreError) as error:
            raise object_error(error, self._asked(secret)) from error

    def _read_batch(self, secrets: tuple[Secret, ...]) -> Outcomes:
        """What one call brings; nothing where it fails as a whole, whatever for: single reads say it better."""
        ids = [secret.name for secret in secrets]
        client = self.clients.get("secretsmanager", self.region, retries=False)
        try:
            with readable():
                return self._match(secrets, client.batch_get_secret_value(SecretIdList=ids))
        except (ClientError, BotoCoreError) as error:
            asked = Asked("secrets", "a batch", self.region, self.who, "secretsmanager:BatchGetSecretValue", "*")
            failure = object_error(error, asked)
            if not isinstance(failure, ObjectError):
                raise failure from error
            if is_unknown_operation(error) or isinstance(failure, AccessDenied):
                self.batches.denied(self.who, self.region)
            elif isinstance(failure, BackendThrottled):
                self.batches.throttled(self.who, self.region)
            return {}

    def _match(self, secrets: Iterable[Secret], answer: Mapping[str, Any]) -> Outcomes:
        """Which answer is whose, by ARN, then by name; who has none is left out."""
        values = {entry.get("Name"): entry for entry in answer.get("SecretValues", ())}
        values |= {entry.get("ARN"): entry for entry in answer.get("SecretValues", ())}
        errors = {entry.get("SecretId"): entry for entry in answer.get("Errors", ())}
        found: dict[Secret, Read | ObjectError] = {}
        for secret in secrets:
            if secret.name in values:
                found[secret] = _content(values[secret.name], pinned=False)
            elif secret.name in errors:
                found[secret] = self._entry_error(secret, errors[secret.name], answer)
        return found

    def _entry_error(self, secret: Secret, entry: Mapping[str, Any], answer: Mapping[str, Any]) -> ObjectError:
        said: Any = {
            "Error": {"Code": entry.get("ErrorCode", "Unknown"), "Message": entry.get("Message", "")},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": _request_id(answer)},
        }
        error = object_error(ClientError(said, "GetSecretValue"), self._asked(secret))
        if not isinstance(error, ObjectError):
            raise error
        return error

    def _asked(self, secret: Secret) -> Asked:
        return Asked(
            "secret",
            _shown(secret),
            self.region,
            self.who,
            "secretsmanager:GetSecretValue",
            clip(secret.name, 256),
        )


def plan_calls(secrets: Sequence[Secret]) -> list[tuple[Secret, ...]]:
    """Calls that read all of them: batches of current versions from three ids on, each id once; the others alone."""
    current: dict[str, Secret] = {}
    alone: list[tuple[Secret, ...]] = []
    for secret in dict.fromkeys(secrets):
        if secret.version or secret.stage not in _CURRENT or secret.name in current:
            alone.append((secret,))
        else:
            current[secret.name] = secret
    if len(current) < LEAST:
        return [(secret,) for secret in dict.fromkeys(secrets)]
    rest = iter(current.values())
    return [*iter(lambda: tuple(islice(rest, MOST)), ()), *alone]


def _filters(selection: Selection) -> list[dict[str, Any]]:
    filters = [{"Key": "name", "Values": [selection.prefix]}] if selection.prefix else []
    for key, value in selection.tags:
        filters += [{"Key": "tag-key", "Values": [key]}, {"Key": "tag-value", "Values": [value]}]
    return filters[:MOST_FILTERS]


def _is_meant(entry: Mapping[str, Any], selection: Selection) -> bool:
    tags = {(tag.get("Key"), tag.get("Value")) for tag in entry.get("Tags", ())}
    return str(entry.get("Name", "")).startswith(selection.prefix) and tags.issuperset(selection.tags)


def _content(answer: Mapping[str, Any], *, pinned: bool) -> Read:
    text = answer.get("SecretString")
    contents = answer.get("SecretBinary", b"") if text is None else text.encode()
    return Read.of(SecretBytes(contents), answer["VersionId"], pinned=pinned)


def _request_id(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))


def _shown(secret: Secret) -> str:
    parts = [clip(secret.name, 256)]
    if secret.version:
        parts.append(f"version {clip(secret.version, 64)}")
    if secret.stage:
        parts.append(f"stage {clip(secret.stage, 64)}")
    return ", ".join(parts)

"""The way of a Mount: parse, identify, plan, open, fetch, render."""

import time
from collections.abc import Mapping, Sequence
from typing import Generic

from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.errors import (
    AuthenticationFailed,
    HeldElsewhere,
    MountError,
    ObjectError,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
    after,
    first_or_all,
)
from sscsi_shared.mount import MountInput, MountPlan, MountResult, ObjectT, Place, PlannedRead, Read
from sscsi_shared.parameters import shares_nothing
from sscsi_shared.provider import CredentialT, IdentityT, Login, Provider, RequestT
from sscsi_shared.render import MAX_RESULT_BYTES, check_plan, named, render


class Pipeline(Generic[RequestT, ObjectT, IdentityT, CredentialT]):
    """Answers Mounts with the help of one provider.

    Args:
        provider: the cloud.
        cluster: where it finds service accounts.
        economy: reads for it, and knows what was read.
        now: seconds since 1970.
        max_bytes: the most that an answer may come to.
    """

    def __init__(
        self,
        provider: Provider[RequestT, ObjectT, IdentityT, CredentialT],
        cluster: Cluster,
        economy: Economy[RequestT, ObjectT, IdentityT, CredentialT],
        now: Clock = time.time,
        *,
        max_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        self._provider = provider
        self._cluster = cluster
        self._economy = economy
        self._now = now
        self._max_bytes = max_bytes

    def mount(self, mount: MountInput, deadline: Deadline) -> MountResult:
        """The whole content of the volume.

        Raises:
            MountError: why there is none. What the author got wrong is told before anything is asked, several failed
                objects at once and in the order of the class.
        """
        pod_uid = _own_scope(mount) if shares_nothing(mount) or self._economy.per_pod else ""
        request = self._provider.parse(mount)
        login = self._provider.identify(request, self._cluster, deadline)
        plan = self._provider.plan(request, login.identity)
        check_plan(plan)
        if plan.reads and login.live_until is not None and login.live_until <= self._now():
            raise AuthenticationFailed(
                "The credentials for this mount have ended.", hint="Compare the clocks of node and API server."
            )
        return render(plan, self._read_all(plan, login, deadline, pod_uid), max_bytes=self._max_bytes)

    def _read_all(
        self, plan: MountPlan[ObjectT], login: Login[IdentityT, CredentialT], deadline: Deadline, pod_uid: str
    ) -> list[Read | None]:
        """What there is of each planned read; the next candidate is asked after an outcome that may pass by itself."""
        outcomes: dict[int, list[Read | ObjectError]] = {index: [] for index in range(len(plan.reads))}
        turns = max((len(planned.candidates) for planned in plan.reads), default=0)
        for turn in range(turns):
            # No candidate may use up the time of those after it.
            share = deadline.share(turns - turn)
            for place, group in _by_place(plan.reads, outcomes, turn).items():
                objects = list(dict.fromkeys(group.values()))
                found: Mapping[ObjectT, Read | ObjectError]
                if share.expired:
                    found = dict.fromkeys(objects, OutOfTime("There was no time left to ask the backend."))
                else:
                    found = self._economy.read(login, place, objects, share, pod_uid=pod_uid)
                for index, one in group.items():
                    outcomes[index].append(found[one])
        return _settle(plan.reads, outcomes)


def _own_scope(mount: MountInput) -> str:
    """The pod's uid.

    Raises:
        AuthenticationFailed: it is not there; without it pods would share what is to be a pod's own.
    """
    if not mount.pod.uid:
        raise AuthenticationFailed(
            "The request does not say which pod it is for.",
            hint="The CSIDriver object needs spec.podInfoOnMount: true.",
        )
    return mount.pod.uid


def _by_place(
    reads: Sequence[PlannedRead[ObjectT]], outcomes: Mapping[int, Sequence[Read | ObjectError]], turn: int
) -> dict[Place, dict[int, ObjectT]]:
    """What to ask for in this turn, by place and by index of the read."""
    groups: dict[Place, dict[int, ObjectT]] = {}
    for index, planned in enumerate(reads):
        if turn < len(planned.candidates) and (
            planned.everywhere or all(_goes_on(planned, outcome) for outcome in outcomes[index])
        ):
            place, one = planned.candidates[turn]
            groups.setdefault(place, {})[index] = one
    return groups


def _settle(
    reads: Sequence[PlannedRead[ObjectT]], outcomes: Mapping[int, Sequence[Read | ObjectError]]
) -> list[Read | None]:
    """What there is to render; an optional object may be absent.

    Raises:
        MountError: a read failed; every failure names its object.
    """
    failures: list[MountError] = []
    settled: list[Read | None] = []
    for index, planned in enumerate(reads):
        outcome = _chosen(planned, outcomes[index])
        if isinstance(outcome, Read):
            settled.append(outcome)
        elif planned.optional and isinstance(outcome, ObjectNotFound):
            settled.append(None)
        else:
            failures.append(named(planned.name, outcome))
    if failures:
        raise first_or_all(failures)
    return settled


def _chosen(planned: PlannedRead[ObjectT], outcomes: Sequence[Read | ObjectError]) -> Read | ObjectError:
    """The outcome that counts among those of the candidates."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, ObjectError)]
    if planned.everywhere:
        lacking = [error for error in errors if isinstance(error, ObjectNotFound | ObjectUnusable)]
        if lacking:
            return lacking[0]
    reads = [outcome for outcome in outcomes if isinstance(outcome, Read)]
    return reads[0] if reads else after(errors)


def _goes_on(planned: PlannedRead[ObjectT], outcome: Read | ObjectError) -> bool:
    """Whether the next candidate is asked after this outcome."""
    if isinstance(outcome, HeldElsewhere):
        return True
    return isinstance(outcome, ObjectError) and outcome.transient and not planned.in_turn

"""What the driver remembers of a filled volume: in memory only, for it holds tokens."""

from dataclasses import dataclass
from typing import TypeAlias

from sscsi_driver.attributes import CLASS_KEY, INTERVAL_KEY, DriverObject, choose_tokens, pod_of
from sscsi_driver.preparing import PublishRequest
from sscsi_driver.schedule import Group
from sscsi_driver.volume import Volumes
from sscsi_shared.deadline import Instant
from sscsi_shared.mount import PodInfo
from sscsi_shared.tokens import read_tokens


@dataclass(slots=True)
class Memory:
    """One volume's.

    Attributes:
        request: the last one, with the newest tokens.
        provider: who fills it; empty until it is known.
        filled_at: when its content was last known to be the backend's.
        driver: what the CSIDriver object said when it was last read.
        refresh: the class's annotation when it was last read; None = it was not.
        pod_refresh: the pod's annotation when it was last looked at.
        trouble: why the last fetch failed; empty = it did not.
    """

    request: PublishRequest
    provider: str
    filled_at: Instant
    driver: DriverObject | None = None
    refresh: str | None = None
    pod_refresh: str = ""
    trouble: str = ""

    @property
    def pod(self) -> PodInfo:
        """Whose volume it is."""
        return pod_of(self.request.context, self.driver)

    @property
    def of_class(self) -> str:
        """The class's name."""
        return self.request.context.get(CLASS_KEY, "")

    @property
    def group(self) -> Group:
        """With whom it is fetched."""
        pod = self.pod
        return Group(pod.namespace, self.of_class, pod.service_account, self.request.context.get(INTERVAL_KEY, ""))

    @property
    def tokens_until(self) -> Instant | None:
        """When the first of its tokens ends; None = there are none, or kubelet did not say."""
        tokens = choose_tokens(self.request.tokens, self.request.secrets, self.driver)
        if tokens is None:
            return None
        ends = (one.expires_at for one in read_tokens(tokens.reveal()).by_audience.values())
        return min((end for end in ends if end is not None), default=None)


NodeVolumes: TypeAlias = Volumes[Memory]

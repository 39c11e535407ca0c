"""The memory provider's stage for the contract suite."""

import base64
import json
import threading
import time

from sscsi_shared.cluster import NoCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AccessDenied, AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError
from sscsi_shared.mount import PodInfo, Read
from sscsi_shared.testing.memory import AUDIENCE, MemoryProvider, MemoryStore
from sscsi_shared.testing.stage import Stage, Wanted


class ShakenStore(MemoryStore):
    """A store that does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[str] = set()
        self.trouble: MountError | None = None
        self.refuses_login = False
        self.answers = threading.Event()
        self.answers.set()

    def login(self, service_account: str) -> None:
        if self.refuses_login:
            raise AuthenticationFailed(f"memory: `{service_account}` may not log in.")

    def read(self, name: str, deadline: Deadline) -> Read:
        self.answers.wait(30)
        if self.trouble:
            raise self.trouble
        if name in self.denied:
            raise AccessDenied(f"memory: `{name}` may not be read.")
        return super().read(name, deadline)


class MemoryStage(Stage):
    cluster = NoCluster()

    def __init__(self, kind: type[MemoryProvider] = MemoryProvider) -> None:
        self.store = ShakenStore()
        self.provider = kind(self.store)

    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        entries = [
            {"objectName": one.name}
            | ({} if one.path is None else {"path": one.path})
            | ({} if one.mode is None else {"mode": f"{one.mode:04o}"})
            for one in wanted
        ]
        return {"objects": json.dumps(entries)}

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        claims = {
            "sub": f"system:serviceaccount:{pod.namespace}:{pod.service_account}",
            "aud": [AUDIENCE],
            "exp": int(time.time()) + lifetime_seconds,
            "kubernetes.io": {"pod": {"uid": pod.uid}},
        }
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims, "signature"))
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        return json.dumps({AUDIENCE: {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}})

    def put(self, name: str, contents: str) -> None:
        self.store.put(name, contents.encode())

    def remove(self, name: str) -> None:
        self.store.remove(name)

    def deny(self, name: str) -> None:
        self.store.denied.add(name)

    def break_down(self) -> None:
        self.store.trouble = BackendUnavailable("memory: forgotten everything.")

    def throttle(self) -> None:
        self.store.trouble = BackendThrottled("memory: not so fast.", retry_after=2.5)

    def refuse_login(self) -> None:
        self.store.refuses_login = True

    def hang(self) -> None:
        self.store.answers.clear()

    def mend(self) -> None:
        self.store.trouble = None
        self.store.refuses_login = False
        self.store.answers.set()

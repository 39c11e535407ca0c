"""Two nodes and two ReplicaSets write one Secret, old and new content interleaved at random.

Each question to the API server may let others do whole pieces of work before it is answered. Whatever the order: a
Secret that a living ReplicaSet needs is there, and its content never goes back.
"""

import base64
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from secrets_rig import NAMESPACE, ClusterOfObjects, OneClassEach, Told, entry, owner
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.secret_sink import Filled
from sscsi_driver.secret_writer import SecretWriter
from sscsi_driver.syncing import RECHECK_SECONDS, Syncer
from sscsi_emulators.kubernetes_objects import Objects, Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretBytes

NODES, SETS = 2, 2
MAX_NESTED = 3
SECRET = Resource.of_kind("Secret")


class World:
    """All of it; a step is chosen by hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.objects = Objects(lambda: 1.0)
        self.version = 0
        self.time = 0.0
        self.nested = 0
        self.seen: dict[str, int] = {}
        self.wrong = ""
        self.living: set[int] = set()
        classes = OneClassEach()
        classes.add("web", entry())
        self.clusters = [ClusterOfObjects(self.objects) for _ in range(NODES)]
        self.syncers = [
            Syncer(
                writer=SecretWriter(cluster, classes),
                classes=classes,
                events=Told(),
                metrics=DriverMetrics(CollectorRegistry()),
                clock=lambda: self.time,
            )
            for cluster in self.clusters
        ]
        for cluster in self.clusters:
            cluster.before = self.meanwhile
        for number in range(SETS):
            self.start(number)

    def start(self, number: int) -> None:
        """A ReplicaSet with a pod on each node."""
        body = {"apiVersion": "apps/v1", "kind": "ReplicaSet"}
        uid = f"rs-{number}"
        self.objects.apply({**body, "metadata": {"namespace": NAMESPACE, "name": uid, "uid": uid}})
        for node in range(NODES):
            self.objects.apply({"apiVersion": "v1", "kind": "Pod", "metadata": self.pod(number, node)})
        self.living.add(number)

    def pod(self, number: int, node: int) -> dict[str, Any]:
        name = f"web-{number}-{node}"
        own = owner("ReplicaSet", f"rs-{number}", f"rs-{number}")
        return {"namespace": NAMESPACE, "name": name, "uid": name, "ownerReferences": [own]}

    def end(self, number: int) -> None:
        """A ReplicaSet goes, and its pods."""
        if number not in self.living or len(self.living) == 1:
            return
        self.living.discard(number)
        self.objects.delete(Resource.of_kind("ReplicaSet"), NAMESPACE, f"rs-{number}")
        for node in range(NODES):
            self.objects.delete(Resource.of_kind("Pod"), NAMESPACE, f"web-{number}-{node}")

    def fetch(self, number: int, node: int) -> None:
        """A node fetches for a pod, and syncs; the content may be old by the time it does."""
        if number not in self.living:
            return
        self.time += 1
        value, at = b"%d" % self.version, self.time
        for _ in range(self.data.draw(st.integers(0, 2), label="held up")):
            self.meanwhile()
        metadata = self.pod(number, node)
        info = PodInfo(name=metadata["name"], namespace=NAMESPACE, uid=metadata["uid"], service_account="app")
        filled = Filled(Path("/t") / info.name, info, "web", "aws", {"password": SecretBytes(value)}, at)
        self.syncers[node].write(filled, [entry()], Deadline.after(60))
        self.check()

    def meanwhile(self) -> None:
        """What others do before an answer comes."""
        if self.nested >= MAX_NESTED:
            return
        self.nested += 1
        if self.data.draw(st.booleans(), label="meanwhile"):
            self.step()
        self.nested -= 1

    def step(self) -> None:
        what = self.data.draw(st.sampled_from(["fetch", "fetch", "fetch", "rotate", "collect", "end", "retry"]))
        if what == "rotate":
            self.time += 1
            self.version += 1
        elif what == "collect":
            self.objects.collect()
        elif what == "end":
            self.end(self.data.draw(st.integers(0, SETS - 1)))
        elif what == "retry":
            self.time += 5
            self.syncers[self.data.draw(st.integers(0, NODES - 1))].retry()
        else:
            self.fetch(self.data.draw(st.integers(0, SETS - 1)), self.data.draw(st.integers(0, NODES - 1)))
        self.check()

    def check(self) -> None:
        """The content never goes back; what a living one owns is not collected.

        One that nobody living owned may be collected; the next is another Secret.
        """
        before = self.objects.find(SECRET, NAMESPACE, "db")
        if before is None:
            return
        version = int(base64.b64decode(before["data"]["password"]))
        uid = before["metadata"]["uid"]
        if version < self.seen.get(uid, 0):
            self.wrong = "it went back"
        self.seen[uid] = version
        owners = {one["uid"] for one in before["metadata"]["ownerReferences"]}
        self.objects.collect()
        needed = owners & {f"rs-{number}" for number in self.living}
        if needed and self.objects.find(SECRET, NAMESPACE, "db") is None:
            self.wrong = "it was collected"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_the_order(data: st.DataObject) -> None:
    world = World(data)
    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        world.step()
    world.nested = MAX_NESTED
    world.time += RECHECK_SECONDS
    for number in sorted(world.living):
        for node in range(NODES):
            world.fetch(number, node)
    world.objects.collect()
    assert not world.wrong
    found = world.objects.find(SECRET, NAMESPACE, "db")
    assert found is not None, "the living ones have it"
    assert base64.b64decode(found["data"]["password"]) == b"%d" % world.version
    owners = {one["uid"] for one in found["metadata"]["ownerReferences"]}
    assert owners == {f"rs-{number}" for number in world.living}


def test_a_world_that_stands_still_writes_nothing() -> None:
    @settings(max_examples=1, database=None)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        world = World(data)
        world.nested = MAX_NESTED
        for node in range(NODES):
            for number in range(SETS):
                syncs(world, number, node)
        writes = sum(cluster.writes for cluster in world.clusters)
        assert writes == SETS, "made once, and once owned by the other"
        world.time += RECHECK_SECONDS
        for node in range(NODES):
            for number in range(SETS):
                syncs(world, number, node)
        assert sum(cluster.writes for cluster in world.clusters) == writes

    run()


def syncs(world: World, number: int, node: int) -> None:
    metadata = world.pod(number, node)
    info = PodInfo(name=metadata["name"], namespace=NAMESPACE, uid=metadata["uid"], service_account="app")
    files = {"password": SecretBytes(b"0")}
    world.syncers[node].write(
        Filled(Path("/t") / info.name, info, "web", "aws", files, 1.0), [entry()], Deadline.after(9)
    )

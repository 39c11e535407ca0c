"""What a provider holds: idle, and after many mounts by many identities."""

import time

from bench.backends import Backend
from bench.figures import Figure, Table
from bench.process import resident_mib
from bench.rig import Rig

SETTLE_SECONDS = 10.0
IDENTITIES = 110
MOUNTS = 10_000
AT_ONCE = 20
SECRETS = 10
MORE_MIB = 24.0
FLAT_MIB = 2.0


def measure(cloud: type[Backend]) -> list[Table]:
    """Resident memory 10 s after the first mount, then after 200, 10,000 and 20,000."""
    with Rig(cloud, accounts=IDENTITIES) as rig:
        rig.mount(rig.request(SECRETS))
        time.sleep(SETTLE_SECONDS)
        idle = resident_mib(rig.daemon.pid)
        held = []
        done = 1
        for until in (200, MOUNTS, 2 * MOUNTS):
            rig.mount_all([rig.request(SECRETS, pod % IDENTITIES, pod) for pod in range(done, until)], AT_ONCE)
            done = until
            held.append(resident_mib(rig.daemon.pid))
    after_200, after_10k, after_20k = held
    return [
        Table(
            f"Memory of provider {cloud.name}: {IDENTITIES} identities, {SECRETS} secrets each, {AT_ONCE} at once",
            [
                Figure("10 s after the first mount", idle, "MiB", cloud.promises.idle_mib),
                Figure("after 200 mounts", after_200, "MiB"),
                Figure(f"after {MOUNTS:,} mounts", after_10k, "MiB"),
                Figure("    more than idle", after_10k - idle, "MiB", MORE_MIB),
                Figure(f"after {2 * MOUNTS:,} mounts", after_20k, "MiB"),
                Figure("    more than before", after_20k - after_10k, "MiB", FLAT_MIB),
            ],
        )
    ]

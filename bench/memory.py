"""What a provider holds: idle, and after many mounts by many identities."""

import time

from bench.figures import Figure, Table
from bench.process import resident_mib
from bench.rig import Rig, secrets

SETTLE_SECONDS = 10.0
IDENTITIES = 110
MOUNTS = 10_000
AT_ONCE = 20
AWS_BUDGET_MIB = 75.0
MORE_MIB = 24.0
FLAT_MIB = 2.0


def measure() -> list[Table]:
    """Resident memory 10 s after the first mount, then after 200, 10,000 and 20,000."""
    objects = secrets(10)
    with Rig(accounts=IDENTITIES) as rig:
        rig.mount(rig.request(objects))
        time.sleep(SETTLE_SECONDS)
        idle = resident_mib(rig.daemon.pid)
        held = []
        done = 1
        for until in (200, MOUNTS, 2 * MOUNTS):
            rig.mount_all([rig.request(objects, pod % IDENTITIES, pod) for pod in range(done, until)], AT_ONCE)
            done = until
            held.append(resident_mib(rig.daemon.pid))
    after_200, after_10k, after_20k = held
    return [
        Table(
            f"Resident memory of provider aws: {IDENTITIES} identities, 10 secrets each, {AT_ONCE} mounts at once",
            [
                Figure("10 s after the first mount", idle, "MiB", AWS_BUDGET_MIB),
                Figure("after 200 mounts", after_200, "MiB"),
                Figure(f"after {MOUNTS:,} mounts", after_10k, "MiB"),
                Figure("    more than idle", after_10k - idle, "MiB", MORE_MIB),
                Figure(f"after {2 * MOUNTS:,} mounts", after_20k, "MiB"),
                Figure("    more than before", after_20k - after_10k, "MiB", FLAT_MIB),
            ],
        )
    ]

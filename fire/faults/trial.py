"""One fault at one leg of one backend: what mounts come to meanwhile, whom it keeps from asking, what comes after."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from fire.case import Broken, expect
from fire.faults.kinds import Kind, Shared
from fire.faults.site import Place, Told, contents

ResultT = TypeVar("ResultT")

RECOVERY_SECONDS: Final = 10.0
SHORT_SECONDS: Final = 4.0
"""Of a caller with little patience."""
_TRIES_EVERY: Final = 0.2
_NOT_ASKED: Final = "not asked"


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen.

    Attributes:
        reasons: how mounts ended.
        text: seconds until the longest had its text.
        calls: how often the leg was spoken to.
        recovery: seconds until a pod and a volume had everything, from the end of the fault.
        mounts: that were tried meanwhile.
    """

    reasons: frozenset[str]
    text: float
    calls: int
    recovery: float
    mounts: int


class Trial:
    """Args: where, what, at which leg, how long patient callers wait, and a word that no text may hold."""

    def __init__(self, place: Place, kind: Kind, leg: str, patience: float, canary: str) -> None:
        self.place = place
        self.kind = kind
        self.leg = leg
        self.patience = patience
        self.canary = canary
        self.told: list[Told] = []

    def run(self) -> Result:
        """Begin the fault, look, end it, look.

        Raises:
            Broken: something that is promised does not hold.
        """
        cloud, front = self.place.cloud, self.place.cloud.leg(self.leg).front
        old, new = f"{self.canary}-old".encode(), f"{self.canary}-new".encode()
        cloud.put(old.decode())
        volume = self.place.volume(cloud.account(), f"standing-{self.canary}")
        self._ready(old)
        target = self.place.publish(volume)
        expect(contents(target) == {old}, "the volume is not what it should be before the fault")
        accounts = [cloud.account() for _ in range(4)]
        if self.leg == "login" or self.kind.fresh:  # so that nobody has logged in
            self.place.provider.stop()
            self.place.provider.start()
        else:
            for one in accounts:
                expect((told := self.place.mount(one, 30)).good, f"no mount before the fault: {told}")
        cloud.put(new.decode())
        if self.kind.first is not None:
            self.kind.first(cloud, self.leg)
            told = self.place.mount(accounts[3], 30)
            expect(set(told.files.values()) == {new}, f"no new login within the mount: {told}")
        asked = front.asked
        self.kind.begin(cloud, self.leg)
        try:
            self._meanwhile(accounts)
            calls = front.asked - asked
            self._rotates(target, old)
        finally:
            self.kind.end(cloud, self.leg)
        began = time.monotonic()
        recovery = self._recovers(target, old, new, began, (accounts[0], cloud.account()))
        self.place.unpublish(volume)
        self._silent()
        reasons = frozenset(one.reason for one in self.told)
        return Result(reasons, max(one.seconds for one in self.told), calls, recovery, len(self.told))

    def _ready(self, old: bytes) -> None:
        """A fault before this one may have left somebody backing off, where it broke a promise."""
        _until(lambda: set(self.place.mount(0, 30).files.values()) == {old}, 60, "no mount before the fault")

    def _meanwhile(self, accounts: list[int]) -> None:
        first, second, third, hasty = accounts
        together = [(first, self.patience), (hasty, SHORT_SECONDS)]
        if self.kind.slow:
            together.append((second, self.patience))
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda one: self._fails(*one), together))
        silent = any(told.reason != "OutOfTime" for told in found[:1] + found[2:])
        if self.kind.shared is Shared.BY_ALL:
            self._is_kept(second)
            self._is_kept(third)
        elif self.kind.shared is Shared.BY_TWO and silent and self.kind.slow:
            self._one_probes((third, self.place.cloud.account()))
        elif self.kind.shared is Shared.BY_TWO and silent:
            self._fails(second, self.patience)
            self._is_kept(third)

    def _fails(self, account: int, patience: float) -> Told:
        told = self.place.mount(account, patience)
        expect(not told.good, f"a mount succeeded: {sorted(told.files)}")
        kind = self.kind
        codes = sorted(code.name for code in kind.codes)
        expect(told.code in kind.codes, f"{told.code.name} instead of {codes}: {told.reason}: {told.text}")
        # A busy machine may cut a hasty caller's only attempt off, whatever the backend would have said.
        hasty = frozenset({"OutOfTime", "BackendUnavailable"} if patience == SHORT_SECONDS else ())
        allowed = kind.reasons | (hasty if kind.shared is not Shared.NOBODY else frozenset())
        expect(told.reason in allowed, f"reason {told.reason!r}, not {sorted(allowed)}: {told.text}")
        expect(told.seconds < patience, f"the text came after {told.seconds:.1f} s of {patience:g}")
        if told.reason in kind.reasons - {"OutOfTime"} and _NOT_ASKED not in told.text:
            expect(re.search(kind.says, told.text), f"the text does not say what to check: {told.text}")
        self.told.append(told)
        return told

    def _is_kept(self, account: int) -> None:
        """Somebody who has not asked yet asks nothing now."""
        front = self.place.cloud.leg(self.leg).front
        asked = front.asked
        told = self._fails(account, self.patience)
        expect(_NOT_ASKED in told.text, f"a further identity was not told of the back-off: {told.text}")
        expect(front.asked == asked, f"a further identity asked the backend {front.asked - asked} times")

    def _one_probes(self, accounts: tuple[int, int]) -> None:
        """Of two who have not asked yet one asks at most: it finds out for the other."""
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda one: self._fails(one, SHORT_SECONDS), accounts))
        expect(any(_NOT_ASKED in told.text for told in found), f"both asked: {[told.text for told in found]}")

    def _rotates(self, target: Path, old: bytes) -> None:
        """The driver tries, and its volume stays as it is."""
        said = self.place.log().count("keeps its previous files")
        self.place.rotate()
        if self.kind.slow:
            time.sleep(1.5)
        else:
            _until(lambda: self.place.log().count("keeps its previous files") > said, 8, "the driver did not rotate")
        expect(contents(target) == {old}, "the volume's files have changed during the fault")

    def _recovers(self, target: Path, old: bytes, new: bytes, began: float, accounts: Iterable[int]) -> float:
        """Pods mount, and the volume is renewed."""
        ends = began + RECOVERY_SECONDS
        failures: list[str] = []

        def mounts(account: int) -> float:
            while True:
                told = self.place.mount(account, max(1.0, ends + 5 - time.monotonic()))
                seconds = time.monotonic() - began
                if told.good:
                    expect(set(told.files.values()) == {new}, f"a mount after the fault has {told.files}")
                    return seconds
                failures.append(f"{told.reason}: {told.text}")
                expect(seconds < RECOVERY_SECONDS, f"{seconds:.1f} s after the fault a mount fails: {failures[-1]}")
                time.sleep(_TRIES_EVERY)

        def rotates() -> float:
            while (found := contents(target)) != {new}:
                if self.kind.shared is Shared.NOBODY:  # what was refused is asked for again at the next round alone
                    self.place.rotate()
                expect(found <= {old, new}, "the volume's files are neither old nor new")
                seconds = time.monotonic() - began
                expect(seconds < RECOVERY_SECONDS, f"{seconds:.1f} s after the fault the volume is as it was")
                time.sleep(_TRIES_EVERY)
            return time.monotonic() - began

        with ThreadPoolExecutor(3) as pool:
            calls = [pool.submit(rotates), *(pool.submit(mounts, one) for one in accounts)]
            recovery = max(call.result() for call in calls)
        expect(recovery <= RECOVERY_SECONDS, f"recovery took {recovery:.1f} s")
        return recovery

    def _silent(self) -> None:
        """Neither texts nor logs hold a secret."""
        said = self.place.everything_said() + "".join(told.text for told in self.told)
        expect(self.canary + "-old" not in said and self.canary + "-new" not in said, "a secret's value was told")
        expect(not any(one in said for one in self.place.secrets()), "a token was told")


def _until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < ends, otherwise)
        time.sleep(0.05)


def together(trials: Mapping[str, Callable[[], ResultT]]) -> dict[str, ResultT]:
    """Run trials side by side.

    Raises:
        Broken: of all that are.
    """
    found: dict[str, ResultT] = {}
    broken: list[str] = []
    lock = threading.Lock()

    def one(name: str) -> None:
        try:
            result = trials[name]()
        except Broken as seen:
            with lock:
                broken.append(f"{name}: {seen}")
        else:
            with lock:
                found[name] = result

    with ThreadPoolExecutor(max(1, len(trials))) as pool:
        list(pool.map(one, trials))
    expect(not broken, "; ".join(sorted(broken)))
    return found

"""A clock that stands until it is turned."""


class Hand:
    """A clock for tests.

    Attributes:
        at: seconds.
    """

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

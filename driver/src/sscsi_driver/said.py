"""What was logged already: kubelet tries again and again, and the same failure is news only once."""

import threading
from collections import OrderedDict
from typing import Final

MAX_REMEMBERED: Final = 1024


class Said:
    """The last text about each thing; of many things the latest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, str] = OrderedDict()

    def is_news(self, about: str, text: str) -> bool:
        """Whether something else, or nothing, was said about it before; it is remembered."""
        with self._lock:
            news = self._texts.pop(about, None) != text
            self._texts[about] = text
            if len(self._texts) > MAX_REMEMBERED:
                self._texts.popitem(last=False)
            return news

    def over(self, about: str) -> None:
        """It is well, or gone: the next failure is news."""
        with self._lock:
            self._texts.pop(about, None)

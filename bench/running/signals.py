"""How a run reacts to SIGTERM, SIGINT and `cancel`: the first asks it to stop, a second SIGINT ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ..errors import Stopped
from .cancel import Request


def name_of(number: int) -> str:
    """SIGTERM of 15; a number of which Python has no name, such as a real-time signal's, as it is."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Stop:
    """Which signal asked for a stop; 0 while none did. Signals are handled inside the context only.

    A `cancel` that ``request`` finds counts as SIGTERM.
    """

    def __init__(self, request: Request | None = None) -> None:
        self.number, self.by = 0, ""
        self.request = request

    def __enter__(self) -> Stop:
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def look(self) -> int:
        """The signal that has come, or that a request counts as; 0 where there is none."""
        if not self.number and self.request is not None and self.request.made():
            self.number, self.by = signal.SIGTERM, "`cancel`"
        return self.number

    def check(self) -> None:
        """Raise `Stopped` where a stop was asked for."""
        if self.look():
            raise Stopped(self.number, self.by)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number

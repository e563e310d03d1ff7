"""The journal of a run: every event in order, its hash, and the last ones of whom it concerns."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from hashlib import sha256

KEPT_MAX = 400_000


class Journal:
    """What happened. Two runs with one seed have one hash, or the run can't be replayed."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._now_s = now_s
        self._hash = sha256()
        self._lines: deque[str] = deque(maxlen=KEPT_MAX)

    def note(self, kind: str, *words: object) -> None:
        """Enter an event. kind: what is counted; words: whom and what it concerns."""
        self.counts[kind] += 1
        line = f"{self._now_s():.6f} {kind} {' '.join(map(str, words))}"
        self._hash.update(line.encode())
        self._lines.append(line)

    @property
    def digest(self) -> str:
        """Of all events so far."""
        return self._hash.hexdigest()

    def last(self, about: Sequence[str], limit: int) -> list[str]:
        """The last events in which one of these words stands."""
        found: list[str] = []
        for line in reversed(self._lines):
            if len(found) == limit:
                break
            if any(word in line for word in about):
                found.append(line)
        return found[::-1]

"""A message that is refused gets no receipt, so it comes again and again; quarantine keeps one copy of it."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

REMEMBERED_MAX = 10_000


class RefusedBefore:
    """Digests of what lies in quarantine already: what was refused since the start, the newest so many."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, parcel: str) -> bool:
        """Whether these very bytes were refused before."""
        return _digest(parcel) in self._digests

    def add(self, parcel: str) -> None:
        """Its row is committed."""
        self._digests[_digest(parcel)] = None
        if len(self._digests) > REMEMBERED_MAX:
            self._digests.popitem(last=False)

    def forget(self, parcel: str) -> None:
        """It is to be judged once more, and kept again if it is refused again."""
        self._digests.pop(_digest(parcel), None)


def _digest(parcel: str) -> bytes:
    return sha256(parcel.encode("ascii")).digest()

"""Chance from one seed: a source for each concern, and keys and nonces that are the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tongban_shared import keys

SECRET_SIZE_BYTES = 32


class Chance:
    """Sources by name: what one concern draws changes nothing for another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def source(self, concern: str) -> Random:
        """A source of its own for one concern."""
        return Random(f"{self.seed} {concern}")


@contextmanager
def seeded_secrets(source: Random) -> Iterator[None]:
    """Keys made and seals closed meanwhile are the same each time; so nothing in them is secret."""
    instead: dict[str, object] = {
        "os": SimpleNamespace(urandom=source.randbytes),
        "secrets": SimpleNamespace(token_bytes=source.randbytes),
        "Ed25519PrivateKey": _Seeded(Ed25519PrivateKey, source),
        "X25519PrivateKey": _Seeded(X25519PrivateKey, source),
    }
    before = {name: vars(keys)[name] for name in instead}
    vars(keys).update(instead)
    try:
        yield
    finally:
        vars(keys).update(before)


class _Seeded:
    """A kind of private key whose new ones come from a seeded source."""

    def __init__(self, kind: Any, source: Random) -> None:  # noqa: ANN401  # two classes with the same methods
        self.from_private_bytes: Callable[[bytes], Any] = kind.from_private_bytes
        self._source = source

    def generate(self) -> Any:  # noqa: ANN401  # as above
        """A new one."""
        return self.from_private_bytes(self._source.randbytes(SECRET_SIZE_BYTES))

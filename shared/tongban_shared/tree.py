"""A hash tree over the messages of one unit of work, with leaf and node prefixes. Source: RFC 6962 §2.1."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE_BYTES = 32
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf, 32 bytes."""
    return sha256(_LEAF + data).digest()


def grow(leaves: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return the root over N >= 1 leaf hashes and, per leaf, its audit path (0 to log2 N hashes, joined)."""
    paths: list[list[bytes]] = [[] for _ in leaves]
    level = list(leaves)
    width = 1
    while len(level) > 1:
        for index, path in enumerate(paths):
            sibling = (index // width) ^ 1
            if sibling < len(level):
                path.append(level[sibling])
        above = [sha256(_NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = above + level[len(above) * 2 :]
        width *= 2
    return level[0], [b"".join(path) for path in paths]


def climb(leaf: bytes, index: int, size: int, path: bytes) -> bytes | None:
    """Return the root that a leaf hash and its path lead to, or None if the path does not fit the tree."""
    if not 0 <= index < size or len(path) % HASH_SIZE_BYTES:
        return None
    node, used = leaf, 0
    while size > 1:
        if index ^ 1 < size:
            sibling = path[used : used + HASH_SIZE_BYTES]
            node = sha256(_NODE + (sibling + node if index & 1 else node + sibling)).digest()
            used += HASH_SIZE_BYTES
        index //= 2
        size = (size + 1) // 2
    return node if used == len(path) else None

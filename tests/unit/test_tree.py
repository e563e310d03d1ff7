"""The hash tree against the recursive definition of RFC 6962 §2.1, §2.1.1."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from tongban_shared.tree import HASH_SIZE_BYTES, climb, grow, leaf_hash

MESSAGES = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def reference_root(messages: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962: split at the largest power of two below the number of leaves."""
    if len(messages) == 1:
        return sha256(b"\x00" + messages[0]).digest()
    split = _split(len(messages))
    return sha256(b"\x01" + reference_root(messages[:split]) + reference_root(messages[split:])).digest()


def reference_path(index: int, messages: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962."""
    if len(messages) == 1:
        return []
    split = _split(len(messages))
    if index < split:
        return [*reference_path(index, messages[:split]), reference_root(messages[split:])]
    return [*reference_path(index - split, messages[split:]), reference_root(messages[:split])]


def _split(size: int) -> int:
    power: int = 1 << ((size - 1).bit_length() - 1)
    return power


@given(MESSAGES)
def test_root_and_paths_are_those_of_the_standard(messages: list[bytes]) -> None:
    """Root and every audit path equal the recursion of the RFC, at any size."""
    root, paths = grow([leaf_hash(message) for message in messages])
    assert root == reference_root(messages)
    assert paths == [b"".join(reference_path(i, messages)) for i in range(len(messages))]


@given(MESSAGES)
def test_every_leaf_climbs_to_the_root(messages: list[bytes]) -> None:
    """A leaf with its own path leads to the root."""
    leaves = [leaf_hash(message) for message in messages]
    root, paths = grow(leaves)
    size = len(leaves)
    assert [climb(leaf, i, size, path) for i, (leaf, path) in enumerate(zip(leaves, paths, strict=True))] == [
        root
    ] * size


@given(MESSAGES, st.data())
def test_nothing_else_climbs_to_the_root(messages: list[bytes], data: st.DataObject) -> None:
    """A flipped bit in leaf or path, or a path cut or lengthened, does not lead to the root."""
    leaves = [leaf_hash(message) for message in messages]
    root, paths = grow(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, size = paths[index], len(leaves)
    assert climb(_flip(leaves[index], data), index, size, path) != root
    assert climb(leaves[index], index, size, path + bytes(HASH_SIZE_BYTES)) != root
    if path:
        assert climb(leaves[index], index, size, _flip(path, data)) != root
        assert climb(leaves[index], index, size, path[:-HASH_SIZE_BYTES]) != root


def _flip(raw: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(raw) - 1))
    return raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]


@pytest.mark.parametrize(("index", "size"), [(-1, 2), (2, 2), (5, 2), (0, 0), (0, -3)])
def test_a_place_outside_the_tree_leads_nowhere(index: int, size: int) -> None:
    """An index that the tree does not have gives None."""
    assert climb(leaf_hash(b""), index, size, b"") is None


def test_a_path_of_odd_length_leads_nowhere() -> None:
    """A path that is not a row of whole hashes gives None."""
    assert climb(leaf_hash(b""), 0, 2, bytes(HASH_SIZE_BYTES - 1)) is None


def test_a_node_is_no_leaf() -> None:
    """Leaf and node are hashed under different prefixes, so that neither passes for the other."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    root, _ = grow([left, right])
    assert leaf_hash(left + right) != root

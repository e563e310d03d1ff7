"""The fence: what it remembers, whatever happens while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tongban_registry.fence import PLACE_BYTES, FileFence
from tongban_shared.errors import FenceDownError
from tongban_shared.ports import Head


def head(unit: int, incarnation: int = 1) -> Head:
    """The end of a log."""
    return Head(incarnation, unit, f"{unit:064x}")


async def test_a_new_fence_remembers_nothing(tmp_path: Path) -> None:
    """Before the first commit there is nothing to be behind of."""
    assert await FileFence(tmp_path / "new" / "44").read() is None


async def test_the_newest_head_survives_the_process(tmp_path: Path) -> None:
    """Written by one process, read by the next."""
    fence = FileFence(tmp_path / "44")
    for unit in range(1, 6):
        await fence.write(head(unit))
    await fence.close()
    again = FileFence(tmp_path / "44")
    assert await again.read() == head(5)
    await again.write(head(6))
    assert await FileFence(tmp_path / "44").read() == head(6)


async def test_a_new_incarnation_is_newer_than_any_number(tmp_path: Path) -> None:
    """After a put-back the numbers of units are lower, and still the newest."""
    fence = FileFence(tmp_path / "44")
    await fence.write(head(900))
    await fence.write(head(12, incarnation=2))
    assert await FileFence(tmp_path / "44").read() == head(12, incarnation=2)


@pytest.mark.parametrize("cut", [0, 1, 40, 100])
async def test_a_write_cut_off_leaves_the_one_before(tmp_path: Path, cut: int) -> None:
    """Power goes while a place is written: the other place stands, and is read."""
    fence = FileFence(tmp_path / "44")
    await fence.write(head(1))
    await fence.write(head(2))
    raw = bytearray((tmp_path / "44").read_bytes())
    raw[PLACE_BYTES + cut : 2 * PLACE_BYTES] = b"\xff" * (PLACE_BYTES - cut)
    (tmp_path / "44").write_bytes(raw)
    assert await FileFence(tmp_path / "44").read() == head(1)


async def test_a_fence_that_can_t_be_kept_is_an_error(tmp_path: Path) -> None:
    """A folder in its place: the registry must not go on as if it had written."""
    (tmp_path / "44").mkdir()
    with pytest.raises(FenceDownError):
        await FileFence(tmp_path / "44").read()
    with pytest.raises(FenceDownError):
        await FileFence(tmp_path / "44").write(head(1))

"""`tongban keys`: made once, rotated by name, with words that help when something is missing."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from tongban_sandbox.cli import app
from tongban_shared.keys import load_signer


def keys(*arguments: str, folder: Path) -> Result:
    """The command, in this folder."""
    return CliRunner().invoke(app, ["keys", *arguments, "--keys", str(folder)])


def test_keys_are_made_once_and_rotated(tmp_path: Path) -> None:
    """`init` a second time changes nothing; `rotate` gives one owner its next keys."""
    assert keys("init", folder=tmp_path).exit_code == 0
    before = (tmp_path / "directory.json").read_bytes()
    assert keys("init", folder=tmp_path).exit_code == 0
    assert (tmp_path / "directory.json").read_bytes() == before
    answer = keys("rotate", "44", folder=tmp_path)
    assert (answer.exit_code, "44-2" in answer.output) == (0, True)
    assert [load_signer(tmp_path, owner).key_id for owner in ("43", "44")] == ["43-1", "44-2"]


def test_who_has_no_keys_can_t_rotate(tmp_path: Path) -> None:
    """An owner without keys, or a misspelt one: a sentence and an exit code, no trace."""
    keys("init", folder=tmp_path)
    answer = keys("rotate", "guangdong", folder=tmp_path)
    assert answer.exit_code == 2
    assert "tongban keys init" in answer.output

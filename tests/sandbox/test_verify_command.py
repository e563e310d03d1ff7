"""`tongban verify`: a verdict and an exit code, offline, with words that help when a file is missing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from tests.unit.papers import FIELDS, GUANGDONG, ZHEJIANG, certificate, header, salts
from tongban_sandbox.cli import app
from tongban_shared.clock import WallClock
from tongban_shared.documents.document import Document, encode, make, present
from tongban_shared.keys import generate_keys, load_directory, load_signer

NOW = WallClock().now().replace(microsecond=0)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key folder of two provinces."""
    folder = tmp_path / "keys"
    generate_keys(folder, [GUANGDONG, ZHEJIANG])
    return folder


def issued(keys: Path, days_ago: int = 1) -> Document:
    """A certificate made some days ago, or ahead, good for 90 days."""
    return certificate(signer=load_signer(keys, GUANGDONG), at=NOW - timedelta(days=days_ago))


def verify(raw: bytes, keys: Path, *options: str) -> Result:
    """The command on a file that holds these bytes."""
    file = keys.parent / "document.json"
    file.write_bytes(raw)
    return CliRunner().invoke(app, ["verify", str(file), "--keys", str(keys), *options])


def test_a_presentation_is_shown_with_what_it_discloses(keys: Path) -> None:
    """Valid: exit code 0, the disclosed field, how many are hidden, and that status is known only online."""
    answer = verify(encode(present(issued(keys), ["relation"])), keys)
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("VALID\n")
    assert "relation: 父子" in answer.output
    assert "1 of 5 disclosed" in answer.output
    assert FIELDS["holder.id_number"] not in answer.output
    assert "known only online" in answer.output


@pytest.mark.parametrize(("days_ago", "result"), [(91, "EXPIRED"), (-1, "NOT_YET_VALID")])
def test_out_of_its_time_is_no_yes(keys: Path, days_ago: int, result: str) -> None:
    """An expired and an early document are genuine, are shown, and have exit code 1."""
    answer = verify(encode(issued(keys, days_ago)), keys)
    assert (answer.exit_code, answer.output.splitlines()[0]) == (1, result)
    assert "合成人甲" in answer.output


def test_a_forgery_is_not_shown(keys: Path) -> None:
    """Invalid: exit code 1, the reason, and nothing of what it claims."""
    answer = verify(encode(issued(keys)).replace("父子".encode(), "父女".encode()), keys)
    assert answer.exit_code == 1
    assert answer.output.startswith("INVALID  FIELD_ALTERED: ")
    assert "合成人甲" not in answer.output


def test_fields_that_were_asked_for_must_be_disclosed(keys: Path) -> None:
    """Only these are shown; one that the holder left out is no yes."""
    raw = encode(present(issued(keys), ["relation", "purpose"]))
    some = verify(raw, keys, "--fields", "relation")
    assert (some.exit_code, "purpose" in some.output) == (0, False)
    more = verify(raw, keys, "--fields", "relation, holder.name")
    assert (more.exit_code, "holder.name: (not disclosed)" in more.output) == (1, True)


def test_the_published_key_set_is_enough(keys: Path) -> None:
    """A verifier elsewhere needs one file: the public list, or the key set that the gateway publishes."""
    raw = encode(issued(keys))
    key_set = keys.parent / "jwks.json"
    key_set.write_text(json.dumps(load_directory(keys).jwks()))
    for source in (keys / "directory.json", key_set):
        assert verify(raw, source).exit_code == 0
    key_set.write_text(json.dumps(load_directory(keys).jwks(ZHEJIANG)))
    assert verify(raw, key_set).output.startswith("INVALID  UNKNOWN_ISSUER: ")


def test_a_value_can_t_repaint_the_screen(keys: Path) -> None:
    """Control characters in a field are spelt out."""
    at = replace(header(), issued_at=NOW, valid_from=NOW, valid_until=None)
    document = make(at, {"name": "甲\x1b[2Kv\u202e"}, salts(count=1), load_signer(keys, GUANGDONG))
    output = verify(encode(document), keys).output
    assert "name: 甲\\x1b[2Kv\\u202e\n" in output


def test_missing_files_are_named(keys: Path, tmp_path: Path) -> None:
    """No document, no key list, or no list of keys: one line that says which, and exit code 2."""
    lost = CliRunner().invoke(app, ["verify", str(tmp_path / "lost.json"), "--keys", str(keys)])
    assert (lost.exit_code, "lost.json" in lost.output) == (2, True)
    unlisted = verify(b"{}", tmp_path)
    assert (unlisted.exit_code, "jwks.json" in unlisted.output) == (2, True)
    for content in ("[]", "{", '{"keys":[1]}', '{"keys":[{"kty":"OKP"}]}', '{"keys":[]}', '{"keys":null}'):
        (tmp_path / "keys.json").write_text(content)
        answer = verify(b"{}", tmp_path / "keys.json")
        assert (answer.exit_code, "keys.json" in answer.output) == (2, True), content

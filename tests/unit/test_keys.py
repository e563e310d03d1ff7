"""Keys of owners: made once, followed by others, never forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tongban_shared.errors import SettingsError, WireError
from tongban_shared.keys import (
    KeyDirectory,
    LocalSigner,
    generate_keys,
    load_directory,
    load_signer,
    rotate_keys,
)

A, B = "32", "33"
DATA, CONTEXT = b"what is said", b"about which case"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of two owners."""
    generate_keys(tmp_path, [A, B])
    return tmp_path


def listed(folder: Path) -> list[dict[str, str]]:
    """The public list as it stands."""
    entries: list[dict[str, str]] = json.loads((folder / "directory.json").read_text())["keys"]
    return entries


def verifies(directory: KeyDirectory, signer: LocalSigner, signature: bytes) -> None:
    """Raises if the signature that the signer just made is not good."""
    directory.verify(signer.owner, signer.key_id, DATA, signature)


def test_a_rotation_only_adds(folder: Path) -> None:
    """The list keeps every entry, in order, and gets the new key's two; the number is new."""
    before = listed(folder)
    assert rotate_keys(folder, A) == f"{A}-2"
    assert rotate_keys(folder, A) == f"{A}-3"
    after = listed(folder)
    assert after[: len(before)] == before
    assert [(entry["owner"], entry["key_id"]) for entry in after[len(before) :]] == [
        *[(A, f"{A}-2")] * 2,
        *[(A, f"{A}-3")] * 2,
    ]
    assert all(entry["valid_from"] for entry in after)


def test_an_old_signature_stays_good(folder: Path) -> None:
    """What was signed before a rotation verifies after it, under its own key."""
    signer = load_signer(folder, A)
    signature, key_id = signer.sign(DATA), signer.key_id
    rotate_keys(folder, A)
    load_directory(folder).verify(A, key_id, DATA, signature)


def test_who_runs_signs_with_the_new_key_and_is_understood(folder: Path) -> None:
    """Signer and verifier that were loaded before a rotation go on with the new key by themselves."""
    signer, directory = load_signer(folder, A), load_directory(folder)
    verifies(directory, signer, signer.sign(DATA))
    rotate_keys(folder, A)
    signature = signer.sign(DATA)
    assert signer.key_id == f"{A}-2"
    verifies(directory, signer, signature)


@pytest.mark.parametrize("rotated", [(), (A,), (B,), (A, B), (A, B, A)], ids=str)
def test_a_seal_of_before_still_opens(folder: Path, rotated: tuple[str, ...]) -> None:
    """What was sealed before any rotation of either side opens after it, for who runs and for who starts."""
    running = load_signer(folder, B)
    sealed = load_signer(folder, A).seal(B, DATA, CONTEXT)
    for owner in rotated:
        rotate_keys(folder, owner)
    for receiver in (running, load_signer(folder, B)):
        assert receiver.unseal(A, sealed, CONTEXT) == DATA


@pytest.mark.parametrize("rotated", [(), (A,), (B,), (A, B), (A, B, A)], ids=str)
def test_a_new_seal_opens(folder: Path, rotated: tuple[str, ...]) -> None:
    """What is sealed after rotations opens, whether the two sides ran meanwhile or start now."""
    running = {owner: load_signer(folder, owner) for owner in (A, B)}
    for owner in rotated:
        rotate_keys(folder, owner)
    started = {owner: load_signer(folder, owner) for owner in (A, B)}
    for sender, receiver in ((running, started), (started, running), (running, running)):
        assert receiver[B].unseal(A, sender[A].seal(B, DATA, CONTEXT), CONTEXT) == DATA


def test_first_keys_seal_without_names(folder: Path) -> None:
    """As long as nobody rotated, a seal is the bare base64 that earlier versions wrote and read."""
    sealed = load_signer(folder, A).seal(B, DATA, CONTEXT)
    assert "." not in sealed
    rotate_keys(folder, A)
    assert load_signer(folder, A).seal(B, DATA, CONTEXT).startswith(f"{A}-2>{B}-1.")


@pytest.mark.parametrize("names", [f"{A}-1>{B}-1", f"{A}-2>{B}-2", f"{A}-2>{B}-9", f"{A}-9>{B}-1", ">", ""])
def test_other_names_do_not_open_a_seal(folder: Path, names: str) -> None:
    """Which keys sealed is no matter of belief: under any other names the seal stays shut."""
    rotate_keys(folder, A)
    sealed = load_signer(folder, A).seal(B, DATA, CONTEXT)
    with pytest.raises(WireError):
        load_signer(folder, B).unseal(A, f"{names}.{sealed.rpartition('.')[2]}", CONTEXT)


def test_a_rotation_cut_off_half_way_goes_on(folder: Path) -> None:
    """Before the list has the new key, its owner signs with the old one; the same call again lists it."""
    before = (folder / "directory.json").read_bytes()
    signer, directory = load_signer(folder, A), load_directory(folder)
    rotate_keys(folder, A)
    (folder / "directory.json").write_bytes(before)
    for one in (signer, load_signer(folder, A)):
        verifies(directory, one, one.sign(DATA))
        assert one.key_id == f"{A}-1"
    assert rotate_keys(folder, A) == f"{A}-2"
    for one in (signer, load_signer(folder, A)):
        verifies(directory, one, one.sign(DATA))
        assert one.key_id == f"{A}-2"


def test_a_key_is_never_replaced(folder: Path) -> None:
    """Another key under a number that was given is refused at start, and not taken by who runs."""
    signer, directory = load_signer(folder, A), load_directory(folder)
    signature = signer.sign(DATA)
    entries = listed(folder)
    others = [entry for entry in entries if entry["owner"] == B]
    stolen = [{**other, "owner": A, "key_id": f"{A}-1"} for other in others]
    (folder / "directory.json").write_text(json.dumps({"keys": [*entries, *stolen]}))
    with pytest.raises(SettingsError, match="only grows"):
        load_directory(folder)
    directory.look_again()
    directory.verify(A, f"{A}-1", DATA, signature)


@pytest.mark.parametrize("damage", ["", "{", None], ids=["empty", "torn", "gone"])
def test_a_damaged_file_stops_nobody_who_runs(folder: Path, damage: str | None) -> None:
    """List and private file damaged under a running program: it goes on with what it knows."""
    signer, directory = load_signer(folder, A), load_directory(folder)
    for file in (folder / "directory.json", folder / f"{A}.json"):
        file.unlink()
        if damage is not None:
            file.write_text(damage)
    verifies(directory, signer, signer.sign(DATA))
    with pytest.raises(WireError, match="UNKNOWN_KEY"):
        directory.verify(A, f"{A}-7", DATA, bytes(64))


def test_private_files_are_their_owner_s_alone(folder: Path) -> None:
    """After a rotation too, only the public list may be read by others."""
    rotate_keys(folder, A)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"directory.json": 0o644, "secrets.json": 0o600, f"{A}.json": 0o600, f"{B}.json": 0o600}


def test_all_generations_are_published(folder: Path) -> None:
    """The JWK set of a running program lists old and new signing keys of an owner."""
    directory = load_directory(folder)
    rotate_keys(folder, A)
    assert [key["kid"] for key in directory.jwks(A)["keys"]] == [f"{A}-1", f"{A}-2"]

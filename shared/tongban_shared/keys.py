"""Keys of provinces, ledger and gateway: Ed25519 to sign, X25519 to seal; a public list, append-only.

Folder: `directory.json` (public list), `secrets.json` (keyed-digest secrets), `<owner>.json` (private keys).
A key that was followed by another stays in the list for ever, and its private half beside the new one: what
was signed stays good, what was sealed can still be opened. Running programs see new keys when they need one.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import structlog
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tongban_shared.clock import WallClock
from tongban_shared.errors import SettingsError, WireError

NONCE_SIZE_BYTES = 12
DIRECTORY = "directory.json"
SIGNING, SEALING = "Ed25519", "X25519"

log = structlog.get_logger()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The shared secrets of keyed digests: `person` for person keys, `custody` for the ledger's digests."""

    person: bytes = field(repr=False)
    custody: bytes = field(repr=False)


class _Watched:
    """A file that may be replaced while programs run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def news(self) -> Any:  # noqa: ANN401  # as `_read`
        """Its content once after each change, else None. A file that can't be read stops nobody who runs."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        try:
            return _read(self._path)
        except SettingsError as error:
            log.warning("key file not taken", error_type=type(error).__name__)
            return None

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class KeyDirectory:
    """The public key list. Entries are only ever added; an entry carries algorithm, use and from when.

    file: where the list stands; it is looked at again when a key is unknown or somebody's newest is wanted.
    """

    def __init__(self, entries: Iterable[dict[str, str]], file: Path | None = None) -> None:
        self._sign: dict[tuple[str, str], Ed25519PublicKey] = {}
        self._seal: dict[tuple[str, str], X25519PublicKey] = {}
        self._newest: dict[str, str] = {}
        self._publics: dict[tuple[str, str, str], str] = {}
        self._file = None if file is None else _Watched(file)
        self.entries: tuple[dict[str, str], ...] = ()
        self._add(entries)

    def _add(self, entries: Iterable[dict[str, str]]) -> None:
        """Take what is new. Raises SettingsError: a number given before now has another key."""
        fresh = []
        for entry in entries:
            place = (entry["owner"], entry["key_id"], entry["alg"])
            known = self._publics.get(place)
            if known is None:
                self._publics[place] = entry["public"]
                fresh.append(entry)
            elif known != entry["public"]:
                raise SettingsError(f"{entry['key_id']} is listed with two keys; a key list only grows")
        for entry in fresh:
            self._know(entry)
        self.entries += tuple(fresh)

    def _know(self, entry: dict[str, str]) -> None:
        owner, key_id = entry["owner"], entry["key_id"]
        raw = base64.b64decode(entry["public"])
        if entry["alg"] == SIGNING:
            self._sign[owner, key_id] = Ed25519PublicKey.from_public_bytes(raw)
        elif entry["alg"] == SEALING:
            self._seal[owner, key_id] = X25519PublicKey.from_public_bytes(raw)
            self._newest[owner] = key_id

    def look_again(self) -> None:
        """Take what was added to the file since."""
        news = None if self._file is None else self._file.news()
        if news is not None:
            try:
                self._add(news["keys"])
            except SettingsError as error:
                log.warning("key list not taken", error_type=type(error).__name__)

    def verify(self, owner: str, key_id: str, data: bytes, signature: bytes) -> None:
        """Raises WireError(UNKNOWN_KEY) or WireError(BAD_SIGNATURE)."""
        if (owner, key_id) not in self._sign:
            self.look_again()
        key = self._sign.get((owner, key_id))
        if key is None:
            raise WireError("UNKNOWN_KEY", f"owner {owner}")
        try:
            key.verify(signature, data)
        except InvalidSignature as error:
            raise WireError("BAD_SIGNATURE", f"owner {owner}") from error

    def lists(self, owner: str, key_id: str) -> bool:
        """Whether others can find this signing key."""
        return (owner, key_id) in self._sign

    def newest_seal(self, owner: str) -> str:
        """The number of the newest sealing key of `owner`. Raises WireError(UNKNOWN_KEY)."""
        self.look_again()
        if owner not in self._newest:
            raise WireError("UNKNOWN_KEY", f"owner {owner}")
        return self._newest[owner]

    def sealing_key(self, owner: str, key_id: str) -> X25519PublicKey:
        """One sealing key of `owner`. Raises WireError(UNKNOWN_KEY)."""
        if (owner, key_id) not in self._seal:
            self.look_again()
        key = self._seal.get((owner, key_id))
        if key is None:
            raise WireError("UNKNOWN_KEY", f"owner {owner}")
        return key

    def provinces(self) -> list[str]:
        """Every province that signs, in order; ledger and gateway are named by words."""
        return sorted({entry["owner"] for entry in self.entries if entry["owner"].isdigit()})

    def jwks(self, owner: str | None = None) -> dict[str, list[dict[str, str]]]:
        """The signing keys as a JWK set (RFC 7517, 8037, 9864), of one owner or of all."""
        self.look_again()
        keys = [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "Ed25519",
                "use": "sig",
                "kid": entry["key_id"],
                "x": entry["public"].replace("+", "-").replace("/", "_").rstrip("="),
            }
            for entry in self.entries
            if entry["alg"] == SIGNING and owner in (None, entry["owner"])
        ]
        return {"keys": keys}


class _Pair(TypedDict):
    """One generation of an owner's private keys, base64."""

    key_id: str
    sign: str
    seal: str


class _Private(_Pair, total=False):
    """An owner's file: the newest pair, and those before it, oldest first."""

    older: list[_Pair]


class LocalSigner:
    """Private keys of one owner, from a file. In production the same port fronts a hardware module.

    file: where they stand; it is looked at again before each signature and for a seal of an unknown pair.
    """

    def __init__(
        self, owner: str, private: _Private, directory: KeyDirectory, file: Path | None = None
    ) -> None:
        self.owner = owner
        self._private = private
        self._directory = directory
        self._file = None if file is None else _Watched(file)
        self._agreed: dict[tuple[str, str, str, str], AESGCM] = {}
        self._take()

    def _take(self) -> None:
        """Use the newest that the public list has: a rotation cut off half-way locks nobody out."""
        pairs = [*self._private.get("older", ()), self._private]
        listed = [pair for pair in pairs if self._directory.lists(self.owner, pair["key_id"])]
        current = listed[-1] if listed else self._private
        self.key_id = current["key_id"]
        self._sign = Ed25519PrivateKey.from_private_bytes(base64.b64decode(current["sign"]))
        self._seals = {
            pair["key_id"]: X25519PrivateKey.from_private_bytes(base64.b64decode(pair["seal"]))
            for pair in pairs
        }

    def _look_again(self) -> None:
        news = None if self._file is None else self._file.news()
        if news is not None:
            self._private = news
        if news is not None or self.key_id != self._private["key_id"]:
            self._directory.look_again()
            self._take()

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 over `data`."""
        self._look_again()
        return self._sign.sign(data)

    def seal(self, receiver: str, data: bytes, context: bytes) -> str:
        """AES-256-GCM under the pair's key (static X25519 agreement, HKDF); a random nonce goes first.

        Both sides' keys are named in front, `32-2>33-1.`, unless both are the first they ever had.
        """
        self._look_again()
        mine, theirs = self.key_id, self._directory.newest_seal(receiver)
        nonce = os.urandom(NONCE_SIZE_BYTES)
        key = self._key((self.owner, mine), (receiver, theirs))
        text = _b64(nonce + key.encrypt(nonce, data, context))
        both_first = (mine, theirs) == (_first(self.owner), _first(receiver))
        return text if both_first else f"{mine}>{theirs}.{text}"

    def unseal(self, sender: str, sealed: str, context: bytes) -> bytes:
        """Open what `sender` sealed for this owner. Raises WireError(BAD_SEAL) or WireError(UNKNOWN_KEY)."""
        names, dot, text = sealed.rpartition(".")
        theirs, _, mine = names.partition(">") if dot else (_first(sender), "", _first(self.owner))
        if mine not in self._seals:
            self._look_again()
        try:
            raw = base64.b64decode(text, validate=True)
            key = self._key((sender, theirs), (self.owner, mine))
            return key.decrypt(raw[:NONCE_SIZE_BYTES], raw[NONCE_SIZE_BYTES:], context)
        except (ValueError, InvalidTag, KeyError) as error:
            raise WireError("BAD_SEAL") from error

    def _key(self, sender: tuple[str, str], receiver: tuple[str, str]) -> AESGCM:
        """The key of two keys, in this direction. Raises WireError(UNKNOWN_KEY), KeyError: not mine."""
        known = self._agreed.get((*sender, *receiver))
        if known is None:
            mine, other = (sender, receiver) if sender[0] == self.owner else (receiver, sender)
            agreed = self._seals[mine[1]].exchange(self._directory.sealing_key(*other))
            info = f"tongban seal v1 {sender[0]}>{receiver[0]}".encode()
            known = AESGCM(HKDF(SHA256(), 32, None, info).derive(agreed))
            self._agreed[*sender, *receiver] = known
        return known


def _first(owner: str) -> str:
    """The number of an owner's first keys."""
    return f"{owner}-1"


def load_directory(folder: Path) -> KeyDirectory:
    """Read the public key list. Raises SettingsError with what to do."""
    file = folder / DIRECTORY
    return KeyDirectory(_read(file)["keys"], file)


def load_secrets(folder: Path) -> Secrets:
    """Read the keyed-digest secrets. Raises SettingsError."""
    raw = _read(folder / "secrets.json")
    return Secrets(base64.b64decode(raw["person"]), base64.b64decode(raw["custody"]))


def load_signer(folder: Path, owner: str) -> LocalSigner:
    """Read one owner's private keys. Raises SettingsError."""
    file = folder / f"{owner}.json"
    return LocalSigner(owner, _read(file), load_directory(folder), file)


def generate_keys(folder: Path, owners: Iterable[str]) -> None:
    """Make keys for owners that have none yet; existing files stay as they are. Safe to repeat."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = _read(folder / DIRECTORY)["keys"] if (folder / DIRECTORY).exists() else []
    for owner in owners:
        if not (folder / f"{owner}.json").exists():
            pair = _new_pair(_first(owner))
            _write(folder / f"{owner}.json", pair)
            listed += _publics(owner, pair)
    if not (folder / "secrets.json").exists():
        fresh = {name: _b64(secrets.token_bytes(32)) for name in ("person", "custody")}
        _write(folder / "secrets.json", fresh)
    _write(folder / DIRECTORY, {"keys": listed}, mode=0o644)


def rotate_keys(folder: Path, owner: str) -> str:
    """Give an owner new keys beside the old ones; returns their number. Raises SettingsError.

    First the private file, then the public list: nobody seals for a key whose private half may be lost. If it
    was cut off between the two, the same call again lists what it made.
    """
    private: _Private = _read(folder / f"{owner}.json")
    listed = _read(folder / DIRECTORY)["keys"]
    known = {entry["key_id"] for entry in listed if entry["owner"] == owner}
    if private["key_id"] in known:
        before: _Pair = {"key_id": private["key_id"], "sign": private["sign"], "seal": private["seal"]}
        older = [*private.get("older", ()), before]
        private = {**_new_pair(f"{owner}-{len(older) + 1}"), "older": older}
        _write(folder / f"{owner}.json", private)
    _write(folder / DIRECTORY, {"keys": [*listed, *_publics(owner, private)]}, mode=0o644)
    return private["key_id"]


def _new_pair(key_id: str) -> _Pair:
    sign, seal = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    return {"key_id": key_id, "sign": _b64(sign.private_bytes_raw()), "seal": _b64(seal.private_bytes_raw())}


def _publics(owner: str, pair: _Pair) -> list[dict[str, str]]:
    """What the public list says of a pair."""
    sign = Ed25519PrivateKey.from_private_bytes(base64.b64decode(pair["sign"])).public_key()
    seal = X25519PrivateKey.from_private_bytes(base64.b64decode(pair["seal"])).public_key()
    since = WallClock().now().isoformat(timespec="seconds")
    entry = {"owner": owner, "key_id": pair["key_id"], "valid_from": since}
    return [
        entry | {"alg": SIGNING, "public": _b64(sign.public_bytes_raw())},
        entry | {"alg": SEALING, "public": _b64(seal.public_bytes_raw())},
    ]


def _read(path: Path) -> Any:  # noqa: ANN401  # JSON written by `_write`, narrowed by the callers
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"no {path.name} in the key folder; make it with: tongban keys init") from error
    except ValueError as error:
        raise SettingsError(
            f"{path.name} is not JSON; restore it from the backup of the key folder"
        ) from error
    return content


def _write(path: Path, content: object, mode: int = 0o600) -> None:
    """Write by rename, so that a crash leaves the old file or the new one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
    fresh.chmod(mode)
    fresh.replace(path)

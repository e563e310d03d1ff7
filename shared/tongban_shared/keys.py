"""Keys of provinces, ledger and gateway: Ed25519 to sign, X25519 to seal; a public list, append-only.

Folder: `directory.json` (public list), `secrets.json` (keyed-digest secrets), `<owner>.json` (private keys).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tongban_shared.errors import SettingsError, WireError

NONCE_SIZE_BYTES = 12


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The shared secrets of keyed digests: `person` for person keys, `custody` for the ledger's digests."""

    person: bytes = field(repr=False)
    custody: bytes = field(repr=False)


class KeyDirectory:
    """The public key list. Entries are only ever added; an entry carries algorithm and use."""

    def __init__(self, entries: Iterable[dict[str, str]]) -> None:
        self._sign: dict[tuple[str, str], Ed25519PublicKey] = {}
        self._seal: dict[str, X25519PublicKey] = {}
        self.entries = tuple(entries)
        for entry in self.entries:
            raw = base64.b64decode(entry["public"])
            if entry["alg"] == "Ed25519":
                self._sign[entry["owner"], entry["key_id"]] = Ed25519PublicKey.from_public_bytes(raw)
            elif entry["alg"] == "X25519":
                self._seal[entry["owner"]] = X25519PublicKey.from_public_bytes(raw)

    def verify(self, owner: str, key_id: str, data: bytes, signature: bytes) -> None:
        """Raises WireError(UNKNOWN_KEY) or WireError(BAD_SIGNATURE)."""
        key = self._sign.get((owner, key_id))
        if key is None:
            raise WireError("UNKNOWN_KEY", f"owner {owner}")
        try:
            key.verify(signature, data)
        except InvalidSignature as error:
            raise WireError("BAD_SIGNATURE", f"owner {owner}") from error

    def sealing_key(self, owner: str) -> X25519PublicKey:
        """The newest sealing key of `owner`. Raises WireError(UNKNOWN_KEY)."""
        key = self._seal.get(owner)
        if key is None:
            raise WireError("UNKNOWN_KEY", f"owner {owner}")
        return key

    def provinces(self) -> list[str]:
        """Every province that signs, in order; ledger and gateway are named by words."""
        return sorted({entry["owner"] for entry in self.entries if entry["owner"].isdigit()})

    def jwks(self, owner: str | None = None) -> dict[str, list[dict[str, str]]]:
        """The signing keys as a JWK set (RFC 7517, 8037, 9864), of one owner or of all."""
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
            if entry["alg"] == "Ed25519" and owner in (None, entry["owner"])
        ]
        return {"keys": keys}


class LocalSigner:
    """Private keys of one owner, from a file. In production the same port fronts a hardware module."""

    def __init__(self, owner: str, private: dict[str, str], directory: KeyDirectory) -> None:
        self.owner = owner
        self.key_id = private["key_id"]
        self._sign = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private["sign"]))
        self._seal = X25519PrivateKey.from_private_bytes(base64.b64decode(private["seal"]))
        self._directory = directory
        self._pair_keys: dict[tuple[str, str], AESGCM] = {}

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 over `data`."""
        return self._sign.sign(data)

    def seal(self, receiver: str, data: bytes, context: bytes) -> str:
        """AES-256-GCM under the pair's key (static X25519 agreement, HKDF); a random nonce goes first."""
        nonce = os.urandom(NONCE_SIZE_BYTES)
        return _b64(nonce + self._pair_key(self.owner, receiver).encrypt(nonce, data, context))

    def unseal(self, sender: str, sealed: str, context: bytes) -> bytes:
        """Open what `sender` sealed for this owner. Raises WireError(BAD_SEAL)."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._pair_key(sender, self.owner).decrypt(
                raw[:NONCE_SIZE_BYTES], raw[NONCE_SIZE_BYTES:], context
            )
        except (ValueError, InvalidTag) as error:
            raise WireError("BAD_SEAL") from error

    def _pair_key(self, sender: str, receiver: str) -> AESGCM:
        key = self._pair_keys.get((sender, receiver))
        if key is None:
            other = receiver if sender == self.owner else sender
            agreed = self._seal.exchange(self._directory.sealing_key(other))
            info = f"tongban seal v1 {sender}>{receiver}".encode()
            key = AESGCM(HKDF(SHA256(), 32, None, info).derive(agreed))
            self._pair_keys[sender, receiver] = key
        return key


def load_directory(folder: Path) -> KeyDirectory:
    """Read the public key list. Raises SettingsError with what to do."""
    return KeyDirectory(_read(folder / "directory.json")["keys"])


def load_secrets(folder: Path) -> Secrets:
    """Read the keyed-digest secrets. Raises SettingsError."""
    raw = _read(folder / "secrets.json")
    return Secrets(base64.b64decode(raw["person"]), base64.b64decode(raw["custody"]))


def load_signer(folder: Path, owner: str) -> LocalSigner:
    """Read one owner's private keys. Raises SettingsError."""
    return LocalSigner(owner, _read(folder / f"{owner}.json"), load_directory(folder))


def generate_keys(folder: Path, owners: Iterable[str]) -> None:
    """Make keys for owners that have none yet; existing files stay as they are. Safe to repeat."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = _read(folder / "directory.json")["keys"] if (folder / "directory.json").exists() else []
    for owner in owners:
        if not (folder / f"{owner}.json").exists():
            listed += _new_owner(folder, owner)
    if not (folder / "secrets.json").exists():
        fresh = {name: _b64(secrets.token_bytes(32)) for name in ("person", "custody")}
        _write(folder / "secrets.json", fresh)
    _write(folder / "directory.json", {"keys": listed}, mode=0o644)


def _new_owner(folder: Path, owner: str) -> list[dict[str, str]]:
    sign, seal = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    key_id = f"{owner}-1"
    private = {
        "key_id": key_id,
        "sign": _b64(sign.private_bytes_raw()),
        "seal": _b64(seal.private_bytes_raw()),
    }
    _write(folder / f"{owner}.json", private)
    publics = (("Ed25519", sign.public_key()), ("X25519", seal.public_key()))
    return [
        {"owner": owner, "key_id": key_id, "alg": alg, "public": _b64(public.public_bytes_raw())}
        for alg, public in publics
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

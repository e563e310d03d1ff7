"""Parcels: the signed bytes on the wire. One signature per unit of work, a hash path per message.

Layout, big-endian: b"TBP1" · u32 length · header (JSON), then for each message: u32 index · u16 hashes in its
path · path · u32 length · message. The signature binds sender, unit, tree size, root; the receiver stands in
every message. From a parcel each message can be cut out as a parcel of one, verifiable alone and for ever.
A bad message spoils itself, never its parcel. Source: protocol.md §8.
"""

from __future__ import annotations

import base64
import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tongban_shared.errors import WireError
from tongban_shared.messages.codec import Message, decode_message, message_id_of
from tongban_shared.ports import Signer, Verifier
from tongban_shared.tree import HASH_SIZE_BYTES, climb, grow, leaf_hash

MAGIC = b"TBP1"
PARCEL_SIZE_BYTES_MAX = 900_000
ROOTS_REMEMBERED_MAX = 20_000
_U32, _U16 = struct.Struct(">I"), struct.Struct(">H")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose unit of work this is, and its signed root. `root` and `signature` are base64."""

    v: int
    sender: str
    unit: str
    size: int
    root: str
    key_id: str
    signature: str


class Leaf(msgspec.Struct, frozen=True):
    """One message of a unit with its place in the hash tree."""

    index: int
    path: bytes
    raw: bytes


class SignedUnit(msgspec.Struct, frozen=True):
    """All messages of one unit of work, under one signature."""

    header: Header
    leaves: tuple[Leaf, ...]


class Opened(msgspec.Struct, frozen=True):
    """One message taken out of a parcel: decoded, with the parcel of one that proves it."""

    message: Message
    header: Header
    leaf: Leaf

    @property
    def proof(self) -> str:
        """The message cut out with its path, base64: verifiable alone and offline."""
        return cut(self.header, self.leaf)


class Refused(msgspec.Struct, frozen=True):
    """Bytes not taken, with the stable reason; a message as a parcel of one, so that it can be replayed."""

    reason: str
    sender: str | None
    raw: bytes
    message_id: str | None = None


_header_decoder = msgspec.json.Decoder(Header)


def _signed_bytes(sender: str, unit: str, size: int, root: bytes) -> bytes:
    return f"tongban unit v1\n{sender}\n{unit}\n{size}\n".encode() + root


def sign_unit(signer: Signer, unit: str, messages: Sequence[bytes]) -> SignedUnit:
    """Sign N >= 1 messages with one signature. `unit` is unique per sender."""
    root, paths = grow([leaf_hash(raw) for raw in messages])
    signature = signer.sign(_signed_bytes(signer.owner, unit, len(messages), root))
    header = Header(1, signer.owner, unit, len(messages), _b64(root), signer.key_id, _b64(signature))
    leaves = tuple(Leaf(i, path, raw) for i, (path, raw) in enumerate(zip(paths, messages, strict=True)))
    return SignedUnit(header, leaves)


def pack(header: Header, leaves: Iterable[Leaf]) -> Iterator[bytes]:
    """Yield parcels of at most PARCEL_SIZE_BYTES_MAX that hold these messages of one unit, in order."""
    encoded = msgspec.json.encode(header)
    head = MAGIC + _U32.pack(len(encoded)) + encoded
    parts, size = [head], len(head)
    for leaf in leaves:
        entry = _entry(leaf)
        if len(parts) > 1 and size + len(entry) > PARCEL_SIZE_BYTES_MAX:
            yield b"".join(parts)
            parts, size = [head], len(head)
        parts.append(entry)
        size += len(entry)
    if len(parts) > 1:
        yield b"".join(parts)


def cut(header: Header, leaf: Leaf) -> str:
    """One message as a parcel of one, base64."""
    return _b64(next(pack(header, (leaf,))))


Roots = OrderedDict[Header, bytes]


class Opener:
    """Opens parcels for one receiver; a remembered root makes a batch cost one verification.

    roots: verified roots, shared by all receivers of one process that use the same key list.
    """

    def __init__(self, receiver: str, verifier: Verifier, roots: Roots | None = None) -> None:
        self._receiver = receiver
        self._verifier = verifier
        self._roots: Roots = OrderedDict() if roots is None else roots

    @property
    def verifier(self) -> Verifier:
        """The keys that it believes."""
        return self._verifier

    def of(self, receiver: str) -> Opener:
        """The same for what somebody else received, as in a proof that encloses another."""
        return Opener(receiver, self._verifier, self._roots)

    def open(self, data: bytes) -> Iterator[Opened | Refused]:
        """Yield each message of a parcel, decoded and verified, or refused with its reason."""
        sender = None
        try:
            header, at = split_header(data)
            sender = header.sender
            root = self._root(header)
        except WireError as error:
            yield Refused(error.reason, sender, data)
            return
        while at < len(data):
            try:
                leaf, at = _split_entry(data, at)
            except (struct.error, WireError):
                yield Refused("BAD_FRAME", header.sender, data[at:])
                return
            yield self._open_leaf(header, root, leaf)

    def open_proof(self, proof: str) -> Opened:
        """Open a cut-out message. Raises WireError."""
        for opened in self.open(_unb64(proof)):
            if isinstance(opened, Opened):
                return opened
            raise WireError(opened.reason)
        raise WireError("BAD_FRAME")

    def _open_leaf(self, header: Header, root: bytes, leaf: Leaf) -> Opened | Refused:
        if climb(leaf_hash(leaf.raw), leaf.index, header.size, leaf.path) != root:
            return Refused("BAD_SIGNATURE", header.sender, next(pack(header, (leaf,))))
        try:
            message = decode_message(leaf.raw, header.sender, self._receiver)
        except WireError as error:
            parcel = next(pack(header, (leaf,)))
            return Refused(error.reason, header.sender, parcel, message_id_of(leaf.raw))
        return Opened(message, header, leaf)

    def _root(self, header: Header) -> bytes:
        """Verify the unit's root once and remember it."""
        root = self._roots.get(header)
        if root is None:
            root = _unb64(header.root)
            signed = _signed_bytes(header.sender, header.unit, header.size, root)
            self._verifier.verify(header.sender, header.key_id, signed, _unb64(header.signature))
            self._roots[header] = root
            if len(self._roots) > ROOTS_REMEMBERED_MAX:
                self._roots.popitem(last=False)
        return root


def split_header(data: bytes) -> tuple[Header, int]:
    """Read a parcel's header; return it and where the messages begin. Raises WireError."""
    try:
        (length,) = _U32.unpack_from(data, len(MAGIC))
        start = len(MAGIC) + _U32.size
        if data[: len(MAGIC)] != MAGIC or start + length > len(data):
            raise WireError("BAD_FRAME")
        header = _header_decoder.decode(data[start : start + length])
    except (struct.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("BAD_FRAME") from error
    if header.v != 1:
        raise WireError("UNKNOWN_VERSION")
    return header, start + length


def split_entries(data: bytes) -> tuple[Header, tuple[Leaf, ...]]:
    """Read a parcel without judging it (to store, cut or send on). Raises WireError."""
    header, at = split_header(data)
    leaves = []
    while at < len(data):
        try:
            leaf, at = _split_entry(data, at)
        except struct.error as error:
            raise WireError("BAD_FRAME") from error
        leaves.append(leaf)
    return header, tuple(leaves)


def _entry(leaf: Leaf) -> bytes:
    hashes = len(leaf.path) // HASH_SIZE_BYTES
    return _U32.pack(leaf.index) + _U16.pack(hashes) + leaf.path + _U32.pack(len(leaf.raw)) + leaf.raw


def _split_entry(data: bytes, at: int) -> tuple[Leaf, int]:
    (index,) = _U32.unpack_from(data, at)
    (hashes,) = _U16.unpack_from(data, at + 4)
    path_end = at + 6 + hashes * HASH_SIZE_BYTES
    (length,) = _U32.unpack_from(data, path_end)
    end = path_end + 4 + length
    if end > len(data):
        raise WireError("BAD_FRAME")
    return Leaf(index, data[at + 6 : path_end], data[path_end + 4 : end]), end


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unb64(text: str) -> bytes:
    """Only the one canonical base64 text of some bytes. Raises WireError(BAD_FRAME)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise WireError("BAD_FRAME") from error
    if _b64(raw) != text:
        raise WireError("BAD_FRAME")
    return raw

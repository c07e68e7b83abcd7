"""Sealed columns and look-ups: what members trust us with stands in the database only as bytes.

Sealed: AES-256-GCM under the member's data key. The associated data names table, column, row and version, so a sealed
value that is copied to another place does not open there. Look-up: HMAC-SHA256 under the ring's versioned key, never a
plain hash (phone and identity number spaces are small enough to try them all).

A sealed value is `version (1 byte) | nonce (12) | ciphertext | tag (16)`. With random 96-bit nonces a key must not seal
more than 2^32 values (NIST SP 800-38D §8.3); a member's key seals a few thousand in a lifetime.
"""

import hmac
import secrets
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mutualaid.kit.ring import KEY_BYTES, KeyRing, KeyUnknown

_VERSION: Final = 1
_NONCE: Final = 12
_TAG: Final = 16
_KEY_VERSION: Final = 2  # bytes of a ring version in front of a look-up or a wrapped key

WRAPPED_BYTES: Final = _KEY_VERSION + _NONCE + KEY_BYTES + _TAG


class Unreadable(Exception):
    """The bytes do not open: another key or place, altered, cut, or of an unknown version. It never says which."""

    def __init__(self) -> None:
        super().__init__("sealed value cannot be opened")


class DataKey:
    """A 256-bit key that cannot leak by being printed, logged or pickled."""

    __slots__ = ("_cipher", "material")

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise ValueError("a data key has 256 bits")
        self.material = material
        self._cipher = AESGCM(material)

    @classmethod
    def make(cls) -> "DataKey":
        return cls(secrets.token_bytes(KEY_BYTES))

    def __repr__(self) -> str:
        return "DataKey(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataKey) and hmac.compare_digest(self.material, other.material)

    def __hash__(self) -> NoReturn:
        raise TypeError("a data key is not for sets and dictionaries")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is never pickled")


def seal(key: DataKey, plaintext: bytes | str, *, table: str, column: str, row: str) -> bytes:
    """The sealed value of one column of one row. Text is sealed as UTF-8."""
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    nonce = secrets.token_bytes(_NONCE)
    return bytes((_VERSION,)) + nonce + key._cipher.encrypt(nonce, data, _place(table, column, row, _VERSION))


def unseal(key: DataKey, sealed: bytes, *, table: str, column: str, row: str) -> bytes:
    """What `seal` was given, or `Unreadable`."""
    if len(sealed) < 1 + _NONCE + _TAG or sealed[0] != _VERSION:
        raise Unreadable
    nonce, body = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return key._cipher.decrypt(nonce, body, _place(table, column, row, sealed[0]))
    except InvalidTag:
        raise Unreadable from None


def unseal_text(key: DataKey, sealed: bytes, *, table: str, column: str, row: str) -> str:
    """The text that `seal` was given, or `Unreadable`."""
    try:
        return unseal(key, sealed, table=table, column=column, row=row).decode()
    except UnicodeDecodeError:
        raise Unreadable from None  # the error would quote the plaintext


def _place(table: str, column: str, row: str, version: int) -> bytes:
    if "|" in table or "|" in column or "|" in row:
        raise ValueError("a place name with | could mean two places")
    return f"{table}|{column}|{row}|{version}".encode()


def lookup(ring: KeyRing, label: str, value: str) -> bytes:
    """What to store and index in place of `value` (34 bytes): the current version, then its HMAC.

    `label` says what kind of value it is ("phone", "openid"): equal values of different kinds never look alike.
    """
    version, key = ring.current("lookup")
    return _lookup(version, key, label, value)


def lookups(ring: KeyRing, label: str, value: str) -> list[bytes]:
    """What to search for: the look-up of `value` under every version of the key, the newest first."""
    return [_lookup(version, key, label, value) for version, key in ring.every("lookup")]


def _lookup(version: int, key: bytes, label: str, value: str) -> bytes:
    if "\0" in label:
        raise ValueError("a label has no NUL: it ends the label")
    mac = hmac.digest(key, label.encode() + b"\0" + value.encode(), "sha256")
    return version.to_bytes(_KEY_VERSION, "big") + mac


def wrap(ring: KeyRing, key: DataKey, *, owner: str) -> bytes:
    """The data key under the current envelope key, bound to its owner: always `WRAPPED_BYTES` long."""
    version, envelope = ring.current("envelope")
    nonce = secrets.token_bytes(_NONCE)
    body = AESGCM(envelope).encrypt(nonce, key.material, _place("data_keys", "wrapped", owner, version))
    return version.to_bytes(_KEY_VERSION, "big") + nonce + body


def unwrap(ring: KeyRing, wrapped: bytes, *, owner: str) -> DataKey:
    """The data key that `wrap` was given, or `Unreadable` (its envelope key retired, another owner, altered)."""
    if len(wrapped) != WRAPPED_BYTES:
        raise Unreadable
    version = wrapped_under(wrapped)
    nonce, body = wrapped[_KEY_VERSION : _KEY_VERSION + _NONCE], wrapped[_KEY_VERSION + _NONCE :]
    try:
        envelope = ring.at("envelope", version)
        return DataKey(AESGCM(envelope).decrypt(nonce, body, _place("data_keys", "wrapped", owner, version)))
    except (InvalidTag, KeyUnknown):
        raise Unreadable from None


def wrapped_under(wrapped: bytes) -> int:
    """The version of the envelope key that a data key is wrapped under."""
    return int.from_bytes(wrapped[:_KEY_VERSION], "big")

"""Who signed an action: msgpack, keccak-256 and the typed data of EIP-712, as Hyperliquid's nodes verify it.

What is signed is an `Agent` whose `connectionId` is the hash of the action, its nonce, the vault and the deadline. The
venue makes the action's bytes itself, from the fields in its own order and with figures in their shortest form: whoever
signed them otherwise is recovered as somebody else.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from coincurve import PrivateKey, PublicKey

from venue_sim.dialects.hyperliquid.keccak import keccak_256
from venue_sim.dialects.wire import parse_decimal, text

_ORDER_OF_FIELDS = (
    *("type", "orders", "cancels", "a", "b", "p", "s", "r", "t", "limit", "tif", "c"),
    *("asset", "cloid", "o", "isCross", "leverage", "grouping", "builder", "f"),
)
_FIGURES = ("p", "s")
_DOMAIN = keccak_256(
    keccak_256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    + keccak_256(b"Exchange")
    + keccak_256(b"1")
    + (1337).to_bytes(32, "big")
    + bytes(32)
)
_AGENT = keccak_256(b"Agent(string source,bytes32 connectionId)")
_MAINNET = keccak_256(b"a")


def signer(
    action: Mapping[str, Any], nonce: int, vault: str | None, expires_after: int | None, signature: Mapping[str, Any]
) -> str:
    """The address whose key signed the action.

    Raises:
        ValueError: the signature cannot be read, or the action has fields that the venue does not know.
    """
    hashed = _agent_digest(_action_hash(action, nonce, vault, expires_after))
    r, s = (int(str(signature[name]), 16).to_bytes(32, "big") for name in ("r", "s"))
    recovered = PublicKey.from_signature_and_message(r + s + bytes([signature["v"] - 27]), hashed, hasher=None)
    return _address(recovered)


def address_of(private_key: str) -> str:
    """The address of a private key in hexadecimal digits.

    Raises:
        ValueError: it is none.
    """
    return _address(PrivateKey(bytes.fromhex(private_key.removeprefix("0x"))).public_key)


def _address(key: PublicKey) -> str:
    return "0x" + keccak_256(key.format(compressed=False)[1:])[-20:].hex()


def _action_hash(action: Mapping[str, Any], nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    content = _packed(_in_the_venues_form(action)) + nonce.to_bytes(8, "big")
    content += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    if expires_after is not None:
        content += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak_256(content)


def _agent_digest(connection_id: bytes) -> bytes:
    return keccak_256(b"\x19\x01" + _DOMAIN + keccak_256(_AGENT + _MAINNET + connection_id))


def _in_the_venues_form(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        unknown = set(value) - set(_ORDER_OF_FIELDS)
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        ordered = sorted(value, key=_ORDER_OF_FIELDS.index)
        return {key: _in_the_venues_form(value[key], key) for key in ordered}
    if isinstance(value, list):
        return [_in_the_venues_form(item) for item in value]
    if name in _FIGURES and isinstance(value, str):
        figure = parse_decimal(value)
        return value if figure is None else _shortest(figure)
    return value


def _shortest(figure: Decimal) -> str:
    return text(figure.normalize())


def _packed(value: Any) -> bytes:
    """MessagePack of what an action consists of."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _packed_integer(value)
        case str():
            content = value.encode()
            return _header(len(content), short=(0xA0, 31), sizes=((0xD9, 1), (0xDA, 2), (0xDB, 4))) + content
        case Mapping():
            items = [_packed(key) + _packed(item) for key, item in value.items()]
            return _header(len(items), short=(0x80, 15), sizes=((0xDE, 2), (0xDF, 4))) + b"".join(items)
        case list():
            items = [_packed(item) for item in value]
            return _header(len(items), short=(0x90, 15), sizes=((0xDC, 2), (0xDD, 4))) + b"".join(items)
    raise ValueError(f"an action holds no {type(value).__name__}")


def _packed_integer(value: int) -> bytes:
    if value < 0:
        raise ValueError("an action holds no negative numbers")
    return _header(value, short=(0x00, 127), sizes=((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)))


def _header(length: int, short: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> bytes:
    first, most = short
    if length <= most:
        return bytes([first + length])
    for tag, size in sizes:
        if length < 1 << (8 * size):
            return bytes([tag]) + length.to_bytes(size, "big")
    raise ValueError("too long for an action")

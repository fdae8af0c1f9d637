"""Keccak-256 as Ethereum uses it: the sponge of SHA-3 with the padding from before it became the standard."""

from collections.abc import Iterator

_RATE = 136
_LANE = (1 << 64) - 1


def _round_constants() -> Iterator[int]:
    register = 1
    for _ in range(24):
        constant = 0
        for exponent in range(7):
            if register & 1:
                constant |= 1 << ((1 << exponent) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        yield constant


def _steps() -> Iterator[tuple[int, int, int]]:
    """Where each lane goes (pi) and by how many bits it is turned (rho): from, to, bits."""
    x, y, bits = 1, 0, 0
    yield 0, 0, 0
    for step in range(1, 25):
        bits = (bits + step) % 64
        yield x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), bits
        x, y = y, (2 * x + 3 * y) % 5


_CONSTANTS = tuple(_round_constants())
_MOVES = tuple(_steps())


def keccak_256(content: bytes) -> bytes:
    """32 bytes."""
    padded = bytearray(content)
    padded += bytes(_RATE - len(content) % _RATE)
    padded[len(content)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for source, target, bits in _MOVES:
            moved[target] = _turned(lanes[source] ^ mixed[source % 5], bits)
        lanes = [
            moved[at] ^ (~moved[row + (at + 1) % 5] & moved[row + (at + 2) % 5])
            for row in range(0, 25, 5)
            for at in range(row, row + 5)
        ]
        lanes[0] ^= constant
    return lanes


def _turned(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _LANE

"""The gate in front of the GIF decoder: the first frame, and nothing else.

Comments and application data are cut into blocks of 1 to 255 bytes, which the decoder reads one by one in
Python, as it does with the frames that follow. Neither makes a pixel of the first. GIF89a specification.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineament.errors import CorruptPicture

_SCREEN = 13
_EXTENSION, _FRAME, _END, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_HAS_PALETTE, _PALETTE_BITS = 0x80, 7
# Encoders fill their blocks with 255 bytes: 128 MiB of them are 526,344.
_MAX_BLOCKS = 1_000_000


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """A GIF file of only the first frame, on a screen that it fits, and whether others follow."""

    data: bytes
    several: bool


def first_frame(data: bytes) -> FirstFrame:
    """Keep what makes the first frame's pixels; raises `CorruptPicture` where there is none."""
    if len(data) < _SCREEN:
        raise CorruptPicture("the GIF file ends early")
    return _Walk(data).result()


class _Walk:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_BLOCKS

    def result(self) -> FirstFrame:
        data = self._data
        start = _SCREEN + _palette(data[10])
        at, control = self._next_frame(start)
        if at is None or at + 10 > len(data):
            raise CorruptPicture("damaged GIF: it has no frame")
        end = self._blocks(at + 10 + _palette(data[at + 9]) + 1)
        head = bytearray(data[:start])
        for side in (0, 2):  # a frame that reaches beyond the screen makes the screen larger
            reach = sum(int.from_bytes(data[at + k : at + k + 2], "little") for k in (1 + side, 5 + side))
            screen = int.from_bytes(data[6 + side : 8 + side], "little")
            if reach > screen:
                head[6 + side : 8 + side] = min(reach, 0xFFFF).to_bytes(2, "little")
        frame = b"".join([bytes(head), control, data[at:end], bytes([_END])])
        return FirstFrame(frame, self._next_frame(end)[0] is not None)

    def _next_frame(self, at: int) -> tuple[int | None, bytes]:
        """Where the next frame begins, and the last graphic control before it."""
        data, control = self._data, b""
        while at < len(data):
            kind = data[at]
            if kind == _END:
                break
            if kind == _FRAME:
                return at, control
            self._spend()
            if kind != _EXTENSION:  # between blocks the decoder passes over whatever it finds
                at += 1
                continue
            end = self._blocks(at + 2)
            if data[at + 1 : at + 2] == bytes([_CONTROL]):
                control = data[at:end]
            at = end
        return None, control

    def _blocks(self, at: int) -> int:
        """Behind the empty block that ends the data at ``at``, or the end of the file."""
        data = self._data
        while at < len(data) and (length := data[at]):
            self._spend()
            at += 1 + length
        return min(at + 1, len(data))

    def _spend(self) -> None:
        self._left -= 1
        if not self._left:
            raise CorruptPicture(f"the GIF file has more than {_MAX_BLOCKS:,} blocks")


def _palette(flags: int) -> int:
    """How many bytes the palette takes that these flags announce."""
    return 3 << (flags & _PALETTE_BITS) + 1 if flags & _HAS_PALETTE else 0

"""The boxes of a HEIC -> what its primary picture is made of, and how much of that there is to decode.

A HEIC (ISO/IEC 23008-12, ISO/IEC 14496-12) is a list of items. One may be made of others (grid, overlay,
identity), of the same one a thousand times, and those again of others: a few kilobytes can ask for hours.
So the items are walked before libheif sees any, each as often as it would be decoded, and what the picture
does not need (thumbnails, depth, gain maps, EXIF) is struck out. Numbers are big-endian throughout.
libheif has bounds of its own (five pictures in an overlay, three overlays deep): 4.5 kB of one still took
20 s of a processor, and 4.8 kB of a grid 22.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

# libheif 1.23 (security_limits.cc) reads as many items, and as many extents of one, at most.
MAX_ITEMS, MAX_EXTENTS = 1000, 32
MAX_LAYERS = 1000  # 48 megapixels in a phone's tiles of 512 px are 192, in the smallest usual (256 px) 732
MAX_DEPTH = 4  # identity, overlay, grid, tile; phones have two
# Phones have some hundred of each; libheif goes through all references for each item.
MAX_BOXES, MAX_PROPERTIES, MAX_REFERENCES = 5000, 20_000, 5000
MAX_UNITS = 10_000  # NAL units of all layers; a tile has one or two, a picture of many slices some dozens
MAX_READ = 24 * 2**20  # bytes of all layers: what is repeated is read again; twice what a file may have
MAX_TRANSFORMS = 3  # clean aperture, rotation, mirror: each once, ISO/IEC 23000-22, 7.3.6.7
BLOCK = 64  # the largest coding unit of HEVC; libde265 is held to a picture's size and one of them

ALPHA = (  # what libheif decodes beside a picture (context.cc): ISO/IEC 23008-12 and 23000-22
    b"urn:mpeg:avc:2015:auxid:1",
    b"urn:mpeg:hevc:2015:auxid:1",
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
)
DERIVED = {b"grid", b"iovl", b"iden"}
KEPT = {b"ftyp", b"meta", b"mdat"}  # of a file; `moov` and what phones append are not read


class Box(NamedTuple):
    """Where a box is: its kind, its first byte, the first and the one past the last of its body."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class HeicPlan:
    """What the primary picture of a HEIC takes, all its layers with their repetitions."""

    data: bytearray  # the file without what the picture does not need, each byte where it was
    size: tuple[int, int]  # of the primary picture before it is turned, px
    coded: int  # pixels to decode
    composed: int  # pixels of the canvases that they are laid on
    most: int  # what decoding can come to at most: each slice might cover its whole picture


@dataclass
class _Item:
    number: int
    kind: bytes
    start: int  # of its `infe` box's body
    type_at: int
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)  # kind, body
    parts: list[int] = field(default_factory=list)  # numbers of what it is made of, in order
    alphas: list[int] = field(default_factory=list)
    is_stored: bool = False  # construction method 1: beside the items, in `idat`
    extents: list[tuple[int, int]] = field(default_factory=list)  # first byte, count; 0: to the end

    def size(self) -> tuple[int, int]:
        """The largest it says it has, px."""
        sizes = [
            (_number(body, 4, 4), _number(body, 8, 4)) for kind, body in self.properties if kind == b"ispe"
        ]
        if not sizes:
            raise ValueError("a picture without a size")
        return max(sizes, key=lambda size: size[0] * size[1])


class _Cursor:
    """Numbers one after the other."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data, self.at, self._end = data, box.body, box.end

    def number(self, size: int) -> int:
        if self.at + size > self._end:
            raise ValueError("a box that is too short")
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "big")


def plan_heic(data: bytes) -> HeicPlan:
    """What to decode of a HEIC. Raises `ValueError` for one that is damaged or too intricate."""
    file = list(_boxes(data, 0, len(data), is_file=True))
    meta = _only(file, b"meta")
    inside = list(_boxes(data, meta.body + 4, meta.end))
    items = _read_items(data, _only(inside, b"iinf"))
    _read_properties(data, _only(inside, b"iprp"), items)
    is_single = all(box.kind != b"iref" for box in inside)
    unused = [] if is_single else _read_references(data, _only(inside, b"iref"), items)
    unused += [box for box in file if box.kind not in KEPT]
    _read_places(data, _only(inside, b"iloc"), items)
    stored = next((box for box in inside if box.kind == b"idat"), None)
    head = _Cursor(data, _only(inside, b"pitm"))
    primary = _item(items, head.number(4 if head.number(4) >> 24 else 2))
    walk = _Walk(data, items, data[stored.body : stored.end] if stored else b"")
    walk.visit(primary, 1)
    bare = _bare(data, unused, items, walk.reached, primary)
    return HeicPlan(bare, walk.size(primary), walk.coded, walk.composed, walk.most)


class _Walk:
    """Adds up an item and all it is made of, each time that it would be decoded."""

    def __init__(self, data: bytes, items: dict[int, _Item], stored: bytes) -> None:
        self._data, self._items, self._stored = data, items, stored
        self.reached = dict[int, tuple[int, int, int]]()  # number: bytes, units, pictures
        self.coded = self.composed = self.most = 0
        self._layers = self._bytes = self._units = 0

    def visit(self, item: _Item, depth: int) -> None:
        self._layers += 1
        if depth > MAX_DEPTH or self._layers > MAX_LAYERS:
            raise ValueError("a picture of too many layers")
        size, units, pictures = self._measured(item)
        self._bytes += size
        self._units += units
        if self._bytes > MAX_READ or self._units > MAX_UNITS:
            raise ValueError("a picture of too many pieces")
        width, height = self.size(item)
        if item.kind in DERIVED:
            self.composed += width * height
            self.most += width * height
        else:
            pixels = -(-width // BLOCK) * -(-height // BLOCK) * BLOCK**2
            self.coded += pixels * pictures
            self.most += pixels * units
        for number in (*item.parts, *item.alphas):
            self.visit(_item(self._items, number), depth + 1)

    def size(self, item: _Item) -> tuple[int, int]:
        """Of its canvas as the item itself has it, or of the picture, px."""
        if item.kind not in {b"grid", b"iovl"}:
            return item.size()
        spec = self._body(item)
        long, at = (4 if _number(spec, 1, 1) & 1 else 2), {b"grid": 4, b"iovl": 10}[item.kind]
        return _number(spec, at, long), _number(spec, at + long, long)

    def _measured(self, item: _Item) -> tuple[int, int, int]:
        if item.number not in self.reached:
            if item.kind != b"hvc1" and item.kind not in DERIVED:
                raise ValueError("a picture of another kind")
            if sum(kind in {b"clap", b"irot", b"imir"} for kind, _ in item.properties) > MAX_TRANSFORMS:
                raise ValueError("a picture that is turned too often")
            body = self._body(item)
            units, pictures = (0, 0) if item.kind in DERIVED else _count_units(item, body)
            size = len(body) + sum(len(held) for _, held in item.properties)
            self.reached[item.number] = size, units, pictures
        return self.reached[item.number]

    def _body(self, item: _Item) -> bytes:
        source = self._stored if item.is_stored else self._data
        pieces = [slice(at, at + count if count else None) for at, count in item.extents]
        if sum(len(range(*piece.indices(len(source)))) for piece in pieces) > len(self._data):
            raise ValueError("a picture that is longer than its file")
        return b"".join(source[piece] for piece in pieces)


def _count_units(item: _Item, body: bytes) -> tuple[int, int]:
    """NAL units, and pictures that begin in them, at least one (ITU-T H.265, 7.3.1 and 7.3.6.1)."""
    units = pictures = 0
    for unit in (
        *_listed(body),
        *(unit for kind, held in item.properties if kind == b"hvcC" for unit in _kept(held)),
    ):
        units += 1
        if units > MAX_UNITS:
            raise ValueError("a picture of too many pieces")
        pictures += len(unit) > 2 and unit[0] >> 1 & 63 < 32 and unit[2] >> 7
    return units, max(1, pictures)


def _listed(body: bytes) -> Iterator[bytes]:
    """The first bytes of each unit: libheif takes their lengths to have four bytes."""
    at = 0
    while at + 4 <= len(body):
        yield body[at + 4 : at + 7]
        at += 4 + _number(body, at, 4)


def _kept(hvcc: bytes) -> Iterator[bytes]:
    """The first bytes of each unit of a decoder configuration (ISO/IEC 14496-15, 8.3.2.1)."""
    at = 23
    for _ in range(hvcc[22] if len(hvcc) > 22 else 0):
        count, at = _number(hvcc, at + 1, 2), at + 3
        for _ in range(count):
            yield hvcc[at + 2 : at + 5]
            at += 2 + _number(hvcc, at, 2)


def _boxes(data: bytes, at: int, end: int, *, is_file: bool = False) -> Iterator[Box]:
    """The boxes from `at` on. Behind those of a file may be anything."""
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        length, head = _number(data, at, 4), 8
        if length == 1 and at + 16 <= end:
            length, head = _number(data, at + 8, 8), 16
        after = at + length if length else end
        if after < at + head or after > end:
            if is_file:
                return
            raise ValueError("a box that is longer than what it is in")
        yield Box(data[at + 4 : at + 8], at, at + head, after)
        at = after
    raise ValueError("too many boxes")


def _only(boxes: list[Box], kind: bytes) -> Box:
    """The one box of its kind: of two, another reader might take the other."""
    (found,) = (box for box in boxes if box.kind == kind)
    return found


def _item(items: dict[int, _Item], number: int) -> _Item:
    if number not in items:
        raise ValueError("an item that is not there")
    return items[number]


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError("a number that is cut short")
    return int.from_bytes(data[at : at + size], "big")


def _at_most(most: int, count: int) -> int:
    if count > most:
        raise ValueError("a list that is too long")
    return count


def _read_items(data: bytes, iinf: Box) -> dict[int, _Item]:
    items = dict[int, _Item]()
    for box in _boxes(data, iinf.body + (6 if data[iinf.body] == 0 else 8), iinf.end):
        cursor = _Cursor(data, box)
        version = cursor.number(4) >> 24
        if box.kind != b"infe" or version < 2:
            raise ValueError("an item without a kind")
        number = cursor.number(2 if version == 2 else 4)
        cursor.number(2)
        kind = cursor.number(4).to_bytes(4, "big")
        if number in items or len(items) == MAX_ITEMS:
            raise ValueError("items that are too many, or the same")
        items[number] = _Item(number, kind, box.body, cursor.at - 4)
    return items


def _read_properties(data: bytes, iprp: Box, items: dict[int, _Item]) -> None:
    inside = list(_boxes(data, iprp.body, iprp.end))
    ipco = _only(inside, b"ipco")
    known = [(box.kind, data[box.body : box.end]) for box in _boxes(data, ipco.body, ipco.end)]
    left = MAX_PROPERTIES
    for box in inside:
        if box.kind != b"ipma":
            continue
        cursor = _Cursor(data, box)
        head = cursor.number(4)
        for _ in range(cursor.number(4)):
            number, count = cursor.number(4 if head >> 24 else 2), cursor.number(1)
            left -= count + 1
            if left < 0:
                raise ValueError("too many properties")
            for _ in range(count):
                index = cursor.number(2) & 0x7FFF if head & 1 else cursor.number(1) & 0x7F
                if number in items and 0 < index <= len(known):
                    items[number].properties.append(known[index - 1])


def _read_references(data: bytes, iref: Box, items: dict[int, _Item]) -> list[Box]:
    """Of what an item is made, and what is its alpha; returns the references that say anything else."""
    others = []
    left, wide = MAX_REFERENCES, 4 if data[iref.body] else 2
    for box in _boxes(data, iref.body + 4, iref.end):
        cursor = _Cursor(data, box)
        source, count = cursor.number(wide), cursor.number(2)
        left -= count + 1
        if left < 0:
            raise ValueError("too many references")
        targets = [cursor.number(wide) for _ in range(count)]
        if box.kind == b"dimg":
            _item(items, source).parts.extend(targets)
        elif box.kind == b"auxl" and _is_alpha(_item(items, source)):
            for number in targets:
                _item(items, number).alphas.append(source)
        else:
            others.append(box)
    return others


def _is_alpha(item: _Item) -> bool:
    return any(kind == b"auxC" and held[4:].partition(b"\0")[0] in ALPHA for kind, held in item.properties)


def _read_places(data: bytes, iloc: Box, items: dict[int, _Item]) -> None:
    """ISO/IEC 14496-12, 8.11.3."""
    cursor = _Cursor(data, iloc)
    version, sizes = cursor.number(4) >> 24, cursor.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(_at_most(MAX_ITEMS, cursor.number(2 if version < 2 else 4))):
        item = items.get(cursor.number(2 if version < 2 else 4))
        method = cursor.number(2) & 15 if version else 0
        cursor.number(2)
        base = cursor.number(base_size)
        extents = []
        for _ in range(_at_most(MAX_EXTENTS, cursor.number(2))):
            cursor.number(index_size)
            extents.append((base + cursor.number(offset_size), cursor.number(length_size)))
        if item is None:
            continue
        if item.extents:
            raise ValueError("an item that is twice in the list of places")
        item.is_stored, item.extents = method == 1, extents


def _bare(
    data: bytes, unused: list[Box], items: dict[int, _Item], reached: Collection[int], primary: _Item
) -> bytearray:
    """The file with one picture: what it does not need has no kind any more, what it is made of is hidden."""
    bare = bytearray(data)
    idle = (item.type_at for item in items.values() if item.number not in reached)
    for at in (*(box.start + 4 for box in unused), *idle):
        bare[at : at + 4] = b"free"
    for number in reached:
        if number != primary.number:
            bare[items[number].start + 3] |= 1
    return bare

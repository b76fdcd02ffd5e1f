"""How a camera was held, as EXIF says it, and how to undo that.

Read here and not by Pillow, whose reader would warn about odd files.
"""

import struct

from PIL import Image

# EXIF 2.3, tag 0x0112: how to undo what the camera did.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112
# TIFF 6.0, section 2, and its supplement: the types of whole numbers, as `struct` writes them. EXIF wants a
# SHORT; programs that rewrite it do not always.
INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q"}


def read_orientation(exif: bytes) -> int:
    """EXIF's orientation, 1 where there is none. `exif` begins with its name or with the TIFF header."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", tiff, at)
            if tag == ORIENTATION and kind in INTEGERS:
                form, place = order + INTEGERS[kind], at + 8
                if struct.calcsize(form) * values > 4:  # it stands elsewhere
                    (place,) = struct.unpack_from(order + "I", tiff, place)
                return int(struct.unpack_from(form, tiff, place)[0])
    except struct.error:  # cut short: nothing more to learn
        pass
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it was seen; as it is where the orientation is none of EXIF's."""
    turn = TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)

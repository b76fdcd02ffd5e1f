"""Marks that say how a picture was made: in the file for programs, under the picture for people.

In the file: the IPTC property "Digital Source Type" and the name of this software, as XMP. Nothing
about the sitter, the place or the time. A mark is a statement, not a proof: whoever can write the file can
change it; what `signing` puts beside it can be checked. Under the picture: a caption on a strip of its own,
so that nothing lies on a face.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from pipelines.arrays import Pixels
from pipelines.lettering import font_to_fit
from pipelines.selfie.photo import PNG_MAGIC, jpeg_segments, png_chunks

MarkKind = Literal["generated", "from_plate", "plate", "drawing"]

SOFTWARE, VERSION = "Face Value", "0.1.0"  # a test compares the version with pyproject.toml
# IPTC NewsCodes "Digital Source Type", release of 2024-10-23, http://cv.iptc.org/newscodes/digitalsourcetype/.
# A plate is "augmentation, correction or enhancement by one or more humans using non-generative tools": the
# sitter chose the backdrop, a formula drew it. Not compositeCapture (the backdrop was never photographed),
# not composite (it leaves generative AI open), not algorithmicallyEnhanced (that keeps the main content, as
# sharpening does, and some viewers show it as AI).
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCES: dict[MarkKind, str] = {
    "generated": VOCABULARY + "trainedAlgorithmicMedia",  # "created using generative AI"
    "from_plate": VOCABULARY + "compositeWithTrainedAlgorithmicMedia",  # "edited using generative AI"
    "plate": VOCABULARY + "humanEdits",
    "drawing": VOCABULARY + "algorithmicMedia",  # "created purely by an algorithm": the pose map
}

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"  # IPTC Photo Metadata Standard, Extension schema
XMP = "http://ns.adobe.com/xap/1.0/"
# XMP specification part 3 (Adobe, 2020): where a packet stands in a JPEG (APP1) and a PNG (iTXt).
JPEG_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
PNG_KEY = b"XML:com.adobe.xmp\0"
MAX_PACKET = 65_502  # bytes, what one APP1 can hold
OURS = re.compile(rf"{SOFTWARE} [\w.+-]{{1,20}}", re.ASCII)

JPEG_QUALITY = 95  # without chroma subsampling: skin and lips keep their fine colour
# zlib's: of a portrait of 1080 x 1350 px with grain 2.23 MB in 0.28 s, where Pillow's own 6 takes 0.48 s for
# 2.24 MB, and 1 makes 2.57 MB of it.
PNG_LEVEL = 4
# The caption of a contact-sheet print: the ground and ink of the dark pages, no chroma beside skin.
STRIP, INK = (24, 24, 24), (244, 244, 244)
TEXT_SHARE, TEXT_LEAST = 0.031, 12  # of the picture's width; px, the least that is read at 100 %


@dataclass(frozen=True)
class Mark:
    """What a file of ours says about itself."""

    kind: MarkKind
    source: str  # IPTC term, a URI
    software: str  # name and version


def mark(
    pixels: Pixels, kind: MarkKind, label: str | None = None, format: Literal["PNG", "JPEG"] = "PNG"
) -> bytes:
    """A file that says how its picture was made; PNG keeps every pixel. `label` goes under the picture."""
    image = Image.fromarray(pixels if label is None else add_caption(pixels, label))
    packet, file = _packet(kind), io.BytesIO()
    if format == "JPEG":
        image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, xmp=packet)
    else:
        info = PngInfo()
        info.add_itxt(PNG_KEY[:-1], packet)
        image.save(file, "PNG", pnginfo=info, compress_level=PNG_LEVEL)
    return file.getvalue()


def read_mark(data: bytes) -> Mark | None:
    """The mark of a file that we made; None for any other bytes, however they are made up."""
    packet = next(_packets(data), b"")
    try:
        text = packet.decode()
        if len(packet) > MAX_PACKET or "<!" in text:  # no declaration, so no entity that grows or fetches
            return None
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
    source, software = _property(root, EXT, "DigitalSourceType"), _property(root, XMP, "CreatorTool")
    if not OURS.fullmatch(software):
        return None
    return next((Mark(kind, term, software) for kind, term in SOURCES.items() if term == source), None)


def add_caption(pixels: Pixels, text: str) -> Pixels:
    """The picture with a caption on a strip below it; the picture's own pixels are the same.

    The text is about 3 % of the width high, at least `TEXT_LEAST` px; one that is too long is set smaller.
    """
    width = pixels.shape[1]
    size = max(TEXT_LEAST, round(TEXT_SHARE * width))
    margin, height = size * 3 // 4, size * 2
    font = font_to_fit(text, size, width - 2 * margin)
    strip = Image.new("RGB", (width, height), STRIP)
    ImageDraw.Draw(strip).text((margin, height / 2), text, INK, font, anchor="lm")
    return np.vstack((pixels, np.asarray(strip)))


def _packet(kind: MarkKind) -> bytes:
    """The XMP packet of a picture of ours."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">\n'
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{EXT}" xmlns:xmp="{XMP}"\n'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCES[kind]}"\n'
        f' xmp:CreatorTool="{SOFTWARE} {VERSION}"/>\n'
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()


def _packets(data: bytes) -> Iterator[bytes]:
    """The XMP packets of a JPEG or PNG, read without decoding the picture or inflating anything."""
    if data.startswith(b"\xff\xd8"):
        for marker, start, end in jpeg_segments(data):
            if marker == 0xDA:  # the picture begins
                return
            if data.startswith(JPEG_PREFIX, start + 4):
                yield data[start + 4 + len(JPEG_PREFIX) : end]
    elif data.startswith(PNG_MAGIC):
        for name, body in png_chunks(data):
            if name == b"iTXt" and body.startswith(PNG_KEY + b"\0\0"):  # not packed
                yield body[len(PNG_KEY) + 2 :].split(b"\0", 2)[-1]  # after language and translated key


def _property(root: ElementTree.Element, space: str, name: str) -> str:
    """A simple XMP property, be it written as an attribute or as an element; empty where there is none."""
    key = f"{{{space}}}{name}"
    for node in root.iter(f"{{{RDF}}}Description"):
        if found := node.get(key) or node.findtext(key):
            return found.strip()
    return ""

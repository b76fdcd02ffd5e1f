"""The logo of whoever invites, `GET /logo`: an SVG or PNG of the operator's, checked when the app starts.

Pages show it as an image on the card's grey, where black and white are read alike; never on a picture.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from errors import OperatorError, PhotoError
from pages.guards.error_boundary import refusal
from pipelines.selfie.photo import read_photo
from words import Words

PATH = "/logo"
MOST_BYTES = 512 * 1024
MOST_PX = 4096  # a side; a kiosk's screen is 1080 wide
PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"
# What runs, what brings a page along, what changes an address later.
FORBIDDEN = ("script", "foreignObject", "iframe", "handler", "animate", "set", "audio", "video")
MARKS = ("!DOCTYPE", "!ENTITY", "?xml-stylesheet")  # entities may grow without end
OWN_PLACE = re.compile(r"\s*(#|data:image/(png|jpeg);base64,)")  # an address within the file
REACHES_OUT = re.compile(
    r"@import|url\(\s*[\"']?(?!\s*[\"']?(#|data:image/(png|jpeg);base64,))", re.IGNORECASE
)


@dataclass(frozen=True)
class Logo:
    """A file that was found fit to be shown."""

    data: bytes
    media_type: Literal["image/png", "image/svg+xml"]


def read_logo(path: Path, spelling: str) -> Logo:
    """The file, if it will do. Raises `OperatorError` with `spelling`, where its path was set."""
    try:
        return _read(path)
    except ValueError as error:
        raise OperatorError(f"{spelling} = {path.name!r}. {error}.") from error


def _read(path: Path) -> Logo:
    """Raises `ValueError` with the rule that is broken."""
    try:
        if not path.is_file():
            raise ValueError("No file is there")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError("It cannot be read") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"At most {MOST_BYTES // 1024} kB")
    if data.startswith(PNG):
        _require_picture(data)
        return Logo(data, "image/png")
    _require_drawing(data)
    return Logo(data, "image/svg+xml")


def _require_picture(png: bytes) -> None:
    try:
        read_photo(png)  # at working size; its own stands in the header
    except PhotoError as error:
        raise ValueError("This PNG cannot be read") from error
    if max(struct.unpack(">II", png[16:24])) > MOST_PX:
        raise ValueError(f"At most {MOST_PX} pixels a side")


def _require_drawing(data: bytes) -> None:
    """An SVG that shows what is in it, and does and fetches nothing."""
    try:
        text = data.decode("utf-8-sig")
        if any(mark in text for mark in MARKS):
            raise ValueError("An SVG without document type and style sheet, please")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise ValueError("An SVG or a PNG") from error
    if root.tag not in (f"{SVG}svg", "svg"):
        raise ValueError("An SVG or a PNG")
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name.startswith(FORBIDDEN):
            raise ValueError(f"An SVG without <{name}>")
        if name == "style" and REACHES_OUT.search(element.text or ""):
            raise ValueError("An SVG that names nothing outside the file")
        for key, value in element.attrib.items():
            _require_inert(key.rpartition("}")[2], value)


def _require_inert(attribute: str, value: str) -> None:
    if attribute.lower().startswith("on"):
        raise ValueError(f"An SVG without {attribute}=")
    is_elsewhere = attribute in ("href", "src") and not OWN_PLACE.match(value)
    if is_elsewhere or REACHES_OUT.search(value):
        raise ValueError("An SVG that names nothing outside the file")


def logo_route(logo: Logo | None, words: Words) -> Route:
    """404 where there is none."""

    def picture(_: Request) -> Response:
        if logo is None:
            return refusal(words.say("picture.gone"), 404)
        return Response(logo.data, media_type=logo.media_type, headers={"Cache-Control": "max-age=3600"})

    return Route(PATH, picture)

"""Pictures that the booth draws of its sample faces, once, behind the page.

Each look on one sample face, so that looks are told apart at a glance; and for the welcome screen the other
sample face twice in one framing: its photograph as it is, and a portrait that this machine has drawn.
Visitors go before all of it: the portrait gives the machine to whoever stands in line and is drawn anew
afterwards, and no request waits for a picture, as a browser sends six at a time and a tap is one of them.
"""

import io
import threading
from collections.abc import Mapping
from contextlib import closing

import cv2
import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from booth.line import Line
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator
from pipelines.draw.pose_map import draw_mesh
from pipelines.exhibit import crop_to_fit
from pipelines.look import Look
from pipelines.order import Order
from pipelines.plate.framing import framing_matrix
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.samples import sample
from pipelines.sitting import PortraitReady, sit

SIZE = (240, 300)  # width, height in px
# The starter deck asks about each sample face in three looks; here they are seen in the other three.
FACES = {"black": "astronaut", "white": "astronaut", "outdoor": "astronaut"}
OTHER_FACE, WELCOME_FACE = "hopper", "astronaut"
WELCOME = ("welcome-photograph", "welcome-portrait")
WELCOME_LOOK = "outdoor"
WELCOME_SEED = 1912  # of its own: the starter deck's portraits are others
LARGE = (960, 1200)


class LookPictures:
    """`GET /looks/NAME.jpg`. Until a picture is drawn the frame shows the look's colours."""

    def __init__(
        self, looks: Mapping[str, Look], finder: FaceFinder, studio: Studio, generator: Generator, line: Line
    ) -> None:
        """`line` is where visitors wait for the machine."""
        self._looks = looks
        self._finder = finder
        self._studio = studio
        self._generator = generator
        self._line = line
        self._pictures: dict[str, bytes] = {}
        self._expected = {*looks, *WELCOME}
        self._is_over = threading.Event()

    def draw(self) -> None:
        """Every look. The first visitor then finds every part of the chain but the generator loaded."""
        self._pictures[WELCOME[0]] = self._welcome_photograph()
        faces = {name: self._finder.find(sample(name)) for name in {*map(face_of, self._looks)}}
        cutouts = {name: self._studio.cut_out(face) for name, face in faces.items()}
        draw_mesh(next(iter(faces.values())))
        for name, look in self._looks.items():
            self._pictures[name] = _jpeg(plate(cutouts[face_of(name)], look, SIZE).pixels)

    def draw_welcome(self) -> None:
        """The portrait beside the welcome's photograph, when nobody stands in line; none without a model."""
        portrait = None
        try:
            while portrait is None and not self._is_over.is_set():
                self._line.wait_until_free()
                portrait = self._draw_portrait()
            if portrait is not None:
                self._pictures[WELCOME[1]] = _jpeg(crop_to_fit(portrait, LARGE))
        finally:
            self._expected &= set(self._pictures)

    def close(self) -> None:
        """Nothing is drawn any more; what is begun ends within one step."""
        self._is_over.set()

    def route(self) -> Route:
        """Answers at once: 202 for a picture that is still to be drawn, 404 for one that will not come."""

        async def picture(request: Request) -> Response:
            name = request.path_params["name"]
            jpeg = self._pictures.get(name)
            if jpeg is None:
                return Response(status_code=202 if name in self._expected else 404)
            return Response(jpeg, media_type="image/jpeg")

        return Route("/looks/{name}.jpg", picture)

    def _draw_portrait(self) -> Pixels | None:
        """None where a visitor came meanwhile, or the end: closing the chain ends it within one step."""
        order = Order(self._welcome_look(), variations=1, seed=WELCOME_SEED)
        chain = sit([sample(WELCOME_FACE)], order, self._finder, self._studio, self._generator)
        with closing(chain) as events:  # before the portrait is measured, which nobody here asks for
            for event in events:
                if isinstance(event, PortraitReady):
                    return event.portrait.image
                if self._line.is_busy or self._is_over.is_set():
                    break
        return None

    def _welcome_look(self) -> Look:
        return self._looks.get(WELCOME_LOOK) or next(iter(self._looks.values()))

    def _welcome_photograph(self) -> bytes:
        """The sample's own photograph in its own room, framed as its portrait will be."""
        face = self._finder.find(sample(WELCOME_FACE))
        framing = self._generator.model_set.framing or self._welcome_look().framing
        matrix = framing_matrix(face, framing, LARGE)
        framed = cv2.warpAffine(
            face.photo.pixels, matrix, LARGE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return _jpeg(np.asarray(framed, np.uint8))


def face_of(look: str) -> str:
    """The sample face that a look is shown on."""
    return FACES.get(look, OTHER_FACE)


def _jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()

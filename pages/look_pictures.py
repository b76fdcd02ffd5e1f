"""Pictures that the booth draws of its sample faces, once, behind the page.

Each look on one sample face, so that looks are told apart at a glance; and for the welcome screen the other
sample face twice in one framing: its photograph as it is, and a portrait that this machine has drawn.
"""

import asyncio
import io
from collections.abc import Mapping
from contextlib import closing

import cv2
import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
PATIENCE_S, PAUSE_S = 60.0, 0.25  # how long a browser is kept waiting, and how often we look


class LookPictures:
    """`GET /looks/NAME.jpg`. Until a picture is drawn the frame shows the look's colours."""

    def __init__(
        self, looks: Mapping[str, Look], finder: FaceFinder, studio: Studio, generator: Generator
    ) -> None:
        self._looks = looks
        self._finder = finder
        self._studio = studio
        self._generator = generator
        self._pictures: dict[str, bytes] = {}
        self._expected = {*looks, *WELCOME}

    def draw(self) -> None:
        """Every look. The first visitor then finds every part of the chain but the generator loaded."""
        self._pictures[WELCOME[0]] = self._welcome_photograph()
        faces = {name: self._finder.find(sample(name)) for name in {*map(face_of, self._looks)}}
        cutouts = {name: self._studio.cut_out(face) for name, face in faces.items()}
        draw_mesh(next(iter(faces.values())))
        for name, look in self._looks.items():
            self._pictures[name] = _jpeg(plate(cutouts[face_of(name)], look, SIZE).pixels)

    def draw_welcome(self) -> None:
        """The portrait beside the welcome's photograph; without a model there is none."""
        order = Order(self._welcome_look(), variations=1, seed=WELCOME_SEED)
        try:
            chain = sit([sample(WELCOME_FACE)], order, self._finder, self._studio, self._generator)
            with closing(chain) as events:  # before the portrait is measured, which nobody here asks for
                portrait = next(event.portrait for event in events if isinstance(event, PortraitReady))
            self._pictures[WELCOME[1]] = _jpeg(crop_to_fit(portrait.image, LARGE))
        finally:
            self._expected &= set(self._pictures)

    def route(self) -> Route:
        """Waits for a picture that is still to be drawn, then says 202; 404 for one that will not come."""

        async def picture(request: Request) -> Response:
            name, waited = request.path_params["name"], 0.0
            while name in self._expected and name not in self._pictures and waited < PATIENCE_S:
                await asyncio.sleep(PAUSE_S)
                waited += PAUSE_S
            jpeg = self._pictures.get(name)
            if jpeg is None:
                return Response(status_code=202 if name in self._expected else 404)
            return Response(jpeg, media_type="image/jpeg")

        return Route("/looks/{name}.jpg", picture)

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

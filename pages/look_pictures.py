"""Each look on a sample face, drawn once behind the page, so that looks are told apart at a glance."""

import asyncio
import io
from collections.abc import Mapping

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pages.samples import sample
from pipelines.face import FaceFinder
from pipelines.look import Look
from pipelines.pose import seen
from pipelines.studio import Studio, plate

SIZE = (240, 300)  # width, height in px
FACE = "hopper"
PATIENCE_S, PAUSE_S = 60.0, 0.25  # how long a browser is kept waiting, and how often we look


class LookPictures:
    """`GET /looks/NAME.jpg`. Until a picture is drawn the frame shows the look's colours."""

    def __init__(self, looks: Mapping[str, Look], finder: FaceFinder, studio: Studio) -> None:
        self._looks = looks
        self._finder = finder
        self._studio = studio
        self._pictures: dict[str, bytes] = {}

    def draw(self) -> None:
        """All of them. The first visitor then finds every part of the chain but the generator loaded."""
        face = self._finder.find(sample(FACE))
        seen(face)
        cutout = self._studio.cut_out(face)
        for name, look in self._looks.items():
            file = io.BytesIO()
            Image.fromarray(plate(cutout, look, SIZE).pixels).save(file, "JPEG", quality=90, subsampling=0)
            self._pictures[name] = file.getvalue()

    def route(self) -> Route:
        """Waits for a picture that is still to be drawn; 404 for one that will not come."""

        async def picture(request: Request) -> Response:
            name, waited = request.path_params["name"], 0.0
            while name in self._looks and name not in self._pictures and waited < PATIENCE_S:
                await asyncio.sleep(PAUSE_S)
                waited += PAUSE_S
            jpeg = self._pictures.get(name)
            return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=404)

        return Route("/looks/{name}.jpg", picture)

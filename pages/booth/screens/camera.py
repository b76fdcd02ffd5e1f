"""Camera: the component does it all."""

import json

import gradio as gr

from booth.visit import ScreenName, Visit
from errors import VisitorError
from pages.booth.screen import Screen, Update, html, picture_url
from pages.components.camera import camera
from pipelines.selfie.photo import MAX_BYTES
from pipelines.selfie.samples import SAMPLES
from pipelines.sitting import MOST_SELFIES
from words import Say


class CameraScreen(Screen):
    """One to four selfies."""

    name = ScreenName.CAMERA

    def lay_out(self) -> None:
        """The camera, and faces to try it with."""
        hints, is_kiosk = self.services.frame_judge is not None, self.services.settings.is_kiosk

        def lens(say: Say) -> gr.HTML:
            samples = [(name, say(f"sample.{name}")) for name in SAMPLES]
            return camera(say, samples, MOST_SELFIES, hints, is_kiosk)

        self.camera = self.spoken(lens)
        self.notice = html("")
        self.ways = self.foot(over="visit.start_over")

    def fill(self, visit: Visit) -> Update:
        """Whose photos these are, and what was taken."""
        shots = [{"id": selfie.picture, "url": picture_url(selfie.picture)} for selfie in visit.selfies]
        return {self.camera: json.dumps({"ticket": visit.ticket, "shots": shots, "limit": MAX_BYTES})}

    def wire(self, page: gr.Blocks) -> None:
        """On with what was taken, or back to the start."""
        self.camera.done(self.take_photos, **self.at_once)
        self.ways["over"].click(self.leave, **self.at_once)

    def take_photos(self, request: gr.Request) -> Update:
        """On to the looks, with at least one photo."""

        def step(visit: Visit) -> None:
            if not visit.selfies:
                is_kiosk = self.services.settings.is_kiosk
                raise VisitorError("camera.missing_kiosk" if is_kiosk else "camera.missing")
            visit.go(ScreenName.LOOK)

        return self.doing(step)(request)

"""A sitting as the making screen tells it: each event of the chain becomes what changes on the page."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

import gradio as gr

from booth.prints import Printer, Traces, explain
from pages import markup
from pages.booth.dial import making_words
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.reference import reference_crop
from pipelines.exhibit import crop_to_fit
from pipelines.marks.note import mark
from pipelines.order import Order
from pipelines.sitting import Done, FaceFound, PlateReady, Portrait, PortraitReady, PoseReady, SittingEvent
from services import Services
from words import Say

PREVIEW_EVERY_S = 0.25  # at most four pictures a second
SMALL_PX = 540  # width of what explains, not of what is judged
SHOWN = (540, 675)  # width, height in px of a portrait on the making screen


class StoryParts(Protocol):
    """What the story fills: four pictures with their captions, words, and how far it is."""

    plate: gr.HTML
    preview: gr.HTML
    mesh: gr.HTML
    pose: gr.HTML
    words: gr.HTML
    steps: gr.HTML


class Story:
    """One sitting in the making."""

    def __init__(
        self,
        services: Services,
        parts: StoryParts,
        say: Say,
        order: Order,
        generator: Generator,
        printer: Printer,
    ) -> None:
        self._services = services
        self._parts = parts
        self._say = say
        self._order = order
        self._model_set = generator.model_set
        self._printer = printer
        self._mesh: dict[str, bytes] = {}
        self._half_way: dict[int, bytes] = {}  # each portrait in the making
        self._ready: set[int] = set()  # whatever is drawn of them after that is another seed
        self._next_preview = 0.0  # monotonic s
        # What the fourth frame shows of what a portrait is held to: the pose map, or a picture it is shown.
        self._held = "keeps" if "pose" in generator.model_set.capabilities else "shown"
        self.portraits: tuple[Portrait, ...] = ()

    @property
    def traces(self) -> Traces:
        """What is kept to explain the making by."""
        return Traces(self._mesh, self._half_way)

    def open(self) -> Mapping[Any, Any]:
        """What it starts from, empty frames, and what we are waiting for."""
        say, parts = self._say, self._parts
        start = self._order.start or self._model_set.start
        return {
            parts.words: markup.heading(*making_words(say, self._model_set, start)),
            parts.plate: markup.picture("", "", say("making.photo"), "photograph"),
            parts.preview: markup.picture("", "", say("making.ai"), "generated"),
            parts.mesh: markup.picture("", "", say("making.sees")),
            parts.pose: markup.picture("", "", say(f"making.{self._held}")),
            parts.steps: self._waiting(),
        }

    def tell(self, event: SittingEvent) -> Mapping[Any, Any]:
        """What changes on the making screen."""
        say, parts = self._say, self._parts
        match event:
            case FaceFound():
                return {} if self._held == "keeps" else self._holds(reference_crop(event.faces[event.best]))
            case PlateReady():
                shown = markup.bytes_url(mark(event.plate.pixels, "plate", format="JPEG"))
                alt, caption = say("making.photo_alt"), say("making.photo")
                plate = markup.picture(shown, alt, caption, "photograph")
                return {parts.plate: plate, parts.steps: self._waiting()}
            case PoseReady():
                self._mesh = {"seen": explain(event.seen)}
                shown, alt = markup.data_url(event.seen, SMALL_PX), say("making.sees_alt")
                held = self._holds(event.pose.image) if self._held == "keeps" else {}
                return {parts.mesh: markup.picture(shown, alt, say("making.sees")), **held}
            case Progress():
                self._remember(event)
                return {parts.steps: self._steps(event), **self._preview(event)}
            case PortraitReady():
                self._ready.add(event.portrait.rendering.index)
                small = self._printer.sign(event.portrait, crop_to_fit(event.portrait.image, SHOWN))
                return {parts.preview: self._in_the_making(markup.bytes_url(small))}
            case Done():
                self.portraits = event.portraits
        return {}

    def _holds(self, pixels: Pixels) -> dict[Any, Any]:
        say, shown = self._say, markup.data_url(pixels, SMALL_PX)
        caption, alt = say(f"making.{self._held}"), say(f"making.{self._held}_alt")
        return {self._parts.pose: markup.picture(shown, alt, caption)}

    def _remember(self, event: Progress) -> None:
        """Keep the last preview of the first half of the steps: noise that is about to be somebody."""
        for index, preview in enumerate(event.previews, event.first):
            if event.is_first_half and index not in self._ready:
                self._half_way[index] = explain(preview)

    def _waiting(self) -> str:
        ready = self._services.warmup.state != "loading"
        return "" if ready else markup.status(self._say("making.loading"))

    def _steps(self, event: Progress) -> str:
        total, last = self._order.variations, event.first + event.count
        key = "making.step" if event.count == 1 else "making.steps"
        label = self._say(key, i=event.first + 1, j=last, n=total, k=event.step, m=event.steps)
        now = event.step / event.steps
        shares = [1.0 if i < event.first else now if i < last else 0.0 for i in range(total)]
        return markup.steps(label, shares)

    def _preview(self, event: Progress) -> dict[Any, Any]:
        now = time.monotonic()
        if not event.previews or now < self._next_preview:
            return {}
        self._next_preview = now + PREVIEW_EVERY_S
        return {self._parts.preview: self._in_the_making(markup.data_url(event.previews[0]))}

    def _in_the_making(self, source: str) -> str:
        say = self._say
        return markup.picture(source, say("making.ai_alt"), say("making.ai"), "generated")

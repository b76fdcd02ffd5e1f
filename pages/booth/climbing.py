"""The ladder's screen: one finished portrait drawn again and again with ever less of its sitter.

It waits in the booth's line like a making, stops like one, and asks its own leave to be shown.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import gradio as gr

from booth.album import PictureId
from booth.catalogue import STEPS, offer
from booth.line import Place
from booth.visit import Climb, Made, Run, Stage, Visit
from errors import ChoiceError, NoCard, VisitorError
from pages import markup
from pages.booth.screens import Screens
from pages.booth.views import Update, Views, picture_url
from pages.components.consent import ticked
from pages.guards.gate import COOKIE
from pipelines.draw.generate import Generator
from pipelines.ladder import Rung, ladder, left_of, strip
from pipelines.marks.signing import drawn_from
from pipelines.measure.likeness import Level
from pipelines.selfie.photo import read_photo
from pipelines.sitting import Order
from services import Services
from votes.schema import Kind


class Climbing:
    """Every handler of the screen."""

    def __init__(self, services: Services, screens: Screens) -> None:
        self._services = services
        self._on = screens
        self._views = Views(services, screens)

    def begin(self, shown: str, request: gr.Request) -> Update:
        """Show the screen at once, whoever else is being served."""
        visit = visit_of(self._services, request)
        with self._services.errors_shown.shown() as told:
            if visit.made is None:
                raise VisitorError("visit.over")
            visit.chosen = chosen_of(shown, len(visit.made.portraits))
            visit.start_climb(visit.chosen)
            visit.go(Stage.LADDER)
            return self._views.show(visit)
        return self._views.show(visit, told.sentence)

    def draw(self, request: gr.Request) -> Iterator[Update]:
        """Wait for the machine, then step by step, until the ladder is whole or was left."""
        visit = visit_of(self._services, request)
        run, climb = visit.run, visit.climb
        if run is None or climb is None or climb.strip or run.begun or run.stop.is_set():
            yield {self._on.ladder.notice: gr.skip()}  # Gradio empties all outputs where nothing is yielded
            return
        run.begun = True
        with self._services.errors_shown.shown() as told, self._services.line.place(is_usual=False) as place:
            for sentence in waiting(self._services, run, place):
                yield {self._on.ladder.steps: sentence}
            try:
                yield from self._drawn(visit, run, climb)
            except NoCard as error:  # another model's ladder would not be about this portrait
                raise VisitorError(error.key.replace("making.", "ladder.")) from error
        if visit.gone or not visit.consented:
            yield self._views.show(visit_of(self._services, request), self._services.say("visit.over"))
        elif run.stop.is_set():
            yield {self._on.ladder.notice: gr.skip()}
        elif told.sentence:
            visit.go(Stage.RESULT)
            yield self._views.show(visit, told.sentence)

    def allow(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter's leave for all that the portrait's own tick names, and the ladder; or its end."""
        visit, on = visit_of(self._services, request), self._on.ladder
        with self._services.errors_shown.shown() as told:
            climb = visit.climb
            if climb is None or not climb.strip or not _shows(shown, climb):
                raise VisitorError("ladder.gone")
            if ticked(ticks):
                allow_show(self._services, visit, climb.portrait, climb)
            else:
                visit.forbid_show()
            return {on.code: self._views.code(visit), on.notice: ""}
        return {on.notice: markup.notice(told.sentence)}

    # ---- inside

    def _drawn(self, visit: Visit, run: Run, climb: Climb) -> Iterator[Update]:
        if visit.made is None or run.stop.is_set():
            return
        generator, order = self._asked(visit.made, climb.portrait)
        photos, services = tuple(selfie.photo for selfie in visit.selfies), self._services
        # Nobody is recognised unasked.
        asked = services.recognizer if climb.portrait in visit.recognised else None
        images: list[markup.Pixels] = []
        yield {self._on.ladder.steps: self._views.climbing(0)}
        like = visit.made.shots[climb.portrait]
        chain = ladder(
            photos, order, services.finder, services.studio, generator, recognizer=asked, like=like
        )
        with closing(chain) as events:
            for event in events:  # closing cancels the drawing within one step
                if run.stop.is_set():
                    return
                if isinstance(event, Rung):
                    images.append(event.portrait.image)
                    climb.pictures.append(self._kept(visit, generator, event))
                    climb.likeness.append(event.likeness)
                    climb.left.append(round(100 * left_of(event.order)))
                    if asked:
                        climb.recognised.append(answer_of(event))
                    if len(images) == len(STEPS):
                        climb.strip = self._strip(visit, generator, visit.made, climb, images)
                    yield self._views.show(visit)

    def _asked(self, made: Made, portrait: int) -> tuple[Generator, Order]:
        """What drew the portrait, and the same order with its own seed."""
        generator = self._services.fallback if made.on_fallback else self._services.generator
        seed = made.shows[portrait].facts["seed"]
        if generator is None or made.order is None or not isinstance(seed, int):
            raise VisitorError("visit.over")
        return generator, replace(made.order, seed=seed)

    def _kept(self, visit: Visit, generator: Generator, rung: Rung) -> PictureId:
        made = drawn_from(rung.portrait.rendering.start, generator.model_set)
        jpeg = self._services.signer.sign(rung.portrait.image, made, generator.model_set, format="JPEG")
        return visit.keep(jpeg)

    def _strip(
        self,
        visit: Visit,
        generator: Generator,
        made: Made,
        climb: Climb,
        images: Sequence[markup.Pixels],
    ) -> PictureId:
        """Photograph and all steps as one picture, to take home."""
        photograph = visit.album.get(made.photographs[climb.portrait])
        if photograph is None:
            raise VisitorError("visit.over")
        first = (read_photo(photograph.jpeg).pixels, self._services.say("stage.photograph"))
        pictures = [first, *zip(images, self._views.shares(climb), strict=True)]
        jpeg = self._services.signer.sign(strip(pictures), "from_plate", generator.model_set, format="JPEG")
        return visit.keep(jpeg, "ai-ladder.jpg")


def visit_of(services: Services, request: gr.Request) -> Visit:
    """The visit of the browser that asks."""
    return services.visits.of(request.cookies.get(COOKIE, ""), request.session_hash)


def waiting(services: Services, run: Run, place: Place) -> Iterator[str]:
    """What to say until it is that place's turn, or the run was stopped."""
    while (before := services.line.before(place)) and not run.stop.is_set():
        key = "making.queue_one" if before == 1 else "making.queue"
        yield markup.status(services.say(key, n=before, s=services.line.seconds(place)))
        services.line.wait(place)


def chosen_of(shown: str, count: int) -> int:
    """Which portrait is large. Raises `ChoiceError` for one that is not there."""
    try:
        chosen = json.loads(shown)["chosen"]
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise ChoiceError("A page showed a portrait that is not there.") from error
    if not isinstance(chosen, int) or not 0 <= chosen < count:
        raise ChoiceError("A page showed a portrait that is not there.")
    return chosen


def allow_show(services: Services, visit: Visit, chosen: int, climb: Climb | None = None) -> None:
    """The sitter's leave to show the room that portrait, its photograph, its making, and its ladder.

    Raises `VisitorError` when the visit is over.
    """
    if visit.made is None or visit.sitting is None:
        raise VisitorError("visit.over")
    made = visit.made
    own = {Kind.PHOTOGRAPH: made.photographs[chosen], Kind.GENERATED: made.portraits[chosen]}
    shown = made.shows[chosen]
    facts, frames = dict(shown.facts), dict(shown.frames)
    if chosen in visit.recognised:
        facts["recognition"] = visit.recognised[chosen]
    if climb:
        kept = [visit.album.get(picture) for picture in climb.pictures]
        frames |= {name: one.jpeg for name, one in zip(STEPS, kept, strict=True) if one}
        facts["left"] = " ".join(map(str, climb.left))
        if climb.recognised:
            facts["recognised"] = ",".join(climb.recognised)
    try:
        code, copies = offer(
            services.album, visit.sitting, replace(shown, facts=facts, frames=frames), own, visit.misfire_code
        )
    except KeyError as error:
        raise VisitorError("visit.over") from error
    visit.drop_copies()
    visit.code, visit.copies, visit.shows_climb, visit.chosen = code, copies, climb is not None, chosen


def answer_of(rung: Rung) -> str:
    """Whether a face-recognition program takes that step for the sitter: the word, never the number."""
    return (rung.recognition.level if rung.recognition else Level.NOT_MEASURED).value


def _shows(shown: str, climb: Climb) -> bool:
    """Whether the page shows that ladder, and not one that another page has replaced."""
    try:
        urls = [one["url"] for one in json.loads(shown)["portraits"]]
    except (TypeError, ValueError, KeyError, RecursionError):
        return False
    return urls == [picture_url(picture) for picture in climb.pictures]

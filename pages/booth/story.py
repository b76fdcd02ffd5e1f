"""A sitting as the making screen tells it: each event of the chain becomes what changes on the page."""

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from booth.album import PictureId
from booth.catalogue import Showing
from booth.quiz import Question, new_item_id
from booth.visit import Made, Visit
from pages import markup
from pages.booth.dial import making_words
from pages.booth.screens import Making
from pages.markup import Pixels
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.reference import reference
from pipelines.exhibit import exhibit, fitted, pair
from pipelines.marks.note import mark
from pipelines.marks.signing import drawn_from
from pipelines.sitting import Done, Event, FaceFound, Order, PlateReady, Portrait, PortraitReady, PoseReady
from services import Services
from votes.schema import Item, Kind

PREVIEW_EVERY_S = 0.25  # at most four pictures a second
SMALL_PX = 540  # width of what explains, not of what is judged
SHOWN = (540, 675)  # width, height in px of a portrait on the making screen
FRAME = (640, 800)  # of what the stage explains a making with


def in_order(portraits: Sequence[Portrait]) -> tuple[Portrait, ...]:
    """What changed least comes first; where nothing could be measured, last."""
    return tuple(sorted(portraits, key=lambda one: one.likeness.changed if one.likeness else math.inf))


class Story:
    """One sitting in the making; its pictures go into the visit's album."""

    def __init__(
        self, services: Services, screen: Making, visit: Visit, order: Order, generator: Generator
    ) -> None:
        self._services = services
        self._screen = screen
        self._visit = visit
        self._order = order
        self._generator = generator
        self._portraits: tuple[Portrait, ...] = ()
        self._frames: dict[str, bytes] = {}  # what the machine saw
        self._half_way: dict[int, Pixels] = {}  # each portrait in the making
        self._ready: set[int] = set()  # whatever is drawn of them after that is another seed
        self._start = order.start or generator.model_set.start
        self._next_preview = 0.0  # monotonic s
        # What the fourth frame shows of what a portrait is held to: the pose map, or a picture it is shown.
        self._held = "keeps" if "pose" in generator.model_set.capabilities else "shown"

    def opening(self) -> dict[Any, Any]:
        """What it starts from, empty frames, and what we are waiting for."""
        say, screen = self._services.say, self._screen
        return {
            screen.words: markup.heading(*making_words(say, self._generator.model_set, self._start)),
            screen.plate: markup.picture("", "", say("making.photo"), "photograph"),
            screen.preview: markup.picture("", "", say("making.ai"), "generated"),
            screen.seen: markup.picture("", "", say("making.sees")),
            screen.pose: markup.picture("", "", say(f"making.{self._held}")),
            screen.steps: self._waiting(),
        }

    def update(self, event: Event) -> dict[Any, Any]:
        """What changes on the making screen."""
        say, screen = self._services.say, self._screen
        if isinstance(event, PlateReady):
            shown = markup.bytes_url(mark(event.plate.pixels, "plate", format="JPEG"))
            alt = say("making.photo_alt")
            return {
                screen.plate: markup.picture(shown, alt, say("making.photo"), "photograph"),
                screen.steps: self._waiting(),
            }
        if isinstance(event, FaceFound):
            return {} if self._held == "keeps" else self._held_to(reference(event.faces[event.best]))
        if isinstance(event, PoseReady):
            self._frames = {"seen": _frame(event.seen)}
            seen = markup.data_url(event.seen, SMALL_PX)
            held = self._held_to(event.pose.image) if self._held == "keeps" else {}
            return {screen.seen: markup.picture(seen, say("making.sees_alt"), say("making.sees")), **held}
        if isinstance(event, Progress):
            self._remember(event)
            return {screen.steps: self._steps(event), **self._preview(event)}
        if isinstance(event, PortraitReady):
            self._start = event.portrait.rendering.start
            self._ready.add(event.portrait.rendering.index)
            small = fitted(event.portrait.image, SHOWN)
            return {screen.preview: self._in_the_making(markup.bytes_url(self._marked(small)))}
        if isinstance(event, Done):
            self._portraits = in_order(event.portraits)
        return {}

    def _held_to(self, pixels: Pixels) -> dict[Any, Any]:
        say, shown = self._services.say, markup.data_url(pixels, SMALL_PX)
        caption, alt = say(f"making.{self._held}"), say(f"making.{self._held}_alt")
        return {self._screen.pose: markup.picture(shown, alt, caption)}

    def made(self) -> tuple[Made, tuple[dict[Kind, Question], ...]]:
        """The finished pictures in the album, marked; and the questions that may be asked about each."""
        photographs, portraits, guarded = [], [], []
        for i, one in enumerate(self._portraits, 1):
            plate = self._services.signer.sign(one.setup.plate.pixels, "plate", format="JPEG")
            photographs.append(self._visit.keep(plate, f"photograph-{i}.jpg"))
            portraits.append(self._visit.keep(self._marked(one.image), f"ai-portrait-{i}.jpg"))
            guarded.append(self._guarded(one, i))
        pairs = [self._questions(one) for one in self._portraits]
        made = Made(
            look=self._order.look.name,
            photographs=tuple(photographs),
            portraits=tuple(portraits),
            on_fallback=self._generator is self._services.fallback,
            shows=tuple(self._showing(own, one) for own, one in zip(pairs, self._portraits, strict=True)),
            likeness=tuple(one.likeness for one in self._portraits),
            guarded=tuple(guarded),
            order=self._order,
            shots=tuple(one.setup.shot for one in self._portraits),
            mouth_moved=any(one.setup.is_moved for one in self._portraits),
        )
        return made, tuple(pairs)

    def _questions(self, portrait: Portrait) -> dict[Kind, Question]:
        """What may be asked about a portrait, as drawn (a round is about no mended one), and its plate."""
        files = pair(portrait.setup.plate.pixels, portrait.image, self._generator.model_set)
        return {
            kind: Question(self._item(kind), partial(bytes, jpeg), exposed=True)
            for kind, jpeg in zip((Kind.PHOTOGRAPH, Kind.GENERATED), files, strict=True)
        }

    def _guarded(self, portrait: Portrait, number: int) -> PictureId | None:
        if portrait.guarded is None:
            return None
        model_set = self._generator.model_set
        jpeg = self._services.signer.sign(portrait.guarded, "guarded", model_set, format="JPEG")
        return self._visit.keep(jpeg, f"ai-portrait-{number}-skin-tone.jpg")

    def _showing(self, kinds: dict[Kind, Question], portrait: Portrait) -> Showing:
        """What a room could be asked about one portrait and the photograph beside it."""
        drawn = portrait.rendering
        half_way = self._half_way.get(drawn.index) if drawn.seed == self._order.seeds[drawn.index] else None
        pose = {"pose": _frame(portrait.setup.pose.image)} if self._held == "keeps" else {}
        return Showing(
            items={kind: one.item for kind, one in kinds.items()},
            exhibits={kind: one.jpeg() for kind, one in kinds.items()},
            frames=self._frames | pose | ({} if half_way is None else {"preview": _frame(half_way)}),
            facts={
                "look": self._order.look.name,
                "model_set": self._generator.model_set.name,
                "seed": drawn.seed,
                "steps": drawn.executed_steps,
                "seconds": round(drawn.seconds, 2),
                "prompt": self._order.prompt(self._generator.model_set),
            },
        )

    def _remember(self, event: Progress) -> None:
        """Keep the last preview of the first half of the steps: noise that is about to be somebody."""
        for place, preview in enumerate(event.previews, event.first):
            if event.is_first_half and place not in self._ready:
                self._half_way[place] = preview

    def _item(self, truth: Kind) -> Item:
        model_set, expression = self._generator.model_set, self._order.expression
        return Item(
            new_item_id(),
            truth,
            self._order.look.name,
            model_set.name,
            self._start,
            expression.name if expression else None,
            model_set.rehearsal,
        )

    def _marked(self, pixels: Pixels) -> bytes:
        model_set = self._generator.model_set
        made = drawn_from(self._start, model_set)
        return self._services.signer.sign(pixels, made, model_set, format="JPEG")

    def _waiting(self) -> str:
        ready = self._services.warmup.state != "loading"
        return "" if ready else markup.status(self._services.say("making.loading"))

    def _steps(self, event: Progress) -> str:
        total, last = self._order.variations, event.first + event.count
        key = "making.step" if event.count == 1 else "making.steps"
        label = self._services.say(key, i=event.first + 1, j=last, n=total, k=event.step, m=event.steps)
        now = event.step / event.steps
        shares = [1.0 if i < event.first else now if i < last else 0.0 for i in range(total)]
        return markup.steps(label, shares)

    def _preview(self, event: Progress) -> dict[Any, Any]:
        now = time.monotonic()
        if not event.previews or now < self._next_preview:
            return {}
        self._next_preview = now + PREVIEW_EVERY_S
        return {self._screen.preview: self._in_the_making(markup.data_url(event.previews[0]))}

    def _in_the_making(self, source: str) -> str:
        say = self._services.say
        return markup.picture(source, say("making.ai_alt"), say("making.ai"), "generated")


def _frame(pixels: Pixels) -> bytes:
    return exhibit(pixels, FRAME)

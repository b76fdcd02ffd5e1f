"""Look: six frames, expression, number; a dial where the set has one, and what its place does."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from booth.quota import remaining_seconds
from booth.visit import ScreenName, Visit
from errors import ChoiceError
from pages import markup
from pages.booth.dial import MIDDLE, PLACES, current_starts, explain_place, order_at, start_of, turns_of
from pages.booth.screen import Booth, Screen, Update, button, html, part, picture_url
from pages.booth.screens.making import MakingScreen
from pages.components.choice import ChoiceKind, Option, choice
from pipelines.look import Look
from pipelines.marks.note import mark
from pipelines.order import Order, can_be_given, wants_closed_lips
from pipelines.plate.studio import plate
from pipelines.selfie.face import best_of
from settings import COUNTS
from words import Say

AS_I_AM = ""  # no expression asked for
DEFAULT_LOOK = "grey"
LAST_SEED = 2**31
FRAME = (240, 300)  # width, height in px of a look's frame


class LookScreen(Screen):
    """What is asked for."""

    name = ScreenName.LOOK

    def __init__(self, booth: Booth, making: MakingScreen) -> None:
        self._making = making
        super().__init__(booth)

    def lay_out(self) -> None:
        """Frames above, the other choices below."""
        with part("see"):
            self.heading("look.title")
            self.look = self._choice("look", "look.title", self._looks, self._default.name, "frames")
            self.own_frames = html("", "own-frames")
        with part("say"):
            self.expression = self._choice("expression", "look.expression", self._moods, AS_I_AM, "seg")
            self.count = self._choice("count", "look.count", _counts, self._count, "seg")
            self.dial = self._choice("dial", "dial.title", self._places, str(MIDDLE), "dial")
            self.place = html("", "told")
            self.notice = html("")
            self.make_button = self.spoken(lambda say: button(_go(say, self._count), "go"))
            self.runs, self.lent = html(""), html("")
            if self.services.signs_in:
                self._sign_in()
        self.ways = self.foot(photos="look.photos", over="visit.start_over")

    def fill(self, visit: Visit) -> Update:
        """What runs, what cannot be asked for, and what the dial's place means."""
        services, model_set = self.services, self.services.generator.model_set
        say = self.say_to(visit)
        runs = say("look.machine", model=say(f"model_sets.{model_set.name}"), s=services.line.turn_s)
        impossible = self._impossible(visit)
        visit.dial.promise(current_starts(services))  # only here: what is read on this screen stays true
        place = self._explanation(visit)
        shown: Update = {
            self.runs: markup.note(runs) + markup.without("expression", impossible),
            self.dial: gr.HTML(str(visit.dial.turns), visible=bool(place)),
            self.place: place,
            self.count: str(visit.count or self._count),
            self.make_button: gr.Button(_go(say, str(visit.count or self._count))),
            self.own_frames: self._render_frames(visit),
        }
        return shown | ({self.expression: AS_I_AM} if impossible else {})

    def reset(self) -> Update:
        """The next visitor finds the usual choices, and frames without anybody's face."""
        return {
            self.look: self._default.name,
            self.expression: AS_I_AM,
            self.count: self._count,
            self.own_frames: "",
        }

    def wire(self, page: gr.Blocks) -> None:
        """A generator can be cancelled and waits its turn; switching the screen must not wait."""
        last = {**self.at_once, "trigger_mode": "always_last"}  # taps may be faster than answers
        self.count.input(self.choose_count, self.count, **last)
        self.dial.input(self.turn_dial, self.dial, **last)
        begun = self.make_button.click(self._making.begin, **self.at_once, trigger_mode="multiple")
        begun.then(self.draw, [self.look, self.expression, self.count, self.dial], **self.as_stream)
        self.ways["photos"].click(self.go(ScreenName.CAMERA), **self.at_once)
        self.ways["over"].click(self.leave, **self.at_once)
        self.wire_arrival(page.load)

    def wire_arrival(self, event: Callable[..., Any]) -> None:
        """What is fetched behind the screen when a visitor comes to it by that event."""
        event(self.draw_frames, outputs=self.own_frames, queue=False, show_progress="hidden")
        if self.services.signs_in:
            event(self.tell_quota, outputs=self.lent, queue=False, show_progress="hidden")

    def turn_dial(self, place: str, request: gr.Request) -> Update:
        """Kept with the visit, and told in one sentence."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            visit.dial.turn(turns_of(place))
            return {self.place: self._explanation(visit)}  # the dial may be elsewhere by now

        return self.trying(visit, self.notice, step)

    def choose_count(self, count: str, request: gr.Request) -> Update:
        """The main button names the number."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            visit.choose_count(_number(count))
            return {self.make_button: gr.Button(_go(self.say_to(visit), count))}

        return self.trying(visit, self.notice, step)

    def draw(
        self, look: str, expression: str, count: str, place: str, request: gr.Request
    ) -> Iterator[Update]:
        """What was asked for, drawn on the making screen."""
        yield from self._making.draw(partial(self._order, look, expression, count, place), request)

    def draw_frames(self, request: gr.Request) -> str:
        """Each frame with the visitor's own plate in that look: about a second, behind the screen."""
        visit, services = self.booth.find_visit(request), self.services
        if visit is None:  # it ended meanwhile
            return ""
        if visit.selfies and not visit.frames:
            with services.error_boundary.catch(visit.language):  # then the sample faces stay
                faces = visit.faces
                cutout = services.studio.cut_out(faces[best_of(faces)])
                plates = {look.name: plate(cutout, look, FRAME).pixels for look in services.looks.values()}
                visit.keep_frames(
                    {name: mark(pixels, "plate", format="JPEG") for name, pixels in plates.items()}
                )
        return self._render_frames(visit)

    def tell_quota(self, token: gr.OAuthToken | None, request: gr.Request) -> str:
        """What a signed-in visitor has left of a lent GPU. Nothing is kept."""
        left = remaining_seconds(token.token) if token else None
        visit = self.booth.find_visit(request)
        say = self.services.speaker(visit.language if visit else "")
        return "" if left is None else markup.note(say("lent.left", s=left))

    # ---- inside

    @property
    def _default(self) -> Look:
        """An event's first look; else the grey one."""
        looks, chosen = self.services.looks, self.services.settings.looks
        return looks[chosen[0] if chosen else DEFAULT_LOOK]

    @property
    def _count(self) -> str:
        """How many portraits where nobody chooses another number."""
        return str(self.services.settings.variations)

    def _order(self, look: str, expression: str, count: str, place: str, visit: Visit) -> Order:
        """What the page asked for. Raises `ChoiceError` for what it does not offer."""
        services, model_set = self.services, self.services.generator.model_set
        visit.dial.turn(turns_of(place))
        chosen = services.looks.get(str(look))
        mood = services.expressions.get(str(expression)) if expression in model_set.expressions else None
        if chosen is None or (mood is None and expression != AS_I_AM):
            raise ChoiceError("A page asked for a look or an expression that it does not offer.")
        order = Order(chosen, mood, _number(count), secrets.randbelow(LAST_SEED))
        return order_at(order, visit.dial.turns, model_set, start_of(services, visit, model_set))

    def _explanation(self, visit: Visit) -> str:
        """What the place of the visitor's dial does; nothing where there is no dial."""
        model_set = self.services.generator.model_set
        start = start_of(self.services, visit, model_set)
        sentence = explain_place(
            self.say_to(visit), visit.dial.turns, model_set, start, self._default.identity
        )
        return markup.status(sentence) if sentence else ""

    def _render_frames(self, visit: Visit) -> str:
        urls = {name: picture_url(picture) for name, picture in visit.frames.items()}
        return str(markup.render("booth/own_frames.html", urls=urls)) if urls else ""

    def _impossible(self, visit: Visit) -> list[str]:
        """The expressions that the best of these photos cannot be given."""
        model_set, expressions = self.services.generator.model_set, self.services.expressions.values()
        doubtful = [mood for mood in expressions if wants_closed_lips(mood, model_set)]
        if not doubtful or not visit.selfies:
            return []
        faces = visit.faces
        best = faces[best_of(faces)]
        return [mood.name for mood in doubtful if not can_be_given(mood, best, model_set)]

    def _choice(
        self,
        name: str,
        legend: str,
        options: Callable[[Say], Sequence[Option]],
        chosen: str,
        kind: ChoiceKind,
    ) -> gr.HTML:
        """Of one kind of thing; a single one is no choice."""
        visible = len(options(self.services.say)) > 1
        return self.spoken(lambda say: choice(name, say(legend), options(say), chosen, kind, visible))

    def _looks(self, say: Say) -> list[Option]:
        return [_option(look, say(f"looks.{look.name}")) for look in self.services.looks.values()]

    def _moods(self, say: Say) -> list[Option]:
        offered = self.services.generator.model_set.expressions
        moods = [mood for mood in self.services.expressions.values() if mood.name in offered]
        return [
            Option(AS_I_AM, say("look.as_i_am")),
            *(Option(mood.name, say(f"expressions.{mood.name}")) for mood in moods),
        ]

    def _places(self, say: Say) -> list[Option]:
        """Of the dial: those that differ, of the set as it was commissioned."""
        places = self.services.generator.model_set.places(self._default.identity)
        return [Option(str(turns), say(f"dial.{PLACES[turns]}")) for turns in places]

    def _sign_in(self) -> None:
        """Gradio's button, which signs in and out: only on a Space that lends a GPU and allows that.

        It says itself who is signed in, in the booth's own language.
        """
        gr.LoginButton(
            self.services.say("lent.sign_in"),
            self.services.say("lent.sign_out", name="{}"),
            variant="secondary",
            icon=None,
            elem_classes=["plain"],
        )


def _number(count: str) -> int:
    """How many portraits. Raises `ChoiceError` for what the page does not offer."""
    offered = {str(n): n for n in COUNTS}
    if not isinstance(count, str) or count not in offered:  # a forged one may be of any type
        raise ChoiceError("A page asked for a number of portraits that it does not offer.")
    return offered[count]


def _go(say: Say, count: str) -> str:
    """The main button names the number. Raises `ChoiceError` for one that the page does not offer."""
    n = _number(count)
    return say("look.go_one" if n == 1 else "look.go", n=n)


def _counts(_: Say) -> list[Option]:
    return [Option(str(n), str(n)) for n in COUNTS]


def _option(look: Look, title: str) -> Option:
    """A look as a frame: its colours at once, a sample face in it as soon as that is drawn."""
    shape = "to bottom" if look.backdrop.upright else "circle at 50% 35%"
    kind = "linear" if look.backdrop.upright else "radial"
    ground = f"{kind}-gradient({shape}, {look.backdrop.centre}, {look.backdrop.edge})"
    return Option(look.name, title, ground, f"looks/{look.name}.jpg")

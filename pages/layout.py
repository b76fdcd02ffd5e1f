"""The four screens of the first page: what stands where. Handlers and wires are in `first`."""

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from pages import markup
from pages.components.choice import Option, choice
from pages.components.selfies import selfies
from pages.desk import Desk
from pages.samples import SAMPLES
from votes.schema import Kind

AS_I_AM = ""  # no expression asked for
DEFAULT_LOOK = "grey"
MOST_VARIATIONS = 4


@dataclass(frozen=True, eq=False)
class Start:
    """Selfies on the left, choices on the right."""

    screen: gr.Column
    selfies: gr.HTML
    samples: dict[str, gr.Button]
    look: gr.HTML
    expression: gr.HTML
    count: gr.HTML
    notice: gr.HTML
    make: gr.Button


@dataclass(frozen=True, eq=False)
class Making:
    """Photograph, portrait in the making, what it sees, what it keeps; progress and Stop."""

    screen: gr.Column
    plate: gr.HTML
    preview: gr.HTML
    seen: gr.HTML
    pose: gr.HTML
    steps: gr.HTML
    stop: gr.Button


@dataclass(frozen=True, eq=False)
class Result:
    """The plate and the portraits."""

    screen: gr.Column
    sheet: gr.HTML
    notice: gr.HTML
    guess: gr.Button
    again: gr.Button


@dataclass(frozen=True, eq=False)
class Question:
    """One picture on the grey card, two answers of equal weight, then the truth."""

    screen: gr.Column
    picture: gr.HTML
    words: gr.HTML
    answers: gr.Row
    buttons: dict[Kind, gr.Button]
    again: gr.Button


@dataclass(frozen=True, eq=False)
class Screens:
    """All of them; one is visible."""

    start: Start
    making: Making
    result: Result
    question: Question

    def components(self) -> list[Any]:
        """Everything that a handler may change."""
        parts = [part for one in fields(self) for part in vars(getattr(self, one.name)).values()]
        return [part for part in parts if not isinstance(part, dict)]

    def show(self, wanted: Start | Making | Result | Question) -> dict[Any, Any]:
        """The update that shows one screen and hides the others."""
        every = (self.start, self.making, self.result, self.question)
        return {one.screen: gr.Column(visible=one is wanted) for one in every}


def lay_out(desk: Desk) -> Screens:
    """All screens, inside the Blocks that the caller opened."""
    with gr.Column(elem_classes=["fv", "page"]):
        _html(markup.BAR)
        return Screens(_start(desk), _making(desk), _result(desk), _question(desk))


def _start(desk: Desk) -> Start:
    say = desk.words.say
    with gr.Column(elem_classes=["screen", "two", "start"]) as screen:
        with gr.Column(elem_classes=["see"]):
            _html(markup.heading(say("welcome.title"), say("welcome.plain")))
            shots = selfies()
            with gr.Row(elem_classes=["samples"]):
                _html(markup.note(say("camera.example")))
                samples = {name: _button(say(f"sample.{name}")) for name in SAMPLES}
        with gr.Column(elem_classes=["say"]):
            look = choice("look", say("look.title"), _looks(desk), _default_look(desk), "frames")
            expression = choice("expression", say("look.expression"), _moods(desk), AS_I_AM, "seg")
            counts = [Option(str(n), str(n)) for n in range(1, MOST_VARIATIONS + 1)]
            count = choice("count", say("look.count"), counts, str(MOST_VARIATIONS), "seg")
            notice = _html("")
            make = _button(say("look.go", n=MOST_VARIATIONS), main=True)
            _html(markup.note(f"{say('look.runs', why=desk.why)} {say('camera.stays')}"))
    return Start(screen, shots, samples, look, expression, count, notice, make)


def _making(desk: Desk) -> Making:
    say = desk.words.say
    way = "_plate" if desk.generator.model_set.start == "plate" else ""
    with gr.Column(visible=False, elem_classes=["screen", "two", "making"]) as screen:
        with gr.Column(elem_classes=["see", "four"]):
            plate, preview, seen, pose = (_html("", f"figure-{letter}") for letter in "abcd")
        with gr.Column(elem_classes=["say"]):
            _html(markup.heading(say(f"making.title{way}"), say(f"making.lead{way}")))
            steps = _html("")
            stop = _button(say("making.stop"))
    return Making(screen, plate, preview, seen, pose, steps, stop)


def _result(desk: Desk) -> Result:
    say = desk.words.say
    model_set = desk.generator.model_set
    honest = say("result.rehearsal") if model_set.rehearsal else say("look.runs", why=model_set.title)
    with gr.Column(visible=False, elem_classes=["screen", "result"]) as screen:
        sheet = _html("")
        with gr.Column(elem_classes=["say"]):
            _html(markup.heading(say("result.made"), honest))
            notice = _html("")
            guess = _button(say("result.guess"), main=True)
            again = _button(say("result.again"))
    return Result(screen, sheet, notice, guess, again)


def _question(desk: Desk) -> Question:
    say = desk.words.say
    with gr.Column(visible=False, elem_classes=["screen", "two", "card"]) as screen:
        with gr.Column(elem_classes=["see"]):
            picture = _html("")
        with gr.Column(elem_classes=["say"]):
            words = _html("")
            with gr.Row(elem_classes=["answers"]) as answers:
                buttons = {
                    Kind.PHOTOGRAPH: gr.Button(say("vote.photo"), elem_classes=["answer", "photo"]),
                    Kind.GENERATED: gr.Button(say("vote.ai"), elem_classes=["answer", "ai"]),
                }
            again = gr.Button(say("result.again"), visible=False, elem_classes=["plain"])
    return Question(screen, picture, words, answers, buttons, again)


def _html(value: str, *classes: str) -> gr.HTML:
    return gr.HTML(value, apply_default_css=False, js_on_load=None, elem_classes=list(classes))


def _button(words: str, main: bool = False) -> gr.Button:
    return gr.Button(
        words, variant="primary" if main else "secondary", elem_classes=["go" if main else "plain"]
    )


def _looks(desk: Desk) -> list[Option]:
    """Each look as a frame: its colours at once, a sample face in it as soon as that is drawn."""
    options = []
    for look in desk.looks.values():
        shape = "to bottom" if look.backdrop.upright else "circle at 50% 35%"
        kind = "linear" if look.backdrop.upright else "radial"
        ground = f"{kind}-gradient({shape}, {look.backdrop.centre}, {look.backdrop.edge})"
        options.append(Option(look.name, look.title, f"url(looks/{look.name}.jpg) center/cover, {ground}"))
    return options


def _default_look(desk: Desk) -> str:
    return DEFAULT_LOOK if DEFAULT_LOOK in desk.looks else next(iter(desk.looks))


def _moods(desk: Desk) -> list[Option]:
    moods = [Option(one.name, one.title) for one in desk.expressions.values()]
    return [Option(AS_I_AM, desk.words.say("look.as_i_am")), *moods]

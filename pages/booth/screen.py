"""What every screen of the booth is: a column of parts, filled from the visit, and its own events.

A screen has up to four parts: bar, see (pictures), say (words, choices, the main button) and foot (quiet ways
out), and sheets, which one tap lays over it. One screen is shown at a time; Gradio keeps the others out of
the page. An event does something to the visit, then the page shows where it is; the browser's word is looked
up or refused, never used.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeVar

import gradio as gr

from booth.line import Place
from booth.making import Run
from booth.visit import ScreenName, Visit
from errors import ChoiceError
from pages import markup
from services import Services
from words import Say

Update = dict[Any, Any]  # component to what it becomes
Part = TypeVar("Part", gr.HTML, gr.Button, gr.Textbox)
SPOKEN = ("words", "label", "value")  # what of a part is told in a language, the first that it has
Handler = Callable[[gr.Request], Update]

STEPS = (
    *(ScreenName.CONSENT, ScreenName.CAMERA, ScreenName.LOOK),
    *(ScreenName.MAKING, ScreenName.RESULT, ScreenName.VOTE),
)
STEP_OF = {ScreenName.LADDER: ScreenName.RESULT}  # a screen beside the way, and what it belongs to


class Booth(Protocol):
    """The page, as its screens know it."""

    services: Services

    def visit_of(self, request: gr.Request) -> Visit:
        """The visit of the browser that asks."""

    def find_visit(self, request: gr.Request) -> Visit | None:
        """The same for what a page asks by itself, which keeps no visit open."""

    def show(self, visit: Visit, notice: str = "") -> Update:
        """The screen where the visit is, and a sentence on it if something went wrong."""

    def tell(self, visit: Visit) -> Update:
        """The words of the screen where the visit is, in its language; what is shown stays."""

    def components(self) -> list[Any]:
        """Everything that a handler may change."""


class ScreenPart:
    """Components of a screen that belong together: the screen finds them among its own."""


class Screen(ABC):
    """One screen. Made inside the Blocks that the caller opened: what it lays out stands there."""

    name: ClassVar[ScreenName]
    style: ClassVar[tuple[str, ...]] = ()  # further classes of its column
    column: gr.Column
    notice: gr.HTML

    def __init__(self, booth: Booth) -> None:
        self.booth = booth
        self.services = booth.services
        self._spoken: dict[gr.blocks.Block, Callable[[Say], gr.blocks.Block]] = {}
        is_first = self.name == ScreenName.WELCOME
        with gr.Column(
            visible=is_first, elem_classes=["screen", self.name.value, *self.style]
        ) as self.column:
            self.spoken(lambda say: html(self._bar(say), "bar-part"))
            self.lay_out()

    @abstractmethod
    def lay_out(self) -> None:
        """Make the parts and keep them as attributes; a `notice` is among them."""

    def fill(self, visit: Visit) -> Update:
        """What the screen shows of a visit: a reload shows the same."""
        return {}

    def reset(self) -> Update:
        """What the visitor before left in its controls goes."""
        return {}

    def spoken(self, make: Callable[[Say], Part]) -> Part:
        """A part whose words stand still: made now in the booth's language, told anew in each visitor's."""
        part = make(self.services.say)
        self._spoken[part] = make
        return part

    def tell(self, visit: Visit) -> Update:
        """All such words in the language of the visit, whatever the page showed before."""
        say = self.say_to(visit)
        told = {part: spoken_of(make(say)) for part, make in self._spoken.items()}
        return {
            part: words["value"] if isinstance(part, gr.HTML) and "value" in words else type(part)(**words)
            for part, words in told.items()
        }

    def say_to(self, visit: Visit) -> Say:
        """A sentence of its key, in the language of the visit."""
        return self.services.speaker(visit.language)

    @abstractmethod
    def wire(self, page: gr.Blocks) -> None:
        """Who answers which event. Called when all screens are laid out."""

    def components(self) -> list[Any]:
        """Everything on it that a handler may change."""
        return list(dict.fromkeys([*_blocks_of(self), *self._spoken]))

    # ---- events

    @property
    def at_once(self) -> dict[str, Any]:
        """For events that are answered at once, without waiting in Gradio's queue."""
        return {"outputs": self.booth.components(), "queue": False, "show_progress": "hidden"}

    @property
    def as_stream(self) -> dict[str, Any]:
        """For events that wait for the machine: the booth's own line says who is next."""
        return {
            "outputs": self.booth.components(),
            "concurrency_limit": None,
            "show_progress": "hidden",
            "trigger_mode": "multiple",
        }

    def doing(self, step: Callable[[Visit], object]) -> Handler:
        """Do it to the visit, then show where the visit is; what fails is told there."""

        def handle(request: gr.Request) -> Update:
            visit = self.booth.visit_of(request)
            with self.services.error_boundary.catch(visit.language) as failure:
                step(visit)
                return self.booth.show(visit)
            return self.booth.show(visit, failure.sentence)

        return handle

    def go(self, screen: ScreenName) -> Handler:
        """To another screen; nobody waits for what is being drawn."""

        def step(visit: Visit) -> None:
            visit.stop()
            visit.go(screen)

        return self.doing(step)

    def leave(self, request: gr.Request) -> Update:
        """Done, start over, or nobody is there any more: the next person is a new visit."""
        self.services.visits.end(self.booth.visit_of(request))
        return self.booth.show(self.booth.visit_of(request))

    def trying(self, visit: Visit, where: gr.HTML, step: Callable[[], Update]) -> Update:
        """Do it; what fails is told in that part of the screen, which stays as it is."""
        with self.services.error_boundary.catch(visit.language) as failure:
            return step()
        return {where: markup.notice(failure.sentence)}

    # ---- waiting for the machine

    def wait(self, visit: Visit, run: Run, place: Place) -> Iterator[str]:
        """What to say until it is that place's turn, or the run was stopped."""
        line = self.services.line
        while (before := line.count_ahead(place)) and not run.is_stopped:
            key = "making.queue_one" if before == 1 else "making.queue"
            yield markup.status(self.say_to(visit)(key, n=before, s=line.estimated_wait_s(place)))
            line.wait(place)

    def end_run(
        self, visit: Visit, run: Run, failure: str, back: ScreenName, request: gr.Request
    ) -> Iterator[Update]:
        """What a run that did not come to its end leaves: a new visit, nothing, or a sentence on `back`."""
        if visit.is_over or not visit.has_consented:
            yield self.booth.show(self.booth.visit_of(request), self.say_to(visit)("visit.over"))
        elif run.is_stopped:
            yield {self.notice: gr.skip()}
        elif failure:
            visit.go(back)
            yield self.booth.show(visit, failure)

    # ---- parts

    def heading(self, key: str, lead: str = "") -> gr.HTML:
        """The one `h1` of the screen, and what it means."""
        return self.spoken(lambda say: html(markup.heading(say(key), say(lead) if lead else "")))

    def button(self, key: str, classes: str, **values: object) -> gr.Button:
        """A button; the main one of its screen has the class `go`."""
        return self.spoken(lambda say: button(say(key, **values), classes))

    def withdrawal_code(self, visit: Visit) -> str:
        """How to take back the permission to show; empty where none was given."""
        code = visit.sharing.code
        return markup.status(self.say_to(visit)("show.code", c=code)) if code else ""

    def foot(self, **keys: str) -> dict[str, gr.Button]:
        """Quiet ways out, by name."""
        with gr.Row(elem_classes=["foot"]):
            return {name: self.button(key, "quiet") for name, key in keys.items()}

    @contextmanager
    def sheet(self, name: str, title: str) -> Iterator[None]:
        """What an opener of that name lays over the screen: one thing to decide."""
        with gr.Column(elem_classes=["pane", name]):
            self.spoken(lambda say: html(_sheet_head(say(title), say("sheet.close")), "top"))
            yield

    def opener(self, name: str, key: str, style: str = "offer") -> gr.Button:
        """A button that opens a sheet; the page's script does it."""
        return self.button(key, f"{style} opens to-{name}")

    def _bar(self, say: Say) -> str:
        names = [say(f"step.{step.value}") for step in STEPS]
        screen = STEP_OF.get(self.name, self.name)
        if screen not in STEPS:
            return markup.bar("", names, None)
        step = STEPS.index(screen) + 1
        label = say("step.of", i=step, n=len(STEPS), name=names[step - 1])
        return markup.bar(label, names, step)


def _blocks_of(owner: object) -> list[Any]:
    """The components among the attributes of a screen, also in its dicts and in parts of its own."""
    found: list[Any] = []
    for kept in vars(owner).values():
        for value in kept.values() if isinstance(kept, dict) else (kept,):
            is_part = isinstance(value, ScreenPart)
            found += _blocks_of(value) if is_part else [value] if isinstance(value, gr.blocks.Block) else []
    return found


def _sheet_head(title: str, close: str) -> str:
    return markup.render("booth/sheet.html", title=title, close=close)


def spoken_of(part: gr.blocks.Block) -> dict[str, Any]:
    """What of a part is told in a language."""
    given = part.constructor_args
    name = next(name for name in SPOKEN if name in given)
    return {name: given[name]}


def together(told: Update, shown: Update) -> Update:
    """Both; of a part that is in both, its words and what it shows, which goes before."""
    both = {
        part: type(part)(**{**_given(told[part]), **_given(shown[part])})
        for part in told.keys() & shown.keys()
    }
    return told | shown | both


def _given(update: Any) -> dict[str, Any]:
    return update.constructor_args if isinstance(update, gr.blocks.Block) else {"value": update}


def part(name: str) -> gr.Column:
    """A part of a screen: see or say."""
    return gr.Column(elem_classes=[name])


def html(value: str, *classes: str, visible: bool = True) -> gr.HTML:
    """Markup of ours."""
    return gr.HTML(
        str(value), apply_default_css=False, js_on_load=None, elem_classes=list(classes), visible=visible
    )


def button(words: str, classes: str) -> gr.Button:
    """A button; the main one of its screen has the class `go`."""
    main = "go" in classes.split()
    return gr.Button(words, variant="primary" if main else "secondary", elem_classes=classes.split())


def picture_url(picture: str) -> str:
    """Where a browser finds a picture of its own visit; relative, for a Space lives under a path."""
    return f"pictures/{picture}"


def take_url(picture: str) -> str:
    """The same as a file to take home."""
    return f"{picture_url(picture)}?take=1"


def print_of(picture: str, caption: str) -> dict[str, str]:
    """A picture in the value of `components.portraits`."""
    return {"url": picture_url(picture), "caption": caption, "alt": caption}


def index_of(value: str) -> object:
    """What a page says is large in its portraits. Raises `ChoiceError` for what is no such value."""
    try:
        return json.loads(value)["chosen"]
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise ChoiceError("A page showed a portrait that is not there.") from error


def urls_of(value: str) -> Sequence[object]:
    """The addresses of the portraits that a page shows; none for what is no such value."""
    try:
        return [portrait["url"] for portrait in json.loads(value)["portraits"]]
    except (TypeError, ValueError, KeyError, RecursionError):
        return []

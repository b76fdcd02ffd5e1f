"""What stands where on the booth's screens, inside the Blocks that the caller opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from booth.visit import Stage
from pages import markup
from pages.booth.dial import MIDDLE, PLACES
from pages.booth.lending import sign_in
from pages.booth.screens import (
    Camera,
    Consent,
    Delete,
    Goodbye,
    Ladder,
    Look,
    Making,
    Result,
    Screens,
    Vote,
    Welcome,
    Withdraw,
)
from pages.components.camera import camera
from pages.components.choice import Option, choice
from pages.components.consent import consent, tick
from pages.components.portraits import portraits
from pages.components.wipe import wipe
from pipelines.ladder import has_dial
from pipelines.selfie.samples import SAMPLES
from pipelines.sitting import MOST_SELFIES
from services import Services
from votes.schema import Kind

AS_I_AM = ""  # no expression asked for
DEFAULT_LOOK = "grey"
COUNTS = (1, 2, 4)
# The Monk Skin Tone scale, sRGB, from light to dark (E. Monk 2019, skintone.google).
MONK = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
STEPS = (Stage.CONSENT, Stage.CAMERA, Stage.LOOK, Stage.MAKING, Stage.RESULT, Stage.VOTE)
OF = {Stage.LADDER: Stage.RESULT}  # a screen beside the way, and what it belongs to


class Layout:
    """Lays the screens out, inside the Blocks that the caller opened."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._say = services.say

    def screens(self) -> Screens:
        """All eleven; welcome is shown."""
        with gr.Column(elem_classes=["fv", "page"]):
            _html(markup.idle(self._services.words.template("idle.ask"), self._say("idle.yes")))
            idle = _button(self._say("visit.start_over"), "leave-quietly")  # page.js presses it
            return Screens(
                idle,
                self._welcome(),
                self._consent(),
                self._camera(),
                self._look(),
                self._making(),
                self._result(),
                self._ladder(),
                self._vote(),
                self._goodbye(),
                self._delete(),
                self._withdraw(),
            )

    def _welcome(self) -> Welcome:
        say = self._say
        with self._screen(Stage.WELCOME) as column:
            with _part("see"):
                wipe(
                    "looks/welcome-photograph.jpg",
                    "looks/welcome-portrait.jpg",
                    say("vote.photo"),
                    say("vote.ai"),
                    say("welcome.wipe"),
                    self._services.words.template("welcome.wiped"),
                )
            with _part("say"):
                _html(markup.heading(say("welcome.title"), say("welcome.lead")))
                notice = _html("")
                start = _button(say("welcome.start"), "go")
                told = f"{say('welcome.note')} {say('welcome.sample')}"
                _html(markup.note(told, "verify", say("verify.title")))
            quiet = self._foot(withdraw="withdraw.link")
        return Welcome(column=column, notice=notice, quiet=quiet, start=start)

    def _consent(self) -> Consent:
        say, minutes = self._say, self._services.retention_minutes
        with self._screen(Stage.CONSENT) as column:
            with _part("see"):
                _html(markup.timeline(self._times()))
            with _part("say"):
                _html(markup.heading(say("consent.title")))
                ticks = consent(say("consent.tick", m=minutes), say("consent.minor"))
                notice = _html("")
                go = _button(say("consent.go"), "go")
            quiet = self._foot(over="visit.start_over")
        return Consent(column=column, notice=notice, quiet=quiet, ticks=ticks, go=go)

    def _camera(self) -> Camera:
        say = self._say
        with self._screen(Stage.CAMERA) as column:
            shots = camera(
                self._services.words, [(name, say(f"sample.{name}")) for name in SAMPLES], MOST_SELFIES
            )
            notice = _html("")
            quiet = self._foot(over="visit.start_over")
        return Camera(column=column, notice=notice, quiet=quiet, camera=shots)

    def _look(self) -> Look:
        say, services = self._say, self._services
        with self._screen(Stage.LOOK) as column:
            with _part("see"):
                _html(markup.heading(say("look.title")))
                look = choice("look", say("look.title"), _looks(services), default_look(services), "frames")
            with _part("say"):
                expression = choice("expression", say("look.expression"), self._moods(), AS_I_AM, "seg")
                counts = [Option(str(n), str(n)) for n in COUNTS]
                count = choice("count", say("look.count"), counts, str(COUNTS[-1]), "seg")
                places = self._places()
                dial = choice("dial", say("dial.title"), places, str(MIDDLE), "dial", len(places) > 1)
                told = _html("", "told")
                notice = _html("")
                go = _button(say("look.go", n=COUNTS[-1]), "go")
                runs, lent = _html(""), _html("")
                if services.signs_in:
                    sign_in(services)
            quiet = self._foot(photos="look.photos", over="visit.start_over")
        return Look(
            column=column,
            notice=notice,
            quiet=quiet,
            look=look,
            expression=expression,
            count=count,
            dial=dial,
            told=told,
            runs=runs,
            lent=lent,
            go=go,
        )

    def _making(self) -> Making:
        say = self._say
        with self._screen(Stage.MAKING) as column:
            with _part("see"):
                plate, preview, seen, pose = (_html("", f"figure-{letter}") for letter in "abcd")
            with _part("say"):
                words, steps, notice = _html(""), _html(""), _html("")
                stop = _button(say("making.stop"), "plain")
        parts: dict[str, Any] = {"plate": plate, "preview": preview, "seen": seen, "pose": pose}
        return Making(column=column, notice=notice, **parts, words=words, steps=steps, stop=stop)

    def _result(self) -> Result:
        say = self._say
        with self._screen(Stage.RESULT) as column:
            with _part("see"):
                spoken = self._services.words.template("result.wiped")
                shown = portraits(say("result.which"), say("result.skin"), say("result.wipe"), spoken)
            with _part("say"):
                words, report = _html(""), _html("")
                with gr.Row(elem_classes=["machine"]):
                    machine, ask = _html(""), _button(say("result.ask"), "plain")
                show = tick(say("show.tick", h=self._services.show_hours))
                with gr.Column(elem_classes=["misfire"]):
                    misfire = tick(say("misfire.tick", h=self._services.show_hours))
                code = _html("")
                notice = _html("")
                with gr.Row(elem_classes=["acts"]):
                    guess, take = _button(say("result.vote"), "go"), _html("")
            quiet = self._foot(delete="result.delete", ladder="ladder.link", again="result.again")
            quiet["ladder"].visible = has_dial(self._services.generator.model_set)
        parts: dict[str, Any] = {
            "portraits": shown,
            "words": words,
            "report": report,
            "machine": machine,
            "ask": ask,
            "show": show,
            "misfire": misfire,
            "code": code,
            "guess": guess,
            "take": take,
        }
        return Result(column=column, notice=notice, quiet=quiet, **parts)

    def _ladder(self) -> Ladder:
        say = self._say
        with self._screen(Stage.LADDER, "result") as column:
            with _part("see"):
                spoken = self._services.words.template("result.wiped")
                shown = portraits(say("ladder.which"), "", say("result.wipe"), spoken)
            with _part("say"):
                _html(markup.heading(say("ladder.title"), say("ladder.lead")))
                steps, report = _html(""), _html("")
                with gr.Column(visible=False) as allow:
                    show = tick(say("ladder.tick", h=self._services.show_hours))
                code, notice = _html(""), _html("")
            quiet = self._foot(back="ladder.back")
        parts: dict[str, Any] = {"portraits": shown, "report": report, "steps": steps}
        parts |= {"allow": allow, "show": show, "code": code}
        return Ladder(column=column, notice=notice, quiet=quiet, **parts)

    def _vote(self) -> Vote:
        say = self._say
        with self._screen(Stage.VOTE, "card") as column:
            with _part("see"):
                picture = _html("")
            with _part("say"):
                words, notice = _html(""), _html("")
                with gr.Row(elem_classes=["answers"]) as answers:
                    buttons = {
                        Kind.PHOTOGRAPH: gr.Button(say("vote.photo"), elem_classes=["answer", "photo"]),
                        Kind.GENERATED: gr.Button(say("vote.ai"), elem_classes=["answer", "ai"]),
                    }
                following = _button(say("vote.next"), "plain")
            quiet = self._foot(stop="vote.stop")
        parts = {"picture": picture, "words": words, "answers": answers, "buttons": buttons}
        return Vote(column=column, notice=notice, quiet=quiet, **parts, next=following)

    def _goodbye(self) -> Goodbye:
        say = self._say
        with self._screen(Stage.GOODBYE) as column, _part("say"):
            words, notice = _html(""), _html("")
            done = _button(say("goodbye.done"), "go")
            tones = [Option(str(i), str(i), tone) for i, tone in enumerate(MONK, 1)]
            band, fair = choice("band", say("fair.ask"), tones, "", "swatches"), _html("")
            quiet = self._foot(back="goodbye.back", delete="result.delete")
        parts = {"words": words, "band": band, "fair": fair}
        return Goodbye(column=column, notice=notice, quiet=quiet, **parts, done=done)

    def _delete(self) -> Delete:
        say = self._say
        with self._screen(Stage.DELETE) as column, _part("say"):
            _html(markup.heading(say("delete.ask")))
            notice = _html("")
            yes, no = _button(say("delete.yes"), "go"), _button(say("delete.no"), "plain")
        return Delete(column=column, notice=notice, yes=yes, no=no)

    def _withdraw(self) -> Withdraw:
        say = self._say
        with self._screen(Stage.WITHDRAW) as column, _part("say"):
            _html(markup.heading(say("withdraw.title"), say("withdraw.lead")))
            code = gr.Textbox(label=say("withdraw.code"), max_length=40, elem_classes=["code"])
            notice = _html("")
            go, back = _button(say("withdraw.go"), "go"), _button(say("withdraw.back"), "plain")
        return Withdraw(column=column, notice=notice, code=code, go=go, back=back)

    @contextmanager
    def _screen(self, stage: Stage, *classes: str) -> Iterator[gr.Column]:
        with gr.Column(
            visible=stage == Stage.WELCOME, elem_classes=["screen", stage.value, *classes]
        ) as column:
            _html(self._bar(stage), "bar-part")
            yield column

    def _bar(self, stage: Stage) -> str:
        names = [self._say(f"step.{one.value}") for one in STEPS]
        stage = OF.get(stage, stage)
        if stage not in STEPS:
            return markup.bar("", names, None)
        step = STEPS.index(stage) + 1
        label = self._say("step.of", i=step, n=len(STEPS), name=names[step - 1])
        return markup.bar(label, names, step)

    def _foot(self, **keys: str) -> dict[str, gr.Button]:
        """Quiet ways out, by name."""
        with gr.Row(elem_classes=["foot"]):
            return {name: _button(self._say(key), "quiet") for name, key in keys.items()}

    def _times(self) -> list[tuple[str, str]]:
        """What happens to the pictures, and when."""
        say, services = self._say, self._services
        return [
            (say("consent.now"), say("consent.now_is")),
            (say("consent.making", s=services.line.usual_s), say("consent.making_is")),
            (say("consent.end", m=services.retention_minutes), say("consent.end_is")),
        ]

    def _moods(self) -> list[Option]:
        offered = self._services.generator.model_set.expressions
        moods = [
            Option(one.name, one.title) for one in self._services.expressions.values() if one.name in offered
        ]
        return [Option(AS_I_AM, self._say("look.as_i_am")), *moods]

    def _places(self) -> list[Option]:
        """Of the dial: those that differ, of the set as it was commissioned."""
        services = self._services
        places = services.generator.model_set.places(services.looks[default_look(services)].identity)
        return [Option(str(turns), self._say(f"dial.{PLACES[turns]}")) for turns in places]


def default_look(services: Services) -> str:
    """The look that is chosen at first."""
    return DEFAULT_LOOK if DEFAULT_LOOK in services.looks else next(iter(services.looks))


def _part(name: str) -> gr.Column:
    return gr.Column(elem_classes=[name])


def _html(value: str, *classes: str) -> gr.HTML:
    return gr.HTML(value, apply_default_css=False, js_on_load=None, elem_classes=list(classes))


def _button(words: str, classes: str) -> gr.Button:
    main = classes.startswith("go")
    return gr.Button(words, variant="primary" if main else "secondary", elem_classes=classes.split())


def _looks(services: Services) -> list[Option]:
    """Each look as a frame: its colours at once, a sample face in it as soon as that is drawn."""
    options = []
    for look in services.looks.values():
        shape = "to bottom" if look.backdrop.upright else "circle at 50% 35%"
        kind = "linear" if look.backdrop.upright else "radial"
        ground = f"{kind}-gradient({shape}, {look.backdrop.centre}, {look.backdrop.edge})"
        options.append(Option(look.name, look.title, f"url(looks/{look.name}.jpg) center/cover, {ground}"))
    return options

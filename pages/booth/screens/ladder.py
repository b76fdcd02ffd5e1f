"""Ladder: one finished portrait drawn again and again with ever less of its sitter.

It waits in the booth's line like a making, stops like one, and asks its own leave to be shown.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import gradio as gr

from booth.catalogue import STEPS
from booth.making import Ladder, Making, Portraits
from booth.prints import Printer
from booth.records import PictureId
from booth.take_home import Keepsake
from booth.visit import ScreenName, Visit
from errors import NoGpu, VisitorError
from pages import markup
from pages.booth.report import render_steps
from pages.booth.screen import Screen, Update, html, index_of, part, picture_url, print_of, take_url, urls_of
from pages.components.consent import TICKED, UNTICKED, is_ticked, tick
from pages.components.portraits import portraits
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator
from pipelines.ladder import RUNGS, Rung, ladder, share_left, strip
from pipelines.measure.likeness import Level
from pipelines.order import Order
from pipelines.selfie.photo import read_photo
from words import Say


class LadderScreen(Screen):
    """Photograph and one step to wipe between; what that step changed; the leave to show them."""

    name = ScreenName.LADDER
    style = ("result",)  # the same places

    def lay_out(self) -> None:
        """The pair, the steps, and the sheets."""
        hours = self.services.settings.show_hours
        with part("see"):
            self.portraits = self.spoken(lambda say: portraits(say, "ladder.which"))
        with part("say"):
            self.heading("ladder.title")
            self.steps, self.notice = html(""), html("")
            with gr.Row(elem_classes=["acts"], visible=False) as self.acts:
                self.take = html("")
            with gr.Row(elem_classes=["offers"]):
                self.changed = self.opener("changed", "likeness.title")
                self.stage = self.opener("stage", "show.title")
        with self.sheet("changed", "likeness.title"):
            self.report = html("")
        with self.sheet("stage", "show.title"):
            self.show, self.code = self.spoken(lambda say: tick(say("ladder.tick", h=hours))), html("")
        self.ways = self.foot(back="ladder.back", delete="result.delete")

    def fill(self, visit: Visit) -> Update:
        """As many steps as are drawn."""
        making, say, sharing = visit.making, self.say_to(visit), visit.sharing
        if making is None or making.portraits is None or making.ladder is None:
            return {}
        drawn, is_whole = making.ladder, making.has_whole_ladder
        shares = _shares(say, drawn)
        may_show = is_whole and not sharing.is_minor
        to_save = drawn.strip if self.services.take_home.has_files else None  # else it is on the phone's page
        return {
            self.portraits: _value(say, making.portraits, drawn, shares),
            self.report: render_steps(say, drawn.likeness, shares, drawn.recognised),
            self.steps: _end_note(say, sharing.is_minor) if is_whole else _progress(say, len(drawn.pictures)),
            self.acts: gr.Row(visible=to_save is not None),
            self.take: _take(say, to_save) if to_save else "",
            self.changed: gr.Button(visible=bool(drawn.pictures)),
            self.stage: gr.Button(visible=may_show),
            self.show: TICKED if sharing.stage_code and sharing.with_ladder else UNTICKED,
            self.code: self.withdrawal_code(visit) if is_whole and sharing.with_ladder else "",
        }

    def wire(self, page: gr.Blocks) -> None:
        """The leave to show it; ways out."""
        self.show.input(self.allow, [self.show, self.portraits], **self.at_once)
        self.ways["back"].click(self.go(ScreenName.RESULT), **self.at_once)
        self.ways["delete"].click(self.go(ScreenName.DELETE), **self.at_once)

    def wire_start(self, start: gr.Button, shown: gr.HTML) -> None:
        """Drawn like a making, from the result's button, about the portrait that is large there."""
        begun = start.click(self.begin, shown, **self.at_once, trigger_mode="multiple")
        begun.then(self.draw, None, **self.as_stream)

    # ---- events

    def begin(self, shown: str, request: gr.Request) -> Update:
        """Show the screen at once, whoever else is being served."""

        def step(visit: Visit) -> None:
            visit.finished_making().choose(index_of(shown))
            visit.start_ladder()

        return self.doing(step)(request)

    def draw(self, request: gr.Request) -> Iterator[Update]:
        """Wait for the machine, then step by step, until the ladder is whole or was left."""
        visit = self.booth.visit_of(request)
        making = visit.making
        if making is None or making.ladder is None or making.has_whole_ladder or not making.run.begin():
            yield {self.notice: gr.skip()}  # Gradio empties all outputs where nothing is yielded
            return
        run = making.run
        with (
            self.services.error_boundary.catch(visit.language) as failure,
            self.services.line.place(is_measured=False) as place,
        ):
            for sentence in self.wait(visit, run, place):
                yield {self.steps: sentence}
            try:
                yield from self._climb(visit, making, making.ladder)
            except NoGpu as error:  # another model's ladder would not be about this portrait
                raise VisitorError(error.key.replace("making.", "ladder.")) from error
        yield from self.end_run(visit, run, failure.sentence, ScreenName.RESULT, request)

    def allow(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter's leave for all that the portrait's own tick names, and the ladder; or its end."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            making = visit.making
            if making is None or not self._is_shown(making, shown):
                raise VisitorError("ladder.gone")
            if is_ticked(ticks):
                visit.allow_stage(with_ladder=True)
            else:
                visit.forbid_stage()
            return {self.code: self.withdrawal_code(visit)}

        return self.trying(visit, self.code, step)

    # ---- inside

    def _climb(self, visit: Visit, making: Making, drawn: Ladder) -> Iterator[Update]:
        services, run, prints = self.services, making.run, making.result()
        if run.is_stopped:
            return
        generator, order = self._order(prints, drawn.portrait)
        printer = Printer(services.signer, visit, order, generator)
        recognizer = services.recognizer if making.was_asked_about(drawn.portrait) else None
        images: list[Pixels] = []
        yield {self.steps: _progress(self.say_to(visit), 0)}
        shot = prints.shots[drawn.portrait]
        chain = ladder(
            visit.faces, order, services.finder, services.studio, generator, recognizer=recognizer, like=shot
        )
        with closing(chain) as events:
            for event in events:  # closing cancels the drawing within one step
                if run.is_stopped:
                    return
                if not isinstance(event, Rung):
                    continue
                images.append(event.portrait.image)
                said = answer_of(event) if recognizer else ""
                share = round(100 * share_left(event.order))
                drawn.add(visit.keep(printer.sign(event.portrait)), event.likeness, share, said)
                if len(images) == len(STEPS):
                    drawn.finish(self._keep_strip(visit, generator, prints, drawn, images))
                yield self.booth.show(visit)

    def _order(self, prints: Portraits, portrait: int) -> tuple[Generator, Order]:
        """What drew the portrait, and the same order with its own seed."""
        generator = self.services.fallback if prints.lacked else self.services.generator
        seed = prints.pairs[portrait].facts["seed"]
        if generator is None or not isinstance(seed, int):
            raise VisitorError("visit.over")
        return generator, replace(prints.order, seed=seed)

    def _keep_strip(
        self,
        visit: Visit,
        generator: Generator,
        prints: Portraits,
        drawn: Ladder,
        images: Sequence[Pixels],
    ) -> PictureId:
        """Photograph and all steps as one picture, to take home."""
        photograph = visit.album.get(prints.photographs[drawn.portrait])
        if photograph is None:
            raise VisitorError("visit.over")
        say = self.say_to(visit)
        first = (read_photo(photograph.jpeg).pixels, say("stage.photograph"))
        pictures = [first, *zip(images, _shares(say, drawn), strict=True)]
        sign = self.services.signer.sign
        return visit.keep(
            sign(strip(pictures), "from_plate", generator.model_set, format="JPEG"),
            Keepsake.LADDER.file_name(),
        )

    def _is_shown(self, making: Making, shown: str) -> bool:
        """Whether the page shows that ladder, whole, and not one that another page has replaced."""
        pictures = making.ladder.pictures if making.ladder else []
        return making.has_whole_ladder and urls_of(shown) == [picture_url(picture) for picture in pictures]


def _value(say: Say, prints: Portraits, drawn: Ladder, shares: Sequence[str]) -> str:
    photograph = print_of(prints.photographs[drawn.portrait], say("result.photo"))
    steps = [print_of(picture, share) for share, picture in zip(shares, drawn.pictures, strict=True)]
    return json.dumps({"photograph": photograph, "portraits": steps, "chosen": len(steps) - 1})


def _shares(say: Say, drawn: Ladder) -> list[str]:
    """How much of the photograph each step was given, in words."""
    return [say("ladder.left", p=share) for share in drawn.shares]


def _end_note(say: Say, is_minor: bool) -> str:
    why = markup.note(say("show.minor")) if is_minor else ""
    return markup.note(say("ladder.done")) + why


def _take(say: Say, strip: PictureId) -> str:
    """All steps as one file."""
    return str(markup.render("booth/take_one.html", address=take_url(strip), words=say("ladder.take")))


def _progress(say: Say, done: int) -> str:
    """What is going on, and how far it is."""
    label = say("ladder.step", i=min(done + 1, len(RUNGS)), n=len(RUNGS))
    steps = markup.steps(label, [float(index < done) for index in range(len(RUNGS))])
    return markup.lead(say("ladder.lead")) + steps


def answer_of(rung: Rung) -> str:
    """Whether a face-recognition program takes that step for the sitter: the word, never the number."""
    return (rung.recognition.level if rung.recognition else Level.NOT_MEASURED).value

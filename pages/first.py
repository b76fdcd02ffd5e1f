"""The first page: selfies and a look go in, portraits come out, and one question is asked about them.

What a visitor did is kept in their `Visit`; what goes wrong is told next to what failed. Pictures
travel as data URLs: Gradio's cache holds none, and no address can be guessed.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast

import gradio as gr

from errors import ChoiceError, VisitorError
from pages import markup
from pages.components.selfies import SelfieWords
from pages.components.selfies import markup as selfies_markup
from pages.desk import Desk
from pages.layout import AS_I_AM, MOST_VARIATIONS, Screens, lay_out
from pages.samples import sample
from pages.story import Story
from pages.telling import Told
from pages.visits import Asked, Run, Visit
from pipelines.photo import MAX_BYTES
from pipelines.sitting import MOST_SELFIES, Order, sit
from votes.schema import Count, Guess, Kind

Update = dict[Any, Any]  # component to what it becomes
Handler = Callable[[gr.Request], Update]

FEWEST_ANSWERS = 10  # below it a share says nothing
THUMBNAIL_PX = 240
TO_THE_TOP = "() => { window.scrollTo(0, 0); }"


def first_page(desk: Desk) -> gr.Blocks:
    """Lay out and wire."""
    page = gr.Blocks(title="Face Value", fill_width=True, analytics_enabled=False)
    with page:
        screens = lay_out(desk)
        wire(page, screens, Handlers(desk, screens))
    desk.visits.on_forget = lambda session: forget_outputs(page, session)
    return page


def forget_outputs(page: gr.Blocks, session: str) -> None:
    """Drop the outputs, pictures among them, that Gradio keeps of a session long after its tab."""
    if kept := getattr(page, "state_holder", None):  # from launch on
        kept.session_data.pop(session, None)
        kept.time_last_used.pop(session, None)


def wire(page: gr.Blocks, screens: Screens, does: "Handlers") -> None:
    """Who answers which event."""
    outputs = screens.components()
    quick: dict[str, Any] = {"outputs": outputs, "queue": False, "show_progress": "hidden"}
    page.load(does.welcome, **quick)
    page.unload(does.leave)

    start, making, result, question = screens.start, screens.making, screens.result, screens.question
    start.selfies.sent(does.photos_sent, **quick)
    start.selfies.cleared(does.photos_cleared, **quick)
    for name, button in start.samples.items():
        button.click(does.sample_chosen(name), **quick)
    start.count.change(does.count_chosen, start.count, **quick)

    # A generator can be cancelled and waits its turn; switching the screen must not wait.
    begun = start.make.click(does.begin, **quick, js=TO_THE_TOP, trigger_mode="multiple")
    begun.then(
        does.make,
        [start.look, start.expression, start.count],
        outputs,
        concurrency_id="machine",
        concurrency_limit=1,
        show_progress="hidden",
        trigger_mode="multiple",
    )
    making.stop.click(does.stop, **quick, js=TO_THE_TOP)
    result.guess.click(does.ask, **quick, js=TO_THE_TOP)
    for kind, button in question.buttons.items():
        button.click(does.answer(kind), **quick)
    for button in (result.again, question.again):
        button.click(does.again, **quick, js=TO_THE_TOP)


class Handlers:
    """What happens on each event; every one returns what changes on the page."""

    def __init__(self, desk: Desk, screens: Screens) -> None:
        self._desk = desk
        self._on = screens
        self._say = desk.words.say

    def welcome(self, request: gr.Request) -> Update:
        """A page was opened or reloaded: a new visit."""
        return {self._on.start.selfies: self._selfies(self._visit(request))}

    def leave(self, request: gr.Request) -> None:
        """The tab was closed: forget everything."""
        self._desk.visits.forget(request.session_hash)

    def photos_sent(self, request: gr.Request) -> Update:
        """Files went to `/selfies`: show what was taken, and why the others were not."""
        visit = self._visit(request)
        if not visit.photos and not visit.refused:  # they went to a visit that is over: this one is new
            visit.refuse(self._say("visit.over"))
        shown = self._selfies(visit)
        visit.refused = []
        return {self._on.start.selfies: shown, self._on.start.notice: ""}

    def photos_cleared(self, request: gr.Request) -> Update:
        """Other photos, please."""
        visit = self._visit(request)
        visit.clear()
        return {self._on.start.selfies: self._selfies(visit), self._on.start.notice: ""}

    def sample_chosen(self, name: str) -> Handler:
        """A sample face instead of one's own."""

        def choose(request: gr.Request) -> Update:
            visit = self._visit(request)
            with self._desk.teller.telling() as told:
                visit.clear()
                visit.add(sample(name))
                return {self._on.start.selfies: self._selfies(visit), self._on.start.notice: ""}
            return {self._on.start.notice: markup.notice(told.sentence)}

        return choose

    def count_chosen(self, count: str) -> Update:
        """The main button names the number."""
        with self._desk.teller.telling() as told:
            n = _number(count)
            return {self._on.start.make: gr.Button(self._say("look.go_one" if n == 1 else "look.go", n=n))}
        return {self._on.start.notice: markup.notice(told.sentence)}

    def begin(self, request: gr.Request) -> Update:
        """Show the making screen at once, whoever else is being served."""
        visit = self._visit(request)
        if not visit.photos:
            visit.stop_run()
            return {self._on.start.notice: markup.notice(self._say("camera.missing"))}
        visit.start_run()
        before = markup.status(self._say("making.before")) if self._desk.visits.busy(visit) else ""
        making = self._on.making
        return {self._on.start.notice: "", making.steps: before, **self._on.show(making)}

    def make(self, look: str, expression: str, count: str, request: gr.Request) -> Iterator[Update]:
        """The sitting, event by event, until it is done or stopped."""
        visit = self._visit(request)
        run = visit.run
        if run is None:  # begun by a visit that was forgotten while it waited
            yield self._over(visit)
            return
        if run.begun or run.stop.is_set():
            yield {self._on.start.notice: gr.skip()}  # Gradio empties all outputs where nothing is yielded
            return
        run.begun = True
        try:
            with self._desk.teller.telling() as told:
                yield from self._sitting(visit, run, self._order(look, expression, count))
        finally:
            run.ended = True
            visit.touch()
        if visit.gone:
            yield self._over(self._visit(request))
        elif told.sentence and not run.stop.is_set():
            yield self._failed(visit, told)

    def stop(self, request: gr.Request) -> Update:
        """End the making within one step; the photos stay."""
        self._visit(request).stop_run()
        stopped = markup.notice(self._say("making.stopped"))
        return {self._on.start.notice: stopped, **self._on.show(self._on.start)}

    def again(self, request: gr.Request) -> Update:
        """Back to the choices, with the same photos."""
        visit = self._visit(request)
        back = self._on.show(self._on.start)
        return {self._on.start.selfies: self._selfies(visit), self._on.start.notice: "", **back}

    def ask(self, request: gr.Request) -> Update:
        """One picture of the sitting, and nothing on the page that tells which."""
        visit = self._visit(request)
        with self._desk.teller.telling() as told:
            if visit.made is None:
                raise VisitorError("visit.over")
            truth = secrets.choice(list(Kind))
            shown = (
                visit.made.photograph if truth == Kind.PHOTOGRAPH else secrets.choice(visit.made.generated)
            )
            visit.asked = Asked(self._desk.store.ask(visit.made.item(truth)), time.monotonic())
            return {
                **self._on.show(self._on.question),
                self._on.question.picture: markup.asked(markup.data_url(shown), self._say("vote.alt")),
                self._on.question.words: markup.heading(self._say("vote.question")),
                self._on.question.answers: gr.Row(visible=True),
                self._on.question.again: gr.Button(visible=False),
            }
        return {self._on.result.notice: markup.notice(told.sentence)}

    def answer(self, kind: Kind) -> Handler:
        """Keep the answer, then tell the truth. A second tap changes nothing."""

        def record(request: gr.Request) -> Update:
            visit = self._visit(request)
            with self._desk.teller.telling() as told:
                if visit.asked is None:
                    raise VisitorError("vote.gone")
                seconds = time.monotonic() - visit.asked.since
                guess = Guess(visit.asked.round.id, visit.voter, kind, True, seconds, datetime.now(UTC))
                standing = self._desk.store.record(guess)
                return {
                    self._on.question.words: self._truth(visit.asked, standing),
                    self._on.question.answers: gr.Row(visible=False),
                    self._on.question.again: gr.Button(visible=True),
                }
            return {
                self._on.question.words: markup.notice(told.sentence),
                self._on.question.answers: gr.Row(visible=False),
                self._on.question.again: gr.Button(visible=True),
            }

        return record

    def _visit(self, request: gr.Request) -> Visit:
        return self._desk.visits.of(request.session_hash)

    def _sitting(self, visit: Visit, run: Run, order: Order) -> Iterator[Update]:
        desk, story = self._desk, Story(self._desk, self._on.making, order)
        yield story.opening()
        events = sit(tuple(visit.photos), order, desk.finder, desk.studio, desk.generator)
        with closing(cast(Any, events)):  # closing cancels the drawing within one step
            for event in events:
                visit.touch()
                if run.stop.is_set():
                    return
                if update := story.update(event):
                    yield update
        visit.made = story.made()
        yield {**self._on.show(self._on.result), self._on.result.sheet: story.result()}

    def _order(self, look: str, expression: str, count: str) -> Order:
        """What the page asked for; the browser's word is looked up, never used."""
        chosen = self._desk.looks.get(str(look))
        mood = self._desk.expressions.get(str(expression))
        if chosen is None or (mood is None and expression != AS_I_AM):
            raise ChoiceError("A page asked for a look or an expression that it does not offer.")
        return Order(chosen, mood, _number(count), seed=secrets.randbelow(2**31))

    def _over(self, visit: Visit) -> Update:
        """What was being made is forgotten: begin again, with the new visit."""
        told = markup.notice(self._say("visit.over"))
        back = self._on.show(self._on.start)
        return {self._on.start.selfies: self._selfies(visit), self._on.start.notice: told, **back}

    def _failed(self, visit: Visit, told: Told) -> Update:
        back = self._on.show(self._on.start)
        if told.about_photo:
            visit.refuse(told.sentence)
            shown = self._selfies(visit)
            visit.refused = []
            return {self._on.start.selfies: shown, **back}
        return {self._on.start.notice: markup.notice(told.sentence), **back}

    def _selfies(self, visit: Visit) -> str:
        say = self._say
        words = SelfieWords(
            upload=say("camera.upload"),
            more=say("camera.add"),
            clear=say("camera.clear"),
            sending=say("camera.sending"),
            lost=say("camera.lost"),
            picture=self._desk.words.tables["en"]["camera.selfie"],
        )
        pictures = [markup.data_url(photo.pixels, THUMBNAIL_PX) for photo in visit.photos]
        return selfies_markup(visit.ticket, pictures, visit.refused, words, MAX_BYTES, MOST_SELFIES)

    def _truth(self, asked: Asked, guess: Guess) -> str:
        say, truth = self._say, asked.round.item.truth
        said = {Kind.PHOTOGRAPH: say("vote.said_photo"), Kind.GENERATED: say("vote.said_ai")}
        if guess.answer == truth:
            sentence = say("vote.right", x=said[truth])
        else:
            sentence = say("vote.wrong_photo" if truth == Kind.PHOTOGRAPH else "vote.wrong_ai")
        count = self._count(self._desk.store.count(asked.round.id))
        return markup.truth(
            truth.value, say("vote.photo" if truth == Kind.PHOTOGRAPH else "vote.ai"), sentence
        ) + markup.note(f"{count}. {say('vote.exposed')}")

    def _count(self, count: Count) -> str:
        if count.answers == 1:
            return self._say("vote.one")
        if count.answers < FEWEST_ANSWERS:
            return self._say("vote.few", n=count.answers)
        share = round(100 * count.photograph / count.answers)
        return f"{self._say('vote.photo')}: {self._say('vote.share', p=share, n=count.answers)}"


def _number(count: str) -> int:
    """How many portraits. Raises `ChoiceError` for what the page does not offer."""
    offered = {str(n): n for n in range(1, MOST_VARIATIONS + 1)}
    if not isinstance(count, str) or count not in offered:  # a forged one may be of any type
        raise ChoiceError("A page asked for a number of portraits that it does not offer.")
    return offered[count]

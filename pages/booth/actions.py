"""What happens on each event: something is done to the visit, then the page shows where it is.

The browser's word is looked up or refused, never used: it names no file and no visit.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from statistics import fmean

import gradio as gr

from booth.catalogue import keep_misfire
from booth.quiz import Question, Quiz, line_up
from booth.visit import Made, Run, Stage, Visit
from errors import ChoiceError, NoCard, PhotoError, VisitorError
from pages import markup
from pages.booth.climbing import allow_show, chosen_of, visit_of, waiting
from pages.booth.dial import MIDDLE, dialled, start_of, turns_of
from pages.booth.layout import AS_I_AM, COUNTS, MONK
from pages.booth.report import misfired
from pages.booth.screens import Screens
from pages.booth.story import Story
from pages.booth.views import Update, Views
from pages.components.consent import UNTICKED, ticked
from pipelines.draw.generate import Generator
from pipelines.selfie.photo import read_photo
from pipelines.sitting import Order, find_faces, sit, within
from services import Services
from votes.schema import Drift, Kind

Handler = Callable[[gr.Request], Update]
LAST_SEED = 2**31
BANDS = tuple(str(i + 1) for i in range(len(MONK)))
DICE = secrets.SystemRandom()


class Actions:
    """Every handler of the booth."""

    def __init__(self, services: Services, screens: Screens) -> None:
        self._services = services
        self._on = screens
        self._views = Views(services, screens)

    # ---- coming and going

    def open(self, request: gr.Request) -> Update:
        """A page was opened or reloaded: a new visit, or the one that it left."""
        visit = self._visit(request)
        if visit.stage == Stage.WELCOME:  # it is shown already; a late answer must not undo an early tap
            return {self._on.welcome.notice: ""}
        if visit.stage == Stage.MAKING:  # the reload ended the making
            visit.stop_run()
            visit.go(Stage.LOOK)
            return self._views.show(visit, self._services.say("making.stopped"))
        if visit.stage == Stage.LADDER and not (visit.climb and visit.climb.strip):
            visit.stop_run()
            visit.go(Stage.RESULT)
        return self._views.show(visit)

    def close(self, request: gr.Request) -> None:
        """The tab was closed, or is being reloaded."""
        self._services.visits.close_page(request.session_hash)

    def go(self, stage: Stage) -> Handler:
        """To another screen."""

        def step(visit: Visit) -> None:
            visit.stop_run()
            visit.go(stage)

        return self._doing(step)

    def leave(self, request: gr.Request) -> Update:
        """Done, start over, or nobody is there any more: the next person is a new visit."""
        self._services.visits.end(self._visit(request))
        return self._views.show(self._visit(request))

    def delete(self, request: gr.Request) -> Update:
        """Everything of this visitor goes at once."""

        def step(visit: Visit) -> None:
            visit.wipe()
            self._services.store.forget_drift(visit.sitter)
            visit.go(Stage.GOODBYE)

        return self._doing(step)(request)

    def keep(self, request: gr.Request) -> Update:
        """Not deleted: back to where the question came from."""
        return self._doing(lambda visit: visit.go(visit.before))(request)

    def withdraw(self, code: str, request: gr.Request) -> Update:
        """A code takes a portrait back, whoever holds it."""
        found = self._services.album.withdraw(str(code)[:100])
        visit = self._visit(request)
        if found:
            visit.stage = Stage.WELCOME
        return self._views.show(visit, self._services.say("withdraw.done" if found else "withdraw.unknown"))

    # ---- before the portraits

    def consent(self, ticks: str, request: gr.Request) -> Update:
        """The visitor's own tick; without it no picture is taken."""

        def step(visit: Visit) -> None:
            visit.consent(ticked(ticks))
            visit.go(Stage.CAMERA)

        return self._doing(step)(request)

    def photos_taken(self, request: gr.Request) -> Update:
        """On to the looks, with at least one photo."""

        def step(visit: Visit) -> None:
            if not visit.selfies:
                raise VisitorError("camera.missing")
            visit.go(Stage.LOOK)

        return self._doing(step)(request)

    def dial_turned(self, place: str, request: gr.Request) -> Update:
        """Kept with the visit, and told in one sentence."""
        visit = self._visit(request)
        with self._services.errors_shown.shown() as told:
            visit.turns = turns_of(place)
            return {self._on.look.told: self._views.place(visit)}  # the dial may be elsewhere by now
        return {self._on.look.notice: markup.notice(told.sentence)}

    def count_chosen(self, count: str) -> Update:
        """The main button names the number."""
        with self._services.errors_shown.shown() as told:
            n = _number(count)
            label = self._services.say("look.go_one" if n == 1 else "look.go", n=n)
            return {self._on.look.go: gr.Button(label)}
        return {self._on.look.notice: markup.notice(told.sentence)}

    # ---- the making

    def begin(self, request: gr.Request) -> Update:
        """Show the making screen at once, whoever else is being served."""

        def step(visit: Visit) -> None:
            visit.start_run()
            visit.go(Stage.MAKING)

        return self._doing(step)(request)

    def make(
        self, look: str, expression: str, count: str, place: str, request: gr.Request
    ) -> Iterator[Update]:
        """Wait for the machine, then the sitting, event by event, until it is done or stopped."""
        visit = self._visit(request)
        run = visit.run
        if run is None or run.begun or run.stop.is_set():
            yield {self._on.look.notice: gr.skip()}  # Gradio empties all outputs where nothing is yielded
            return
        run.begun = True
        with self._services.errors_shown.shown() as told:
            visit.turns = turns_of(place)
            order = self._order(look, expression, count, visit)
            with self._services.line.place() as mine:
                for sentence in waiting(self._services, run, mine):
                    yield {self._on.making.steps: sentence}
                if not run.stop.is_set():
                    yield from self._sitting(visit, run, order)
        if visit.gone or not visit.consented:
            yield self._views.show(self._visit(request), self._services.say("visit.over"))
        elif told.sentence and not run.stop.is_set():
            visit.go(Stage.LOOK)
            yield self._views.show(visit, told.sentence)
        elif run.stop.is_set():
            yield {self._on.look.notice: gr.skip()}

    def stop(self, request: gr.Request) -> Update:
        """End the making within one step; the photos stay."""
        visit = self._visit(request)
        visit.stop_run()
        if visit.stage == Stage.MAKING:
            visit.go(Stage.LOOK)
        return self._views.show(visit, self._services.say("making.stopped"))

    # ---- after it

    def allow_show(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter has seen the portrait: may the room? Unticking takes it back."""
        visit, say = self._visit(request), self._services.say
        with self._services.errors_shown.shown() as told:
            if visit.made is None or visit.sitting is None:
                raise VisitorError("visit.over")
            if ticked(ticks):
                allow_show(self._services, visit, chosen_of(shown, len(visit.made.portraits)))
            else:
                visit.forbid_show()
            return {self._on.result.code: self._views.code(visit), self._on.result.notice: ""}
        return {self._on.result.notice: markup.notice(told.sentence or say("visit.over"))}

    def allow_misfire(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter's leave to hang a portrait that went wrong on the speaker's wall, or its end."""
        visit, on = self._visit(request), self._on.result
        with self._services.errors_shown.shown() as told:
            if visit.made is None or visit.sitting is None:
                raise VisitorError("visit.over")
            visit.forbid_misfire()
            if ticked(ticks):
                self._keep_misfire(visit, visit.made, chosen_of(shown, len(visit.made.portraits)))
            return {on.code: self._views.code(visit), on.notice: ""}
        return {on.notice: markup.notice(told.sentence or self._services.say("visit.over"))}

    def _keep_misfire(self, visit: Visit, made: Made, chosen: int) -> None:
        changed = misfired(made.likeness[chosen])
        both = {Kind.PHOTOGRAPH: made.photographs[chosen], Kind.GENERATED: made.portraits[chosen]}
        kept = {kind: found.jpeg for kind, one in both.items() if (found := visit.album.get(one))}
        if not changed or len(kept) < len(both):
            raise ChoiceError("A page asked for the wall with a portrait that is none for it.")
        visit.misfire, visit.misfire_code = keep_misfire(
            visit.album, kept, made.shows[chosen], changed, visit.code
        )

    def ask_machine(self, shown: str, request: gr.Request) -> Update:
        """The visitor's own tap: whether a face-recognition program takes the large portrait for them."""
        visit, services = self._visit(request), self._services
        with services.errors_shown.shown() as told:
            if visit.made is None:
                raise VisitorError("visit.over")
            chosen = chosen_of(shown, len(visit.made.portraits))
            kept = visit.album.get(visit.made.portraits[chosen])
            if kept is None:
                raise VisitorError("visit.over")
            key = "likeness.recognition_unseen"
            with suppress(PhotoError):
                selfies = [services.finder.find(selfie.photo) for selfie in visit.selfies]
                answer = services.recognizer.answer(selfies, services.finder.find(read_photo(kept.jpeg)))
                key = answer.key
                if answer.value is not None:
                    visit.recognised[chosen] = answer.level.value  # the word, never the number
            said = f"{services.say(key)} {services.say('result.machine_shown')}"
            return {self._on.result.machine: markup.status(said), self._on.result.notice: ""}
        return {self._on.result.notice: markup.notice(told.sentence or services.say("visit.over"))}

    def choose_another(self, shown: str, request: gr.Request) -> Update:
        """Another portrait is large: leave to show one is no leave to show the next."""
        visit, on = self._visit(request), self._on.result
        with self._services.errors_shown.shown():
            visit.chosen = chosen_of(shown, len(visit.made.portraits) if visit.made else 0)
        unasked = markup.note(self._services.say("result.machine"))  # the answer was about the other one
        if not visit.sitting or not (visit.code or visit.misfire):
            return {on.notice: "", on.machine: unasked}
        visit.forbid_show()
        visit.forbid_misfire()
        again = markup.status(self._services.say("show.again"))
        unticked = {on.show: UNTICKED, on.misfire: UNTICKED}
        return {**unticked, on.code: "", on.notice: again, on.machine: unasked}

    def answer(self, kind: Kind) -> Handler:
        """Keep the answer, then tell the truth. A second tap changes nothing."""

        def step(visit: Visit) -> None:
            if visit.quiz is None or visit.stage != Stage.VOTE:
                raise VisitorError("vote.gone")
            visit.quiz.answer(kind)

        return self._doing(step)

    def next(self, request: gr.Request) -> Update:
        """The next picture, or goodbye after the last."""

        def step(visit: Visit) -> None:
            if visit.quiz is None or not visit.quiz.go_on():
                visit.go(Stage.GOODBYE)

        return self._doing(step)(request)

    def tell_band(self, band: str, request: gr.Request) -> Update:
        """The visitor's own tap on a skin tone: kept with how much was changed, for the event's fairness."""
        visit, services = self._visit(request), self._services
        with services.errors_shown.shown() as told:
            if visit.made is None:
                raise VisitorError("visit.over")
            tone = int(band) if str(band) in BANDS else 0
            if not tone:
                raise ChoiceError("A page told a skin tone that it does not offer.")
            event = services.board.room.now().setting.event
            services.store.keep_drift(drift_of(visit.made, visit.sitter, tone, event))
            visit.band = tone
            return {**self._views.fair(visit), self._on.goodbye.notice: ""}
        return {self._on.goodbye.notice: markup.notice(told.sentence or services.say("visit.over"))}

    # ---- inside

    def _visit(self, request: gr.Request) -> Visit:
        return visit_of(self._services, request)

    def _doing(self, step: Callable[[Visit], None]) -> Handler:
        """Do it to the visit, then show where the visit is; what fails is told there."""

        def handle(request: gr.Request) -> Update:
            visit = self._visit(request)
            with self._services.errors_shown.shown() as told:
                step(visit)
                return self._views.show(visit)
            return self._views.show(visit, told.sentence)

        return handle

    def _sitting(self, visit: Visit, run: Run, order: Order) -> Iterator[Update]:
        """With the generator; where it is lent no GPU, with the one that needs none."""
        try:
            yield from self._drawn_by(self._services.generator, visit, run, order)
        except NoCard as lacking:
            if self._services.fallback is None:
                raise
            say, fallback = self._services.say, self._services.fallback
            photos = [selfie.photo for selfie in visit.selfies]
            less = within(order, find_faces(photos, self._services.finder), fallback.model_set)
            turns = visit.turns if fallback.model_set.dial else MIDDLE
            start = start_of(self._services, visit, fallback.model_set)
            less = dialled(less, turns, fallback.model_set, start)
            dropped = [say("making.plain")] if order.expression and not less.expression else []
            told = " ".join([say(lacking.key), *dropped])
            yield {self._on.making.notice: markup.status(told)}
            yield from self._drawn_by(fallback, visit, run, less, lacking.key)

    def _drawn_by(
        self, generator: Generator, visit: Visit, run: Run, order: Order, lacked: str = ""
    ) -> Iterator[Update]:
        services = self._services
        story = Story(services, self._on.making, visit, order, generator)
        yield story.opening()
        photos = tuple(selfie.photo for selfie in visit.selfies)
        with closing(sit(photos, order, services.finder, services.studio, generator)) as events:
            for event in events:  # closing cancels the drawing within one step
                if run.stop.is_set():
                    return
                if update := story.update(event):
                    yield update
        if run.stop.is_set():
            return
        made, own = story.made()
        visit.made = replace(made, lacked=lacked)
        questions = self._questions(order.look.name, any(one.sample for one in visit.selfies), own)
        visit.quiz = Quiz(questions, services.store, visit.voter, visit.keep)
        visit.go(Stage.RESULT)
        yield self._views.show(visit)

    def _order(self, look: str, expression: str, count: str, visit: Visit) -> Order:
        """What the page asked for. Raises `ChoiceError` for what it does not offer."""
        services = self._services
        offered = services.generator.model_set.expressions
        chosen = services.looks.get(str(look))
        mood = services.expressions.get(str(expression)) if expression in offered else None
        if chosen is None or (mood is None and expression != AS_I_AM):
            raise ChoiceError("A page asked for a look or an expression that it does not offer.")
        order = Order(chosen, mood, _number(count), secrets.randbelow(LAST_SEED))
        model_set = services.generator.model_set
        return dialled(order, visit.turns, model_set, start_of(services, visit, model_set))

    def _questions(
        self, look: str, on_sample: bool, own: Sequence[dict[Kind, Question]]
    ) -> tuple[Question, ...]:
        """The deck in an order of its own, one of the visitor's pictures among it.

        Who sat with a sample face has seen the deck's sitters in that look: these count as exposed too.
        """
        deck = self._services.deck
        drawn = [
            Question(card.item, partial(deck.jpeg, card), on_sample and card.item.look == look, card.credit)
            for card in deck.draw(DICE)
        ]
        return line_up(drawn, DICE.choice(list(DICE.choice(own).values())), DICE)


def drift_of(made: Made, sitter: str, band: int, event: str) -> Drift:
    """What all portraits of a sitting changed, as means, with the skin tone that the sitter told."""
    reports = [one.measures for one in made.likeness if one]
    values = {
        name: [found.value for one in reports if (found := one[name]).value is not None]
        for name in (reports[0] if reports else ())
    }
    means = {name: fmean(some) for name, some in values.items() if some}
    item = made.shows[0].items[Kind.GENERATED]
    return Drift(sitter, band, made.look, item.model_set, item.rehearsal, means, event)


def _number(count: str) -> int:
    """How many portraits. Raises `ChoiceError` for what the page does not offer."""
    offered = {str(n): n for n in COUNTS}
    if not isinstance(count, str) or count not in offered:  # a forged one may be of any type
        raise ChoiceError("A page asked for a number of portraits that it does not offer.")
    return offered[count]

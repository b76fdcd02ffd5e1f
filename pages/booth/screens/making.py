"""Making: photograph, portrait in the making, what the machine sees, what it keeps; progress and Stop."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import gradio as gr

from booth.making import Making
from booth.prints import Printer
from booth.quiz import Question, Quiz, question_order
from booth.visit import ScreenName, Visit
from errors import NoGpu
from pages import markup
from pages.booth.dial import MIDDLE, making_words, order_at, start_of
from pages.booth.screen import Screen, Update, html, part
from pages.booth.story import Story
from pipelines.draw.generate import Generator
from pipelines.order import Order, within
from pipelines.sitting import sit
from votes.schema import Kind

DICE = secrets.SystemRandom()


class MakingScreen(Screen):
    """What the visitor watches while portraits are drawn. The look screen says what is asked for."""

    name = ScreenName.MAKING

    def lay_out(self) -> None:
        """Four frames, then words and Stop."""
        with part("see"):
            self.plate, self.preview = html("", "figure-a"), html("", "figure-b")
            self.mesh, self.pose = html("", "figure-c"), html("", "figure-d")
        with part("say"):
            self.words, self.steps, self.notice = html(""), html(""), html("")
            self.stop_button = self.button("making.stop", "plain")

    def fill(self, visit: Visit) -> Update:
        """What will be done, before anything is."""
        model_set = self.services.generator.model_set
        return {
            self.words: markup.heading(
                *making_words(self.say_to(visit), model_set, start_of(self.services, visit, model_set))
            )
        }

    def wire(self, page: gr.Blocks) -> None:
        """Stop."""
        self.stop_button.click(self.stop, **self.at_once)

    def begin(self, request: gr.Request) -> Update:
        """Show the screen at once, whoever else is being served."""

        def step(visit: Visit) -> None:
            visit.start_making()
            visit.go(ScreenName.MAKING)

        return self.doing(step)(request)

    def draw(self, ask: partial[Order], request: gr.Request) -> Iterator[Update]:
        """Wait for the machine, then the sitting, event by event, until it is done or stopped.

        `ask` makes the order from the visit; it raises `ChoiceError` for what the page does not offer.
        """
        visit = self.booth.visit_of(request)
        making = visit.making
        if making is None or not making.run.begin():
            yield {self.notice: gr.skip()}  # Gradio empties all outputs where nothing is yielded
            return
        with self.services.error_boundary.catch(visit.language) as failure:
            order = ask(visit)
            with self.services.line.place() as place:
                for sentence in self.wait(visit, making.run, place):
                    yield {self.steps: sentence}
                if not making.run.is_stopped:
                    yield from self._sit(visit, making, order)
        yield from self.end_run(visit, making.run, failure.sentence, ScreenName.LOOK, request)

    def stop(self, request: gr.Request) -> Update:
        """End the making within one step; the photos stay."""
        visit = self.booth.visit_of(request)
        visit.stop()
        if visit.screen == ScreenName.MAKING:
            visit.go(ScreenName.LOOK)
        return self.booth.show(visit, self.say_to(visit)("making.stopped"))

    def _sit(self, visit: Visit, making: Making, order: Order) -> Iterator[Update]:
        """With the generator; where it is lent no GPU, with the one that needs none."""
        services = self.services
        try:
            yield from self._sit_with(services.generator, visit, making, order)
        except NoGpu as lacking:
            if services.fallback is None:
                raise
            less = self._order_of(services.fallback, visit, order)
            say = self.say_to(visit)
            dropped = [say("making.plain")] if order.expression and not less.expression else []
            yield {self.notice: markup.status(" ".join([say(lacking.key), *dropped]))}
            yield from self._sit_with(services.fallback, visit, making, less, lacking.key)

    def _order_of(self, generator: Generator, visit: Visit, order: Order) -> Order:
        """The same order, as far as another set can draw it."""
        model_set = generator.model_set
        less = within(order, visit.faces, model_set)
        turns = visit.dial.turns if model_set.dial else MIDDLE
        return order_at(less, turns, model_set, start_of(self.services, visit, model_set))

    def _sit_with(
        self, generator: Generator, visit: Visit, making: Making, order: Order, lacked: str = ""
    ) -> Iterator[Update]:
        services = self.services
        printer = Printer(services.signer, visit, order, generator)
        story = Story(services, self, self.say_to(visit), order, generator, printer)
        yield dict(story.open())
        with closing(sit(visit.faces, order, services.finder, services.studio, generator)) as events:
            for event in events:  # closing cancels the drawing within one step
                if making.run.is_stopped:
                    return
                if update := story.tell(event):
                    yield dict(update)
        if making.run.is_stopped:
            return
        portraits, own = printer.print_all(story.portraits, story.traces, lacked)
        on_sample = any(selfie.is_sample for selfie in visit.selfies)
        questions = self._questions(order.look.name, on_sample, own)
        making.finish(portraits, Quiz(questions, services.store, visit.voter, visit.keep))
        visit.go(ScreenName.RESULT)
        yield self.booth.show(visit)

    def _questions(
        self, look: str, on_sample: bool, own: Sequence[dict[Kind, Question]]
    ) -> tuple[Question, ...]:
        """The deck in an order of its own, one of the visitor's pictures among it.

        Who sat with a sample face has seen the deck's sitters in that look: these count as exposed too.
        """
        deck = self.services.deck
        drawn = [
            Question(card.item, partial(deck.jpeg, card), on_sample and card.item.look == look, card.credit)
            for card in deck.shuffle_cards(DICE)
        ]
        return question_order(drawn, DICE.choice(list(DICE.choice(own).values())), DICE)

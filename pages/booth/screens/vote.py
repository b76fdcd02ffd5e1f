"""Vote: one picture on the grey card, two answers of equal weight, then the truth."""

import gradio as gr

from booth.quiz import Presentation
from booth.visit import ScreenName, Visit
from errors import VisitorError
from pages import markup
from pages.booth.screen import Handler, Screen, Update, html, part, picture_url
from pages.charts import KIND_KEYS, count_in_words, split_chart
from votes.schema import Kind
from votes.tally import Tally
from words import Say

SAID = {Kind.PHOTOGRAPH: "vote.said_photo", Kind.GENERATED: "vote.said_ai"}
WRONG = {Kind.PHOTOGRAPH: "vote.wrong_photo", Kind.GENERATED: "vote.wrong_ai"}  # by what it was


class VoteScreen(Screen):
    """The deck, and one of the visitor's own pictures among it."""

    name = ScreenName.VOTE
    style = ("card",)

    def lay_out(self) -> None:
        """Picture, question, answers."""
        with part("see"):
            self.picture = html("")
        with part("say"):
            self.words, self.notice = html(""), html("")
            with gr.Row(elem_classes=["answers"]) as self.answers:
                self.buttons = {
                    Kind.PHOTOGRAPH: self.button("vote.photo", "answer photo"),
                    Kind.GENERATED: self.button("vote.ai", "answer ai"),
                }
            self.next_button = self.button("vote.next", "plain")
        self.ways = self.foot(stop="vote.stop")

    def fill(self, visit: Visit) -> Update:
        """The question that stands, or its truth."""
        quiz, say = visit.quiz, self.say_to(visit)
        if quiz is None:
            return {}
        asked = quiz.current()
        is_open = asked.guess is None
        alt = say("vote.alt") if is_open else say(f"vote.alt_{asked.question.item.truth.value}")
        nth = markup.note(say("vote.nth", i=quiz.position, n=quiz.total))
        following = "vote.finish" if quiz.position == quiz.total else "vote.next"
        return {
            self.picture: markup.exhibit(picture_url(asked.picture), alt),
            self.words: nth + markup.heading(say("vote.question")) if is_open else self._truth(say, asked),
            self.answers: gr.Row(visible=is_open),
            self.next_button: gr.Button(say(following), visible=not is_open),
        }

    def wire(self, page: gr.Blocks) -> None:
        """Two answers, then on."""
        for kind in Kind:
            self.buttons[kind].click(self.answer(kind), **self.at_once)
        self.next_button.click(self.next, **self.at_once)
        self.ways["stop"].click(self.go(ScreenName.GOODBYE), **self.at_once)

    def answer(self, kind: Kind) -> Handler:
        """Keep the answer, then tell the truth. A second tap changes nothing."""

        def step(visit: Visit) -> None:
            quiz = visit.quiz
            if quiz is None or visit.screen != ScreenName.VOTE:
                raise VisitorError("vote.gone")
            quiz.answer(kind)

        return self.doing(step)

    def next(self, request: gr.Request) -> Update:
        """The next picture, or goodbye after the last."""

        def step(visit: Visit) -> None:
            quiz = visit.quiz
            if quiz is None or not quiz.advance():
                visit.go(ScreenName.GOODBYE)

        return self.doing(step)(request)

    def _truth(self, say: Say, asked: Presentation) -> str:
        truth, guess = asked.question.item.truth, asked.guess
        if guess is None:
            return ""
        is_right = guess.answer == truth
        sentence = say("vote.right", x=say(SAID[truth])) if is_right else say(WRONG[truth])
        shown = markup.truth(truth.value, say(KIND_KEYS[truth]), sentence)
        shown += markup.note(say("vote.exposed")) if guess.exposed else self._bars(say, asked)
        return shown + (markup.note(asked.question.credit) if asked.question.credit else "")

    def _bars(self, say: Say, asked: Presentation) -> str:
        """How everyone answered who had not seen the making."""
        tally = Tally(self.services.store.count(asked.round.id, exposed=False))
        if tally.too_few:
            return markup.note(count_in_words(say, tally.count))
        return split_chart(say, say("vote.all"), tally)

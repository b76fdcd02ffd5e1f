"""Result: the photograph and one portrait, as large as can be, to wipe between; all else is one tap away.

Below the pair stand the other portraits, one sentence on what changed, *Guess with everyone* and *Take home*.
Each sheet has one thing to look at or to decide.
"""

import json
from collections.abc import Iterator

import gradio as gr

from booth.making import Making, Portraits
from booth.visit import ScreenName, Visit
from errors import ChoiceError, PhotoError, VisitorError
from pages import markup
from pages.booth.report import find_clear_changes, render_headlines, render_reports
from pages.booth.screen import Screen, Update, html, index_of, part, picture_url, print_of
from pages.booth.take import TakeSheet
from pages.components.consent import TICKED, UNTICKED, is_ticked, tick
from pages.components.portraits import portraits, skin_toggle
from pipelines.ladder import has_dial
from pipelines.measure.headline import bridge
from pipelines.selfie.photo import read_photo
from votes.schema import Kind
from words import Say


class ResultScreen(Screen):
    """What came out."""

    name = ScreenName.RESULT

    def lay_out(self) -> None:
        """The pair, what follows, and the sheets."""
        with part("see"):
            self.portraits = self.spoken(lambda say: portraits(say, "result.which"))
        with part("say"):
            self.words, self.notice = html("", "headline"), html("")
            with gr.Row(elem_classes=["acts"]):
                self.guess = self.button("result.vote", "go")
                self.take = self.opener("take", "take.title", "plain")
            with gr.Row(elem_classes=["offers"]):
                self.changed = self.opener("changed", "likeness.title")
                self.ask_about = self.opener("program", "result.program")
                self.stage = self.opener("stage", "show.title")
                self.tone = self.opener("tone", "result.tone", "offer needs-tone")
                self.wall = self.opener("wall", "wall.title", "offer needs-misfire")
                self.ladder = self.button("ladder.link", "offer")
        self._lay_out_sheets()
        self.ways = self.foot(again="result.again", delete="result.delete")
        self.ladder.visible = has_dial(self.services.generator.model_set)

    def _lay_out_sheets(self) -> None:
        hours = self.services.settings.show_hours
        with self.sheet("take", "take.title"):
            self.home = TakeSheet(self)
        with self.sheet("changed", "likeness.title"):
            self.report = html("")
        with self.sheet("program", "result.program"):
            self.answer, self.ask = html(""), self.button("result.ask", "go")
        with self.sheet("stage", "show.title"):
            self.show = self.spoken(lambda say: tick(say("show.tick", h=hours)))
            self.show_note = html("")
        with self.sheet("tone", "result.tone"):
            self.spoken(lambda say: skin_toggle(say("result.skin"), say("result.skin_note")))
        with self.sheet("wall", "wall.title"):
            self.misfire = self.spoken(lambda say: tick(say("misfire.tick", h=hours)))
            self.misfire_note = html("")

    def fill(self, visit: Visit) -> Update:
        """The portraits, and what each changed."""
        making, say = visit.making, self.say_to(visit)
        if making is None or making.portraits is None:
            return {}
        prints, is_minor = making.portraits, visit.sharing.is_minor
        return {
            self.portraits: _value(say, prints, making.chosen),
            **self._say_changes(visit, making, prints),
            self.answer: markup.note(say("result.machine")),
            self.ask_about: gr.Button(visible=not self.services.recognizer.refusal),
            self.ask: gr.Button(visible=True),
            **self.home.fill(visit),
            self.take: gr.Button(visible=self.home.is_offered),
            self.wall: gr.Button(visible=not is_minor),
            **self._leaves(visit),
        }

    def wire(self, page: gr.Blocks) -> None:
        """On to the guessing; each sheet's one event; quiet ways out."""
        at_once, shown = self.at_once, self.portraits
        self.portraits.input(self.choose, shown, **at_once)
        self.guess.click(self.go(ScreenName.VOTE), **at_once)
        self.ask.click(self.ask_program, shown, **at_once)
        self.show.input(self.allow_stage, [self.show, shown], **at_once)
        self.misfire.input(self.allow_misfire, [self.misfire, shown], **at_once)
        self.home.open.click(self.open_link, **at_once)
        self.home.print.click(self.print_sheet, shown, **self.as_stream)
        self.home.close.click(self.close_link, **at_once)
        self.ways["again"].click(self.go(ScreenName.LOOK), **at_once)
        self.ways["delete"].click(self.go(ScreenName.DELETE), **at_once)

    # ---- events

    def choose(self, shown: str, request: gr.Request) -> Update:
        """Another portrait is large: leave to show one is no leave to show the next."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            had_leave = visit.choose(index_of(shown))
            again = markup.status(self.say_to(visit)("show.again")) if had_leave else ""
            unasked = markup.note(self.say_to(visit)("result.machine"))  # the answer was about the other one
            asked = {self.answer: unasked, self.ask: gr.Button(visible=True)}
            return {**self._leaves(visit), **asked, self.notice: again}

        return self.trying(visit, self.notice, step)

    def ask_program(self, shown: str, request: gr.Request) -> Update:
        """The visitor's own tap: whether a face-recognition program takes the large portrait for them."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            making = visit.finished_making()
            making.choose(index_of(shown))
            kept = visit.album.get(making.result().portraits[making.chosen])
            if kept is None:
                raise VisitorError("visit.over")
            prints = making.result()
            say = self.say_to(visit)
            sentences = [say(self._recognise(visit, kept.jpeg))]
            between = bridge(prints.likeness[making.chosen], making.recognised.get(making.chosen, ""))
            sentences += [say(between)] if between else []
            if not visit.sharing.is_minor:
                sentences.append(say("result.machine_shown"))
            return {
                self.answer: markup.status(" ".join(sentences)),
                self.ask: gr.Button(visible=False),
                **self._say_changes(visit, making, prints),
            }

        return self.trying(visit, self.answer, step)

    def _recognise(self, visit: Visit, jpeg: bytes) -> str:
        """The key of the program's answer, which is kept as a word."""
        services = self.services
        try:
            portrait = services.finder.find(read_photo(jpeg))
        except PhotoError:
            return "likeness.recognition_unseen"
        answer = services.recognizer.answer(visit.faces, portrait)
        if answer.value is not None:
            visit.finished_making().recognise(answer.level.value)
        return answer.key

    def allow_stage(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter has seen the portrait: may the room? Unticking takes it back."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            making = visit.finished_making()
            if is_ticked(ticks):
                making.choose(index_of(shown))
                visit.allow_stage()
            else:
                visit.forbid_stage()
            return {self.show_note: self.withdrawal_code(visit), self.stage: self._stage_button(visit)}

        return self.trying(visit, self.show_note, step)

    def allow_misfire(self, ticks: str, shown: str, request: gr.Request) -> Update:
        """The sitter's leave to hang a portrait that went wrong on the speaker's wall, or its end."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            making = visit.finished_making()
            visit.sharing.forbid_misfire()
            if is_ticked(ticks):
                making.choose(index_of(shown))
                self._keep_misfire(visit, making.result(), making.chosen)
            return {self.misfire_note: self.withdrawal_code(visit)}

        return self.trying(visit, self.misfire_note, step)

    def open_link(self, request: gr.Request) -> Update:
        """The visitor's own tap: what may be taken home stays for their phone until then."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            if not self.services.take_home.has_links:
                raise ChoiceError("A page asked for a link where none are given.")
            self.services.visits.links.open(visit)
            return self.home.fill(visit)

        return self.trying(visit, self.home.link, step)

    def close_link(self, request: gr.Request) -> Update:
        """The visitor takes that back."""
        visit = self.booth.visit_of(request)
        self.services.visits.links.close(visit)
        return self.home.fill(visit, self.say_to(visit)("take.ended"))

    def print_sheet(self, shown: str, request: gr.Request) -> Iterator[Update]:
        """The visitor's own tap: the large portrait beside its photograph, on paper."""
        visit = self.booth.visit_of(request)
        with self.services.error_boundary.catch(visit.language) as failure:
            visit.finished_making().choose(index_of(shown))
            for sentence in self.home.print_large(visit):
                yield {self.home.printed: sentence}
            return
        yield {self.home.printed: markup.notice(failure.sentence)}

    def _keep_misfire(self, visit: Visit, prints: Portraits, chosen: int) -> None:
        changed = find_clear_changes(prints.likeness[chosen])
        kept = {kind: visit.album.get(picture) for kind, picture in prints.pair(chosen).items()}
        jpegs = {kind: picture.jpeg for kind, picture in kept.items() if picture}
        if not changed or len(jpegs) < len(Kind):
            raise ChoiceError("A page asked for the wall with a portrait that is none for it.")
        visit.sharing.allow_misfire(jpegs, prints.pairs[chosen], changed)

    # ---- what is shown

    def _say_changes(self, visit: Visit, making: Making, prints: Portraits) -> Update:
        """The title, and the report below it: what each portrait changed, and what the program said."""
        say, chosen, known = self.say_to(visit), making.chosen, making.recognised
        urls = [picture_url(picture) for picture in prints.portraits]
        note = say("show.minor") if visit.sharing.is_minor else ""
        return {
            self.words: render_headlines(say, prints.likeness, chosen, note, known),
            self.report: render_reports(
                say, prints.likeness, urls, chosen, self._notes(visit, prints), known
            ),
        }

    def _leaves(self, visit: Visit) -> Update:
        """The ticks and their codes, as they stand."""
        sharing = visit.sharing
        return {
            self.show: TICKED if sharing.stage_code else UNTICKED,
            self.show_note: self.withdrawal_code(visit) if sharing.stage_code else "",
            self.stage: self._stage_button(visit),
            self.misfire: TICKED if sharing.misfire else UNTICKED,
            self.misfire_note: self.withdrawal_code(visit) if sharing.misfire else "",
        }

    def _stage_button(self, visit: Visit) -> gr.Button:
        key = "show.allowed" if visit.sharing.stage_code else "show.title"
        return gr.Button(self.say_to(visit)(key), visible=not visit.sharing.is_minor)

    def _notes(self, visit: Visit, prints: Portraits) -> str:
        """Which model drew and what it is good for, how the portraits are ordered, what counts as none."""
        say, order = self.say_to(visit), prints.order
        notes = [self._drawn_by(visit, prints)]
        if len(prints.portraits) > 1:
            notes.append(say("result.order"))
        if order.expression and prints.mouth_moved:
            notes.append(say("result.asked", x=say(f"expressions.{order.expression.name}")))
        return " ".join(notes)

    def _drawn_by(self, visit: Visit, prints: Portraits) -> str:
        say, model_set = self.say_to(visit), self.services.generator.model_set
        if prints.lacked:
            return f"{say(prints.lacked)} {say('result.rehearsal')}"
        model = say(f"model_sets.{model_set.name}")
        return say("result.rehearsal" if model_set.rehearsal else "result.drawn", model=model)


def _value(say: Say, prints: Portraits, chosen: int) -> str:
    """The component's value: each portrait with the photograph in its own light and crop."""
    shown = []
    for index, picture in enumerate(prints.portraits):
        toned = prints.tone_matched[index]
        shown.append(
            {
                **print_of(picture, say("result.ai", i=index + 1)),
                "photograph": picture_url(prints.photographs[index]),
                "tone": picture_url(toned) if toned else "",
                "misfire": bool(find_clear_changes(prints.likeness[index])),
            }
        )
    photograph = print_of(prints.photographs[chosen], say("result.photo"))
    return json.dumps({"photograph": photograph, "portraits": shown, "chosen": chosen})

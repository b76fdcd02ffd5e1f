"""Goodbye: thanks, what happens to the pictures, a skin tone if one likes, room for the next visitor."""

from statistics import fmean

import gradio as gr

from booth.making import Portraits
from booth.quiz import Score
from booth.visit import ScreenName, Visit
from errors import ChoiceError
from pages import markup
from pages.booth.screen import Screen, Update, html, part
from pages.booth.take import time_of
from pages.components.choice import Option, choice
from pages.said import said_by_room
from votes.schema import Drift, Kind

# The Monk Skin Tone scale, sRGB, from light to dark (E. Monk 2019, skintone.google).
MONK = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
BANDS = {str(band): band for band in range(1, len(MONK) + 1)}


class GoodbyeScreen(Screen):
    """The last screen, before and after everything is deleted."""

    name = ScreenName.GOODBYE

    def lay_out(self) -> None:
        """Words, Done, swatches."""
        with part("say"):
            self.words, self.notice = html(""), html("")
            self.done = self.button("goodbye.done", "go")
            swatches = [Option(str(band), str(band), tone) for band, tone in enumerate(MONK, 1)]
            self.band = self.spoken(lambda say: choice("band", say("fair.ask"), swatches, "", "swatches"))
            self.fair = html("")
            self.ways = self.foot(back="goodbye.back", delete="result.delete")

    def fill(self, visit: Visit) -> Update:
        """What stays and for how long; or that nothing does."""
        say, is_kept = self.say_to(visit), visit.has_consented
        ways = {way: gr.Button(visible=is_kept) for way in self.ways.values()}
        if is_kept:
            words = markup.heading(say("goodbye.title")) + self._score(visit) + self._said(visit)
            return {self.words: words + markup.lead(self._fate(visit)), **ways, **self._fairness(visit)}
        lead = say("goodbye.downloads") if visit.has_taken_home else ""
        hidden = {self.band: gr.HTML(visible=False), self.fair: ""}
        return {self.words: markup.heading(say("delete.done"), lead), **ways, **hidden}

    def wire(self, page: gr.Blocks) -> None:
        """Done, a skin tone, or back."""
        self.done.click(self.leave, **self.at_once)
        self.band.input(self.tell_skin_tone, self.band, **self.at_once)
        self.ways["back"].click(self.go(ScreenName.RESULT), **self.at_once)
        self.ways["delete"].click(self.go(ScreenName.DELETE), **self.at_once)

    def tell_skin_tone(self, band: str, request: gr.Request) -> Update:
        """The visitor's own tap: kept with how much was changed, for the event's fairness."""
        visit, services = self.booth.visit_of(request), self.services

        def step() -> Update:
            prints = visit.finished_making().result()
            if str(band) not in BANDS:
                raise ChoiceError("A page told a skin tone that it does not offer.")
            visit.sharing.tell_skin_tone(BANDS[str(band)])
            event = services.board.room.snapshot().room.event
            services.store.keep_drift(drift_of(prints, visit.sitter, BANDS[str(band)], event))
            return {**self._fairness(visit), self.notice: ""}

        return self.trying(visit, self.notice, step)

    def _fate(self, visit: Visit) -> str:
        """What happens to the pictures when the visitor taps Done."""
        hours, sharing, say = self.services.settings.show_hours, visit.sharing, self.say_to(visit)
        until = self.services.visits.links.until(visit.link)
        linked = f"{say('goodbye.linked_too', t=time_of(until))} " if until else ""
        if sharing.stage_code:
            return linked + say("goodbye.shown", c=sharing.stage_code, h=hours)
        if sharing.misfire:
            return linked + say("goodbye.misfire", c=sharing.misfire_code, h=hours)
        if until:
            return say("goodbye.linked", t=time_of(until))
        return say("goodbye.kept", m=self.services.settings.retention_minutes)

    def _score(self, visit: Visit) -> str:
        """How often they were right, and what that leaves out; nothing where they guessed nothing."""
        say, score = self.say_to(visit), visit.quiz.score if visit.quiz else Score()
        if not score.answered:
            return ""
        below = [say("goodbye.chance")]
        if score.excluded:
            below.append(
                say("goodbye.apart_one" if score.excluded == 1 else "goodbye.apart", n=score.excluded)
            )
        return markup.score(say("goodbye.score", k=score.right, n=score.answered), " ".join(below))

    def _said(self, visit: Visit) -> str:
        """What the room said of this visitor's own pictures, where it has by now."""
        said = said_by_room(self.services, visit.sitting, visit.language) if visit.sitting else ()
        return markup.score(self.say_to(visit)("home.room"), " ".join(said)) if said else ""

    def _fairness(self, visit: Visit) -> Update:
        """The swatches, where there is something that may be told with one; and what is kept."""
        prints, sharing = visit.making.portraits if visit.making else None, visit.sharing
        may_tell = not sharing.is_minor and prints is not None and any(prints.likeness)
        note = (
            markup.note(self.say_to(visit)("fair.kept" if sharing.skin_tone else "fair.note"))
            if may_tell
            else ""
        )
        return {self.band: gr.HTML(str(sharing.skin_tone or ""), visible=may_tell), self.fair: note}


def drift_of(prints: Portraits, sitter: str, band: int, event: str) -> Drift:
    """What all portraits of a sitting changed, as means, with the skin tone that the sitter told."""
    reports = [report.measures for report in prints.likeness if report]
    values = {
        name: [value for measures in reports if (value := measures[name].value) is not None]
        for name in (reports[0] if reports else ())
    }
    means = {name: fmean(known) for name, known in values.items() if known}
    item = prints.pairs[0].items[Kind.GENERATED]
    return Drift(sitter, band, item.look, item.model_set, item.rehearsal, means, event)

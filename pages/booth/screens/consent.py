"""Consent: the line of time, one tick, one more for the young."""

import gradio as gr

from booth.visit import ScreenName, Visit
from pages import markup
from pages.booth.screen import Screen, Update, html, part
from pages.components.consent import UNTICKED, consent, is_minor, is_ticked
from words import Say


class ConsentScreen(Screen):
    """Nothing is taken before it."""

    name = ScreenName.CONSENT

    def lay_out(self) -> None:
        """What happens to the pictures, and when; the visitor's own sentence."""
        minutes = self.services.settings.retention_minutes
        with part("see"):
            self.spoken(lambda say: html(markup.timeline(self._points_in_time(say))))
        with part("say"):
            self.heading("consent.title")
            self.ticks = self.spoken(
                lambda say: consent(say("consent.tick", m=minutes), say("consent.minor"))
            )
            self.notice = html("")
            self.continue_button = self.button("consent.go", "go")
        self.ways = self.foot(over="visit.start_over")

    def reset(self) -> Update:
        """Nobody's tick is anybody else's."""
        return {self.ticks: UNTICKED}

    def wire(self, page: gr.Blocks) -> None:
        """On with the tick, or back to the start."""
        self.continue_button.click(self.agree, self.ticks, **self.at_once)
        self.ways["over"].click(self.leave, **self.at_once)

    def agree(self, ticks: str, request: gr.Request) -> Update:
        """The visitor's own tick; without it no picture is taken."""

        def step(visit: Visit) -> None:
            is_new = not visit.has_consented
            self.services.visits.make_room_for(visit)
            visit.consent(is_ticked(ticks), is_minor(ticks))
            if is_new and visit.has_consented:
                self.services.visits.count_consent()
            if visit.sharing.is_minor:
                self.services.store.forget_drift(visit.sitter)
            visit.go(ScreenName.CAMERA)

        return self.doing(step)(request)

    def _points_in_time(self, say: Say) -> list[tuple[str, str]]:
        services = self.services
        hints = [say("consent.hints")] if services.frame_judge else []
        return [
            (say("consent.now"), " ".join([say("consent.now_is"), *hints])),
            (say("consent.making", s=services.line.turn_s), say("consent.making_is")),
            (say("consent.end", m=services.settings.retention_minutes), say("consent.end_is")),
        ]

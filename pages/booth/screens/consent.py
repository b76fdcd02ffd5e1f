"""Consent: the line of time, one tick, one more for the young."""

import gradio as gr

from booth.visit import ScreenName, Visit
from pages import markup
from pages.booth.screen import Screen, Update, button, html, part
from pages.components.consent import UNTICKED, consent, is_minor, is_ticked


class ConsentScreen(Screen):
    """Nothing is taken before it."""

    name = ScreenName.CONSENT

    def lay_out(self) -> None:
        """What happens to the pictures, and when; the visitor's own sentence."""
        say, minutes = self.say, self.services.retention_minutes
        with part("see"):
            html(markup.timeline(self._points_in_time()))
        with part("say"):
            self.heading("consent.title")
            self.ticks = consent(say("consent.tick", m=minutes), say("consent.minor"))
            self.notice = html("")
            self.continue_button = button(say("consent.go"), "go")
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
            self.services.visits.make_room_for(visit)
            visit.consent(is_ticked(ticks), is_minor(ticks))
            if visit.sharing.is_minor:
                self.services.store.forget_drift(visit.sitter)
            visit.go(ScreenName.CAMERA)

        return self.doing(step)(request)

    def _points_in_time(self) -> list[tuple[str, str]]:
        say, services = self.say, self.services
        hints = [say("consent.hints")] if services.frame_judge else []
        return [
            (say("consent.now"), " ".join([say("consent.now_is"), *hints])),
            (say("consent.making", s=services.line.turn_s), say("consent.making_is")),
            (say("consent.end", m=services.retention_minutes), say("consent.end_is")),
        ]

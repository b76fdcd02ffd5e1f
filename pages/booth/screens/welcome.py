"""Welcome: a picture that wipes, one question, Start."""

import gradio as gr

from booth.visit import ScreenName
from pages import markup
from pages.booth.screen import Screen, button, html, part
from pages.components.wipe import wipe


class WelcomeScreen(Screen):
    """The first screen; whoever comes to it is a new visitor."""

    name = ScreenName.WELCOME

    def lay_out(self) -> None:
        """The same face twice, and what happens here."""
        say, words = self.say, self.services.words
        with part("see"):
            wipe(
                "looks/welcome-photograph.jpg",
                "looks/welcome-portrait.jpg",
                say("vote.photo"),
                say("vote.ai"),
                say("welcome.wipe"),
                words.template("welcome.wiped"),
            )
        with part("say"):
            if invitation := markup.event(self.services.settings):
                html(invitation)
            self.heading("welcome.title", "welcome.lead")
            self.notice = html("")
            self.start = button(say("welcome.start"), "go")
            html(markup.note(f"{say('welcome.note')} {say('welcome.sample')}", "verify", say("verify.title")))
        self.ways = self.foot(withdraw="withdraw.link")

    def wire(self, page: gr.Blocks) -> None:
        """On, or to take a portrait back."""
        self.start.click(self.go(ScreenName.CONSENT), **self.at_once)
        self.ways["withdraw"].click(self.go(ScreenName.WITHDRAW), **self.at_once)

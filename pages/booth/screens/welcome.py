"""Welcome: a picture that wipes, one question, Start; and in which language."""

import gradio as gr

from booth.visit import ScreenName, Visit
from errors import ChoiceError
from pages import markup
from pages.booth.screen import Screen, Update, html, part
from pages.components.choice import Option, choice
from pages.components.wipe import wipe
from words import Say


class WelcomeScreen(Screen):
    """The first screen; whoever comes to it is a new visitor."""

    name = ScreenName.WELCOME

    def lay_out(self) -> None:
        """The same face twice, what happens here, and the languages."""
        with part("see"):
            self.wipe = self.spoken(_faces)
        with part("say"):
            if invitation := markup.event(self.services.settings):
                html(invitation)
            self.heading("welcome.title", "welcome.lead")
            self.notice = html("")
            self.start = self.button("welcome.start", "go")
            self.spoken(lambda say: html(_note(say, self.services.settings.is_kiosk)))
            self.language = self.spoken(self._languages)
        self.ways = self.foot(withdraw="withdraw.link")

    def fill(self, visit: Visit) -> Update:
        """Which language is spoken."""
        return {self.language: visit.language or self.services.words.language}

    def wire(self, page: gr.Blocks) -> None:
        """On, another language, or to take a portrait back."""
        self.start.click(self.go(ScreenName.CONSENT), **self.at_once)
        self.language.input(self.choose_language, self.language, **self.at_once, trigger_mode="always_last")
        self.ways["withdraw"].click(self.go(ScreenName.WITHDRAW), **self.at_once)

    def choose_language(self, language: str, request: gr.Request) -> Update:
        """What the visit is told in from now on, whichever screen it is at by then."""
        visit = self.booth.visit_of(request)

        def step() -> Update:
            if language not in self.services.words.offered:
                raise ChoiceError("A page asked for a language that it does not offer.")
            visit.speak(language)
            return self.booth.tell(visit)

        return self.trying(visit, self.notice, step)

    def _languages(self, say: Say) -> gr.HTML:
        """Each by its own name; none where there is no choice."""
        words = self.services.words
        options = [Option(name, words.say("language.name", name), lang=name) for name in words.offered]
        legend, is_choice = say("welcome.language"), len(options) > 1
        return choice("language", legend, options, words.language, "tongues", is_choice)


def _faces(say: Say) -> gr.HTML:
    spoken = say("welcome.wiped", p="{p}")
    pictures = "looks/welcome-photograph.jpg", "looks/welcome-portrait.jpg"
    return wipe(*pictures, say("vote.photo"), say("vote.ai"), say("welcome.wipe"), spoken)


def _note(say: Say, is_kiosk: bool) -> str:
    """With a way to the check of pictures; on a kiosk there is none, as it has a file dialog.

    Who is in a kiosk's picture stands by itself: not while another picture is shown there (`attract.css`).
    """
    if is_kiosk:
        return markup.note(say("welcome.note")) + markup.note(say("welcome.sample"))
    return markup.note(f"{say('welcome.note')} {say('welcome.sample')}", "verify", say("verify.title"))

"""The booth's one page: its screens, and the one that is shown.

`screen` says what a screen is; each of `screens/` lays itself out, fills itself from a visit, and answers its
events. `story` tells a making, `report` what it changed, `dial` what the dial asks for.
"""

from typing import Any

import gradio as gr

from booth.visit import OF_PORTRAITS, ScreenName, Visit
from pages import markup
from pages.booth.screen import Screen, Update, button, html, together
from pages.booth.screens.camera import CameraScreen
from pages.booth.screens.consent import ConsentScreen
from pages.booth.screens.delete import DeleteScreen
from pages.booth.screens.goodbye import GoodbyeScreen
from pages.booth.screens.ladder import LadderScreen
from pages.booth.screens.look import LookScreen
from pages.booth.screens.making import MakingScreen
from pages.booth.screens.result import ResultScreen
from pages.booth.screens.vote import VoteScreen
from pages.booth.screens.welcome import WelcomeScreen
from pages.booth.screens.withdraw import WithdrawScreen
from pages.guards.gate import COOKIE
from services import Services

WAS = "face_value_was"  # the cookie in which `away.js` keeps at which screen the machine fell silent
LOST = (*OF_PORTRAITS, ScreenName.CAMERA, ScreenName.LOOK, ScreenName.MAKING)  # where there were pictures


def booth_page(services: Services) -> gr.Blocks:
    """Lay out and wire."""
    page = gr.Blocks(title="Face Value", fill_width=True, analytics_enabled=False)
    with page:
        BoothPage(services).wire(page)
    services.visits.on_forget = lambda session: forget_outputs(page, session)
    return page


def forget_outputs(page: gr.Blocks, session: str) -> None:
    """Drop the outputs, pictures among them, that Gradio keeps of a session long after its tab."""
    if kept := getattr(page, "state_holder", None):  # from launch on
        kept.session_data.pop(session, None)
        kept.time_last_used.pop(session, None)


class BoothPage:
    """All screens. Made inside the Blocks that the caller opened."""

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Column(elem_classes=["fv", "page"]):
            self.frame = html(self._frame(services.words.language))
            self.idle = button(services.say("visit.start_over"), "leave-quietly")  # page.js presses it
            self.welcome = WelcomeScreen(self)
            self.consent = ConsentScreen(self)
            self.camera = CameraScreen(self)
            self.making = MakingScreen(self)
            self.look = LookScreen(self, self.making)
            self.result = ResultScreen(self)
            self.ladder = LadderScreen(self)
            self.vote = VoteScreen(self)
            self.goodbye = GoodbyeScreen(self)
            self.delete = DeleteScreen(self)
            self.withdraw = WithdrawScreen(self)

    @property
    def screens(self) -> dict[ScreenName, Screen]:
        """By the name that a visit has for them."""
        return {name: getattr(self, name.value) for name in ScreenName}

    def components(self) -> list[Any]:
        """Everything that a handler may change."""
        return [self.frame, *(part for screen in self.screens.values() for part in screen.components())]

    def visit_of(self, request: gr.Request) -> Visit:
        """The visit of the browser that asks."""
        cookie, session = request.cookies.get(COOKIE, ""), request.session_hash
        return self.services.visits.of(cookie, session, self._first_language(request))

    def find_visit(self, request: gr.Request) -> Visit | None:
        """The same for what a page asks by itself, which keeps no visit open."""
        return self.services.visits.find(request.cookies.get(COOKIE, ""), request.session_hash)

    def show(self, visit: Visit, notice: str = "") -> Update:
        """The screen where the visit is, and a sentence on it if something went wrong."""
        screens, here = self.screens, self.screens[visit.screen]
        update: Update = {screen.column: gr.Column(visible=screen is here) for screen in screens.values()}
        if visit.screen == ScreenName.WELCOME:  # a new visitor
            for screen in screens.values():
                update |= screen.reset()
        shown = {here.notice: markup.notice(notice)} | here.fill(visit)
        return update | together(self._tell(visit), shown)

    def tell(self, visit: Visit) -> Update:
        """The words of the screen where the visit is, in its language; what is shown stays."""
        here = self.screens[visit.screen]
        return together(self._tell(visit), here.fill(visit))

    def _tell(self, visit: Visit) -> Update:
        language = visit.language or self.services.words.language
        return {self.frame: self._frame(language)} | self.screens[visit.screen].tell(visit)

    def _frame(self, language: str) -> str:
        """What stands around every screen: the page's language, and what an idle screen asks."""
        say = self.services.speaker(language)
        idle = say("idle.ask", s="{s}"), say("idle.yes")
        return markup.frame(language, say("language.dir"), *idle, say("away.silent"), say("away.failed"))

    def _first_language(self, request: gr.Request) -> str:
        """A new visit's, where its visitor sits at a browser of their own; empty for the booth's."""
        words = self.services.words
        if not self.services.settings.is_hosted:
            return ""
        first = words.preferred(request.headers.get("accept-language", ""))
        return first if first in words.offered and first != words.language else ""

    def wire(self, page: gr.Blocks) -> None:
        """Coming and going, then each screen's own events."""
        page.load(self.open, **self.welcome.at_once)
        page.unload(self.close)
        self.idle.click(self.welcome.leave, **self.welcome.at_once)
        for screen in self.screens.values():
            screen.wire(page)
        self.ladder.wire_start(self.result.ladder, self.result.portraits)
        for arrival in (self.camera.camera.done, self.result.ways["again"].click):
            self.look.wire_arrival(arrival)

    def open(self, request: gr.Request) -> Update:
        """A page was opened or reloaded: a new visit, or the one that it left."""
        visit = self.visit_of(request)
        if visit.screen == ScreenName.WELCOME:  # shown already; a late answer must not undo an early tap
            told = self._explain_loss(visit, request.cookies.get(WAS, ""))
            return {self.welcome.notice: told} | (self.tell(visit) if visit.language else {})
        if visit.screen == ScreenName.MAKING:  # the reload ended the making
            visit.stop()
            visit.go(ScreenName.LOOK)
            return self.show(visit, self.services.speaker(visit.language)("making.stopped"))
        if visit.screen == ScreenName.LADDER and not (visit.making and visit.making.has_whole_ladder):
            visit.stop()
            visit.go(ScreenName.RESULT)
        return self.show(visit)

    def _explain_loss(self, visit: Visit, was: str) -> str:
        """Why a page that was at another screen before its machine fell silent is at the welcome now."""
        if was not in LOST:
            return ""
        say = self.services.speaker(visit.language or self.services.words.language)
        return markup.notice(say("away.stopped" if was == ScreenName.MAKING else "visit.over"))

    def close(self, request: gr.Request) -> None:
        """The tab was closed, or is being reloaded."""
        self.services.visits.close_page(request.session_hash)

"""The host page, behind the host's key: deck, stage, approval, and how the next rounds are asked.

It tells no truth and no split: host screens get mirrored. The split is shown while a button is held.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import gradio as gr
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from booth.records import SittingId
from errors import ChoiceError, VisitorError
from pages import markup
from pages.board import qr
from pages.booth.take import time_of
from pages.components.consent import is_ticked
from pages.components.sheet import SheetFrame, value_of
from pages.host.fairness import fairness_chart
from pages.host.layout import TIMES, Host, lay_out, part
from pages.markup import render
from services import Services
from votes.room import Snapshot
from votes.rounds import SCENES, Scene, step_forward
from votes.schema import Count, Drift, Source

Update = dict[Any, Any]
EXPORTS = {"csv": "export.csv", "json": "export.json", "method": "method.md", "drift": "drift.csv"}
MOST_HANDS = 5_000
PICTURES = "../api/host/picture/"  # from /host/


def host_page(services: Services) -> gr.Blocks:
    """Lay out and wire."""
    page = gr.Blocks(
        title=f"{services.words.say('host.title')} · Face Value", fill_width=True, analytics_enabled=False
    )
    with page:
        on = lay_out(services.words, services.generator.model_set.starts, explain_drawing(services))
        does = Handlers(services, on)
        wire(page, on, does)
    return page


def explain_drawing(services: Services) -> str:
    """Why this model set draws, and what its licences ask of whoever runs the event."""
    model_set = services.generator.model_set
    restricted = [services.words.say("host.restricted")] if model_set.restricted else []
    licence = services.words.licence(model_set.name, model_set.licence)
    return " ".join([services.why, *restricted, licence])


def wire(page: gr.Blocks, on: Host, does: "Handlers") -> None:
    """Who answers which event."""
    room = does.room
    at_once: dict[str, Any] = {"outputs": on.outputs(), "queue": False, "show_progress": "hidden"}
    page.load(does.on_load, **{**at_once, "outputs": [*on.outputs(), on.event, on.timer, on.start]})
    on.clock.tick(does.refresh, **at_once)
    moves = {on.next: room.next, on.back: room.back, on.blank: room.blank, on.replay: room.replay}
    for button, move in moves.items():
        button.click(does.move(move), on.seen, **at_once)
    on.order.click(does.command(room.draw_programme), **at_once)
    on.code.click(does.command(room.renew_code), **at_once)
    on.end_rehearsal.click(does.command(room.forget_rehearsal), **at_once)
    on.rehearse.click(does.command(lambda: room.change(rehearsing=True)), **at_once)
    on.remove_suspects.click(does.remove_suspects, **at_once)
    on.accept_suspects.click(does.accept_suspects, **at_once)
    on.sheet.input(does.go_to, on.sheet, **at_once)
    for button, decide in ((on.show, does.show), (on.later, does.later), (on.reject, does.reject)):
        button.click(decide, **at_once)
    on.event.change(does.set_event, on.event, **at_once)
    on.timer.input(does.set_timer, on.timer, **at_once)
    on.start.input(does.set_start, on.start, **at_once)
    on.informed.input(does.set_informed, on.informed, **at_once)
    on.familiar.input(does.set_familiar, on.familiar, **at_once)
    on.hands_go.click(does.hands, list(on.hands), **at_once)


class Waiting(NamedTuple):
    """A portrait that a host decides about: whose, the item that shows it, and for what it is."""

    sitting: SittingId
    item: str
    purpose: str  # wall, ladder or lead


class Handlers:
    """Every handler of the host page: something is done to the room, then the page shows where it is."""

    def __init__(self, services: Services, on: Host) -> None:
        self._services = services
        self._board = services.board
        self._on = on
        self._say = services.words.say
        self._drifts: list[Drift] | None = None
        self._chart = Markup()
        self._put_off: list[SittingId] = []  # sittings for which the host said "later", the latest last
        self.room = services.board.room

    # ---- what a host does

    def on_load(self) -> Update:
        """The page was opened: with what is set."""
        now, start = self.room.snapshot().room, self._services.start_of(self._services.generator.model_set)
        set_ = {self._on.event: now.event, self._on.timer: str(now.seconds), self._on.start: start}
        return {**self.refresh(), **set_}

    def refresh(self) -> Update:
        """Once a second."""
        shown = self._show(self.room.snapshot())
        del shown[self._on.notice]  # what was said stays until the next command
        return {**shown, self._on.notice: gr.skip()}

    def command(self, move: Callable[[], object], done: str = "") -> Callable[[], Update]:
        """Do it, then show where the room is; what fails is told there."""

        def handle() -> Update:
            with self._services.error_boundary.catch() as failure:
                move()
            return self._show(self.room.snapshot(), failure.sentence or done)

        return handle

    def move(self, move: Callable[[str, str], object]) -> Callable[[str, gr.Request], Update]:
        """A step from where that page saw the room."""

        def handle(seen: str, request: gr.Request) -> Update:
            return self.command(lambda: move(seen, request.session_hash or ""))()

        return handle

    def go_to(self, chosen: str) -> Update:
        """To a picture of the sheet."""

        def step() -> None:
            try:
                item = json.loads(chosen)["chosen"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise VisitorError("host.gone") from error
            self.room.go_to(str(item))

        return self.command(step)()

    def show(self) -> Update:
        """The portrait that waits may be shown."""
        waiting = self._next_waiting()
        catalogue = self._board.catalogue
        return self.command(
            lambda: self.room.add(catalogue.approve(waiting.sitting)) if waiting else None,
            self._say("host.approved_wall" if waiting.purpose == "wall" else "host.approved")
            if waiting
            else "",
        )()

    def later(self) -> Update:
        """The one that waits goes behind the others."""
        if waiting := self._next_waiting():
            self._put_off = [sitting for sitting in self._put_off if sitting != waiting.sitting] + [
                waiting.sitting
            ]
        return self._show(self.room.snapshot())

    def reject(self) -> Update:
        """The portrait that waits is not shown."""
        waiting = self._next_waiting()
        return self.command(
            lambda: self._board.catalogue.reject(waiting.sitting) if waiting else None,
            self._say("host.rejected") if waiting else "",
        )()

    def set_event(self, event: str) -> Update:
        """The event's name, for export and method card."""
        name = "".join(letter for letter in event if letter.isprintable())  # no database takes a NUL
        return self.command(lambda: self.room.change(event=name.strip()[:100]))()

    def set_timer(self, seconds: str) -> Update:
        """When a round closes by itself."""
        return self.command(lambda: self.room.change(seconds=int(seconds) if seconds in TIMES else 0))()

    def set_start(self, start: str) -> Update:
        """What portraits are drawn from, from now on."""

        def step() -> None:
            if start not in self._services.generator.model_set.starts:
                raise ChoiceError("The host page asked for a start that the model set does not have.")
            self.room.change(start=start)

        return self.command(step)()

    def set_informed(self, ticks: str) -> Update:
        """Whether the sitter of the next rounds is in view."""
        return self.command(lambda: self.room.change(informed=is_ticked(ticks)))()

    def set_familiar(self, ticks: str) -> Update:
        """Whether phones ask how well people know the sitter."""
        return self.command(lambda: self.room.change(asks_familiarity=is_ticked(ticks)))()

    def hands(self, photograph: str, generated: str) -> Update:
        """A show of hands."""
        counts = [_number(text) for text in (photograph, generated)]
        if None in counts:
            return self._show(self.room.snapshot(), self._say("host.hands_wrong", most=MOST_HANDS))
        count = Count(*(hands or 0 for hands in counts))
        return self.command(
            lambda: self.room.record_hands(count), self._say("host.hands_done", n=count.answers)
        )()

    def remove_suspects(self) -> Update:
        """Answers that look made go."""
        return self.command(self.room.forget_suspects, self._say("host.suspects_removed"))()

    def accept_suspects(self) -> Update:
        """They count, and their phones are phones of the room."""
        return self.command(self.room.accept_suspects, self._say("host.suspects_accepted"))()

    # ---- what the page shows

    def _fair(self) -> Markup:
        """Drawn anew only where somebody told a skin tone since: its intervals take a second."""
        drifts = self._drifts
        if not self.room.latest.is_stale:
            with suppress(SQLAlchemyError):  # away since a moment: what is shown stays
                drifts = self._services.store.drifts()
        if drifts is not None and drifts != self._drifts:
            self._drifts = drifts
            self._chart = fairness_chart(self._say, drifts, self._services.model_titles)
        return self._chart

    def _show(self, now: Snapshot, sentence: str = "") -> Update:
        on, say, room = self._on, self._say, now.room
        is_over = room.is_over
        skipped = self.room.skipped_scenes(room)
        follows = step_forward(room, skipped).scene
        next_ = say("host.no_next") if is_over else f"{say(f'host.do_{follows}')}  {say('host.key_next')}"
        is_asked = self._next_waiting() is not None
        return {
            on.bar: self._bar(),
            on.sheet: self._sheet(now),
            on.now: self._now(now),
            on.seen: room.position,
            on.states: self._states(room.scene, skipped),
            on.notice: markup.status(sentence) if sentence else "",
            on.next: gr.Button(next_, interactive=not is_over),
            on.blank: gr.Button(
                f"{say('host.unblank' if room.blank else 'host.blank')}  {say('host.key_blank')}"
            ),
            on.live: self._live(now),
            **self._suspects(),
            on.broken: self._broken(),
            on.waiting: self._waiting(),
            **{button: gr.Button(visible=is_asked) for button in (on.show, on.later, on.reject)},
            on.rehearse: gr.Button(visible=not room.rehearsing),
            on.end_rehearsal: gr.Button(visible=room.rehearsing),
            on.reach: self._reach(),
            on.fair: self._fair(),
            on.fleet: self._fleet(),
        }

    def _fleet(self) -> str:
        """How the machines are that draw for this one, where there are any."""
        fleet = self._services.fleet
        if fleet is None:
            return ""
        key, values = fleet.sentence
        return markup.note(self._say(key, **values))

    def _bar(self) -> Markup:
        reach = "yes" if self._board.is_reached else "no" if self._board.is_only_here else "not_yet"
        stale = self.room.latest.is_stale
        return render("host/bar.html", say=self._say, reach=reach, exports=EXPORTS, is_stale=stale)

    def _sheet(self, now: Snapshot) -> str:
        place, programme = now.room.place, now.room.programme
        shown = -1 if now.room.scene == Scene.WITHDRAWN else place  # between two pictures none is
        following = place if shown < 0 else place + 1
        words = {shown: self._say("host.now_word"), following: self._say("host.next_word")}
        frames = [
            SheetFrame(item, f"{PICTURES}{item}.jpg", f"{i + 1}", words.get(i, ""), on=i == shown)
            for i, item in enumerate(programme)
        ]
        return value_of(frames)

    def _now(self, now: Snapshot) -> Markup:
        room, state = now.room, self._state(now.room.scene)
        if room.scene == Scene.WITHDRAWN:
            return part("now", "", state)
        where = self._say("host.place", state=state, i=room.place + 1, n=len(room.programme))
        return part("now", f"{PICTURES}{room.item}.jpg" if room.item else "", where)

    def _states(self, scene: Scene, skipped: frozenset[Scene]) -> Markup:
        hidden = frozenset() if scene.is_truth_known else frozenset({Scene.LADDER})  # a portrait may have one
        steps = [(self._state(each), each == scene) for each in SCENES if each not in skipped | hidden]
        return part("steps", self._say("host.states"), steps)

    def _state(self, scene: Scene) -> str:
        return self._say(f"host.scene_{scene}")

    def _live(self, now: Snapshot) -> Markup:
        answers, phones = self._say("host.answers"), self._say("host.phones")
        return part("live", [(answers, now.answers), (phones, self._board.phones)])

    def _broken(self) -> gr.HTML:
        files = ", ".join(self._board.catalogue.broken())
        return gr.HTML(markup.note(self._say("host.broken", files=files)), visible=bool(files))

    def _suspects(self) -> Update:
        n, on = self._services.store.count_guesses(Source.SUSPECT), self._on
        key = "host.suspects_one" if n == 1 else "host.suspects"
        buttons = {button: gr.Button(visible=n > 0) for button in (on.remove_suspects, on.accept_suspects)}
        return {on.suspects: gr.HTML(markup.note(self._say(key, n=n)), visible=n > 0), **buttons}

    def _waiting(self) -> Markup:
        say, waiting = self._say, self._next_waiting()
        return part(
            "approval",
            say("host.approve"),
            f"{PICTURES}{waiting.item}.jpg" if waiting else "",
            say(f"host.approve_{waiting.purpose}") if waiting else "",
            len(self._board.catalogue.waiting()),
            say("host.approve_none"),
        )

    def _next_waiting(self) -> Waiting | None:
        """Which portrait the host is asked about; None where nobody waits."""
        ordered = sorted(
            self._board.catalogue.waiting(),
            key=lambda offer: self._put_off.index(offer[0]) if offer[0] in self._put_off else -1,
        )
        if not ordered:
            return None
        sitting, exhibit = ordered[0]
        purpose = "wall" if exhibit.is_misfire else "ladder" if exhibit.has_ladder else "lead"
        return Waiting(sitting, exhibit.item.id, purpose)

    def _reach(self) -> Markup:
        say, board = self._say, self._board
        if board.is_only_here:
            return markup.note(say("host.reach_here")) + self._printer()
        label, link = say("stage.qr", link=board.link), say("host.link", link=board.link)
        return (
            part("reach", qr(board.url), label, link, say("host.reach_try"))
            + self._open_links()
            + self._printer()
        )

    def _printer(self) -> Markup:
        """What kept the last sheet of paper from being printed."""
        paper = self._services.paper
        return (
            markup.note(self._say(f"paper.{paper.last_trouble}"))
            if paper and paper.last_trouble
            else Markup()
        )

    def _open_links(self) -> Markup:
        """What a stop of the program would end: the links that bring pictures to visitors' phones."""
        ends = self._services.visits.links.open_until()
        key = "host.links_one" if len(ends) == 1 else "host.links"
        return markup.note(self._say(key, n=len(ends), t=time_of(max(ends)))) if ends else Markup()


def _number(text: str) -> int | None:
    """A count of hands; None for what is none."""
    text = str(text).strip()
    return int(text) if text.isascii() and text.isdecimal() and int(text[:6]) <= MOST_HANDS else None

"""The host page, behind the host's key: deck, stage, approval, and how the next rounds are asked.

It tells no truth and no split: host screens get mirrored. The split is shown while a button is held.
"""

import json
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from errors import ChoiceError, VisitorError
from pages import markup
from pages.board import qr
from pages.components.consent import ticked
from pages.components.sheet import Frame, value_of
from pages.host.fairness import fairness_chart
from pages.host.layout import TIMES, Host, lay_out
from pipelines.draw.model_set import read_model_sets
from services import Services
from votes.room import Snapshot
from votes.rounds import SCENES, TRUTH_KNOWN, Scene
from votes.schema import Count, Drift

Update = dict[Any, Any]
STATES = {
    Scene.READY: "ready",
    Scene.OPEN: "open",
    Scene.CLOSED: "closed",
    Scene.SPLIT: "split_state",
    Scene.TRUTH: "truth_state",
    Scene.MADE: "made_state",
    Scene.LADDER: "ladder_state",
    Scene.ROOM: "room_state",
}
MOST_HANDS = 5_000
LOOK = "/api/host/picture/"


def host_page(services: Services) -> gr.Blocks:
    """Lay out and wire."""
    page = gr.Blocks(title="Host · Face Value", fill_width=True, analytics_enabled=False)
    with page:
        on = lay_out(services.words, services.generator.model_set.starts, services.why)
        does = Handlers(services, on)
        wire(page, on, does)
    return page


def wire(page: gr.Blocks, on: Host, does: "Handlers") -> None:
    """Who answers which event."""
    room = does.room
    at_once: dict[str, Any] = {"outputs": on.shown(), "queue": False, "show_progress": "hidden"}
    page.load(does.opened, **{**at_once, "outputs": [*on.shown(), on.event, on.timer, on.start]})
    on.clock.tick(does.looked, **at_once)
    moves = {on.next: room.next, on.back: room.back, on.blank: room.blank, on.replay: room.replay}
    for button, move in moves.items():
        button.click(does.doing(move), **at_once)
    on.order.click(does.doing(room.draw), **at_once)
    on.code.click(does.doing(room.new_code), **at_once)
    on.end_rehearsal.click(does.doing(room.forget_rehearsal), **at_once)
    on.rehearse.click(does.doing(lambda: room.change(rehearsing=True)), **at_once)
    on.sheet.input(does.go_to, on.sheet, **at_once)
    for button, decide in ((on.show, does.show), (on.later, does.later), (on.reject, does.reject)):
        button.click(decide, **at_once)
    on.event.change(does.named, on.event, **at_once)
    on.timer.input(does.timed, on.timer, **at_once)
    on.start.input(does.started, on.start, **at_once)
    on.informed.input(does.informed, on.informed, **at_once)
    on.familiar.input(does.familiar, on.familiar, **at_once)
    on.hands_go.click(does.hands, list(on.hands), **at_once)


class Handlers:
    """Every handler of the host page: something is done to the room, then the page shows where it is."""

    def __init__(self, services: Services, on: Host) -> None:
        self._services = services
        self._board = services.board
        self._on = on
        self._say = services.words.say
        self._drifts: list[Drift] | None = None
        self._chart = ""
        self._titles = {name: one.title for name, one in read_model_sets().items()}
        self._put_off: list[str] = []  # sittings for which the host said "later", the latest last
        self.room = services.board.room

    # ---- what a host does

    def opened(self) -> Update:
        """The page was opened: with what is set."""
        now, start = self.room.now().setting, self._services.start_of(self._services.generator.model_set)
        set_ = {self._on.event: now.event, self._on.timer: str(now.seconds), self._on.start: start}
        return {**self.looked(), **set_}

    def looked(self) -> Update:
        """Once a second."""
        shown = self._show(self.room.now())
        del shown[self._on.notice]  # what was said stays until the next command
        return {**shown, self._on.notice: gr.skip()}

    def doing(self, move: Callable[[], object], said: str = "") -> Callable[[], Update]:
        """Do it, then show where the room is; what fails is told there."""

        def handle() -> Update:
            sentence = said
            with self._services.errors_shown.shown() as told:
                move()
            return self._show(self.room.now(), told.sentence or sentence)

        return handle

    def go_to(self, chosen: str) -> Update:
        """To a picture of the sheet."""

        def step() -> None:
            try:
                item = json.loads(chosen)["chosen"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise VisitorError("host.gone") from error
            self.room.go_to(str(item))

        return self.doing(step)()

    def show(self) -> Update:
        """The portrait that waits may be shown."""
        waiting = self._next_waiting()
        programme = self._board.programme
        return self.doing(
            lambda: self.room.add(programme.approve(waiting[0])) if waiting else None,
            self._say("host.approved_wall" if waiting[2] == "wall" else "host.approved") if waiting else "",
        )()

    def later(self) -> Update:
        """The one that waits goes behind the others."""
        if waiting := self._next_waiting():
            self._put_off = [one for one in self._put_off if one != waiting[0]] + [waiting[0]]
        return self._show(self.room.now())

    def reject(self) -> Update:
        """The portrait that waits is not shown."""
        waiting = self._next_waiting()
        return self.doing(
            lambda: self._board.programme.reject(waiting[0]) if waiting else None,
            self._say("host.rejected") if waiting else "",
        )()

    def named(self, event: str) -> Update:
        """The event's name, for export and method card."""
        return self.doing(lambda: self.room.change(event=event.strip()[:100]))()

    def timed(self, seconds: str) -> Update:
        """When a round closes by itself."""
        return self.doing(lambda: self.room.change(seconds=int(seconds) if seconds in TIMES else 0))()

    def started(self, start: str) -> Update:
        """What portraits are drawn from, from now on."""

        def step() -> None:
            if start not in self._services.generator.model_set.starts:
                raise ChoiceError("The host page asked for a start that the model set does not have.")
            self.room.change(start=start)

        return self.doing(step)()

    def informed(self, ticks: str) -> Update:
        """Whether the sitter of the next rounds is in view."""
        return self.doing(lambda: self.room.change(informed=ticked(ticks)))()

    def familiar(self, ticks: str) -> Update:
        """Whether phones ask how well people know the sitter."""
        return self.doing(lambda: self.room.change(asks_familiarity=ticked(ticks)))()

    def hands(self, photograph: str, generated: str) -> Update:
        """A show of hands."""
        counts = [_number(text) for text in (photograph, generated)]
        if None in counts:
            return self._show(self.room.now(), self._say("host.hands_wrong", most=MOST_HANDS))
        count = Count(*(one or 0 for one in counts))
        return self.doing(lambda: self.room.hands(count), self._say("host.hands_done", n=count.answers))()

    # ---- what the page shows

    def _fair(self) -> Any:
        """Drawn anew only where somebody told a skin tone since: its intervals take a second."""
        drifts = self._services.store.drifts()
        if drifts != self._drifts:
            self._drifts = drifts
            self._chart = fairness_chart(self._say, drifts, self._titles)
        return self._chart

    def _show(self, now: Snapshot, sentence: str = "") -> Update:
        on, say, setting = self._on, self._say, now.setting
        last = setting.scene == Scene.ROOM and setting.is_last
        skipped = self.room.skipped(setting)
        follows = "made_ladder" if setting.scene == Scene.MADE and not skipped else setting.scene.value
        next_ = say("host.do_last") if last else f"{say(f'host.do_{follows}')}  {say('host.key_next')}"
        waiting = self._next_waiting() is not None
        return {
            on.bar: self._bar(),
            on.sheet: self._sheet(now),
            on.now: self._now(now),
            on.states: self._states(setting.scene, skipped),
            on.notice: markup.status(sentence) if sentence else "",
            on.next: gr.Button(next_, interactive=not last),
            on.blank: gr.Button(
                f"{say('host.unblank' if setting.blank else 'host.blank')}  {say('host.key_blank')}"
            ),
            on.live: self._live(now),
            on.waiting: self._waiting(),
            **{button: gr.Button(visible=waiting) for button in (on.show, on.later, on.reject)},
            on.rehearse: gr.Button(visible=not setting.rehearsing),
            on.end_rehearsal: gr.Button(visible=setting.rehearsing),
            on.reach: self._reach(),
            on.fair: self._fair(),
        }

    def _bar(self) -> str:
        say = self._say
        state = "yes" if self._board.reached else "no" if self._board.is_only_here else "not_yet"
        links = "".join(
            f'<a class="quiet" href="/api/host/{file}" download>{escape(say(key))}</a>'
            for key, file in (
                ("host.export_csv", "export.csv"),
                ("host.export_json", "export.json"),
                ("host.export_method", "method.md"),
                ("host.export_drift", "drift.csv"),
            )
        )
        return (
            f'<header class="bar">{markup.LOGO}<h1 class="hidden-text">{escape(say("host.title"))}</h1>'
            f"<p>{escape(say('host.reach'))} <b>{escape(say(f'host.reach_{state}'))}</b></p>"
            f'<p class="links">{links}<a class="quiet" href="/host/wall" target="_blank">'
            f'{escape(say("host.to_wall"))}</a><a class="quiet" href="/stage" target="_blank">'
            f"{escape(say('host.to_stage'))}</a></p></header>"
        )

    def _sheet(self, now: Snapshot) -> str:
        place, programme = now.setting.place, now.setting.programme
        words = {place: self._say("host.now_word"), place + 1: self._say("host.next_word")}
        frames = [
            Frame(item, f"{LOOK}{item}.jpg", f"{i + 1}", words.get(i, ""), on=i == place)
            for i, item in enumerate(programme)
        ]
        return value_of(frames)

    def _now(self, now: Snapshot) -> str:
        setting, say = now.setting, self._say
        state = say(f"host.{STATES[setting.scene]}")
        told = say("host.place", state=state, i=setting.place + 1, n=len(setting.programme))
        picture = f'<img src="{LOOK}{setting.item}.jpg" alt="">' if setting.item else ""
        return f'<div class="now"><div class="pic">{picture}</div></div><p class="state">{escape(told)}</p>'

    def _states(self, scene: Scene, skipped: frozenset[Scene]) -> str:
        untold = frozenset() if scene in TRUTH_KNOWN else frozenset({Scene.LADDER})  # a portrait may have one
        known = [one for one in SCENES if one not in skipped | untold]
        marks = {one: " aria-current=step" if one == scene else "" for one in known}
        items = "".join(
            f"<li{mark}>{escape(self._say(f'host.{STATES[one]}'))}</li>" for one, mark in marks.items()
        )
        return f'<ol class="states" aria-label="{escape(self._say("host.states"))}">{items}</ol>'

    def _live(self, now: Snapshot) -> str:
        numbers = ((now.answers, "host.answers"), (self._board.phones, "host.phones"))
        pairs = "".join(f"<div><dt>{escape(self._say(key))}</dt><dd>{n}</dd></div>" for n, key in numbers)
        return f'<dl class="live">{pairs}</dl>'

    def _waiting(self) -> str:
        say = self._say
        title = f'<h2 class="title2">{escape(say("host.approve"))} '
        waiting = self._next_waiting()
        if waiting is None:
            return f"{title}</h2>{markup.note(say('host.approve_none'))}"
        many = len(self._board.programme.waiting())
        return (
            f'{title}<span class="cnt">{many}</span></h2><div class="appr"><div class="pic">'
            f'<img src="{LOOK}{waiting[1]}.jpg" alt=""></div>'
            f"<p>{escape(say(f'host.approve_{waiting[2]}'))}</p></div>"
        )

    def _next_waiting(self) -> tuple[Any, str, str] | None:
        """The sitting to decide about, the item of its portrait, and what it is for: wall, ladder or lead."""
        waiting = self._board.programme.waiting()
        ordered = sorted(
            waiting, key=lambda one: self._put_off.index(one[0]) if one[0] in self._put_off else -1
        )
        if not ordered:
            return None
        sitting, found = ordered[0]
        alone = "ladder" if found.has_ladder else "lead"
        return sitting, found.item.id, "wall" if found.is_misfire else alone

    def _reach(self) -> str:
        say, board = self._say, self._board
        if board.is_only_here:
            return markup.note(say("host.reach_here"))
        label = escape(say("stage.qr", link=board.link))
        code = f'<div class="qr" role="img" aria-label="{label}">{qr(board.url)}</div>'
        return f"{code}<p>{escape(say('host.link', link=board.link))}</p>{markup.note(say('host.reach_try'))}"


def _number(text: str) -> int | None:
    """A count of hands; None for what is none."""
    text = str(text).strip()
    return int(text) if text.isascii() and text.isdecimal() and int(text[:6]) <= MOST_HANDS else None

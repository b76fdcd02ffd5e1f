"""What stands where on the host page, inside the Blocks that the caller opened."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from pages import markup
from pages.components.choice import Option, choice
from pages.components.consent import tick
from pages.components.peek import peek
from pages.components.sheet import sheet
from pipelines.draw.model_set import Start
from words import Words

HostParts = dict[str, Any]
part = partial(markup.part, "host/parts.html")
TIMES = ("0", "20", "30", "60")  # seconds until a round closes by itself


@dataclass(frozen=True, eq=False)
class Host:
    """Every part of the page that is filled or answers."""

    bar: gr.HTML
    sheet: gr.HTML
    broken: gr.HTML
    now: gr.HTML
    seen: gr.Textbox
    states: gr.HTML
    notice: gr.HTML
    next: gr.Button
    back: gr.Button
    blank: gr.Button
    replay: gr.Button
    live: gr.HTML
    suspects: gr.HTML
    remove_suspects: gr.Button
    accept_suspects: gr.Button
    waiting: gr.HTML
    show: gr.Button
    later: gr.Button
    reject: gr.Button
    event: gr.Textbox
    timer: gr.HTML
    start: gr.HTML
    start_note: gr.HTML
    informed: gr.HTML
    familiar: gr.HTML
    order: gr.Button
    hands: tuple[gr.Textbox, ...]
    hands_go: gr.Button
    rehearse: gr.Button
    end_rehearsal: gr.Button
    reach: gr.HTML
    code: gr.Button
    fair: gr.HTML
    fleet: gr.HTML
    clock: gr.Timer

    def outputs(self) -> list[gr.HTML | gr.Textbox | gr.Button]:
        """What changes by itself; what the host is typing is left alone."""
        return [
            *(
                self.bar,
                self.sheet,
                self.now,
                self.seen,
                self.states,
                self.notice,
                self.next,
                self.blank,
                self.live,
            ),
            *(self.broken, self.suspects, self.remove_suspects, self.accept_suspects),
            *(
                self.waiting,
                self.show,
                self.later,
                self.reject,
                self.rehearse,
                self.end_rehearsal,
                self.reach,
                self.fair,
                self.fleet,
            ),
        ]


def lay_out(words: Words, starts: Sequence[Start], why: str = "") -> Host:
    """All of it; `starts` is what the model set can draw portraits from, `why` says why it draws."""
    with gr.Column(elem_classes=["fv", "host"]):
        bar = _html("")
        with gr.Row(elem_classes=["hostgrid"], equal_height=False):
            parts = {**_deck(words), **_stage(words), **_controls(words)}
        with gr.Row(elem_classes=["hostgrid", "setup"], equal_height=False):
            parts |= {**_setup(words, starts), **_without_phones(words), **_reach(words)}
        with _part(words.say("fair.title"), "wide"):
            parts["fair"] = _html("")
        with _part(words.say("host.draws"), "wide"):
            _html(markup.note(why))
            parts["fleet"] = _html("")
    return Host(bar=bar, clock=gr.Timer(1.0), **parts)


def _deck(words: Words) -> HostParts:
    say = words.say
    with _part(say("host.deck")):
        return {
            "sheet": sheet(say("host.deck")),
            "broken": _html("", visible=False),
            "order": gr.Button(say("host.order")),
        }


def _stage(words: Words) -> HostParts:
    say = words.say
    with _part(say("host.stage"), "onstage"):
        parts: HostParts = {"now": _html(""), "live": _html(""), "suspects": _html("", visible=False)}
        with gr.Row():
            for name in ("remove_suspects", "accept_suspects"):
                label = say(f"host.suspects_{name.removesuffix('_suspects')}")
                parts[name] = gr.Button(label, visible=False, min_width=80)
        peek(say("host.split"), words.template("host.split_told"), say("host.hidden"))
        return parts


def _controls(words: Words) -> HostParts:
    say = words.say
    with _part(say("host.states"), "ctl", hidden=True):
        parts: HostParts = {"states": _html(""), "notice": _html("")}
        parts["seen"] = gr.Textbox(visible="hidden", container=False)  # where the page saw the room
        parts["next"] = gr.Button("", variant="primary", elem_classes=["go"], elem_id="host-next")
        with gr.Row():
            for name in ("back", "blank", "replay"):
                label = f"{say(f'host.{name}')}  {say(f'host.key_{name}')}"
                parts[name] = gr.Button(label, min_width=80, elem_id=f"host-{name}")  # keys press it
        parts["waiting"] = _html("")
        with gr.Row():
            for name in ("show", "later", "reject"):
                parts[name] = gr.Button(say(f"host.{name}"), visible=False, min_width=80)
        return parts


def _setup(words: Words, starts: Sequence[Start]) -> HostParts:
    say, either = words.say, len(starts) > 1
    begins = [Option(start, say(f"host.start_{start}")) for start in sorted(starts, reverse=True)]
    options = [Option(seconds, _time(words, seconds)) for seconds in TIMES]
    with _part(say("host.setup")):
        return {
            "event": gr.Textbox(label=say("host.event"), max_length=100, elem_classes=["code"]),
            "timer": choice("timer", say("host.timer"), options, TIMES[0], "seg"),
            "informed": tick(say("host.informed")),
            "familiar": tick(say("host.familiar")),
            "start": choice("start", say("host.start"), begins, starts[0], "seg", visible=either),
            "start_note": _html(markup.note(say("host.start_note")), visible=either),
        }


def _without_phones(words: Words) -> HostParts:
    say = words.say
    with _part(say("host.hands")):
        _html(markup.note(say("host.hands_note")))
        with gr.Row():
            hands = tuple(
                gr.Textbox(label=say(f"host.hands_{kind}"), max_length=5, min_width=80)
                for kind in ("photograph", "generated")
            )
        parts: HostParts = {"hands": hands, "hands_go": gr.Button(say("host.hands_go"))}
        _html(part("title", say("host.rehearse"), False))
        _html(markup.note(say("host.rehearse_note")))
        parts["rehearse"] = gr.Button(say("host.rehearse"))
        parts["end_rehearsal"] = gr.Button(say("host.rehearse_end"), visible=False)
        return parts


def _reach(words: Words) -> HostParts:
    say = words.say
    with _part(say("host.reach_title")):
        parts: HostParts = {"reach": _html(""), "code": gr.Button(say("host.code_new"))}
        _html(markup.note(say("host.code_note")))
        return parts


def _time(words: Words, seconds: str) -> str:
    return words.say("host.timer_off") if seconds == "0" else words.say("host.timer_s", s=seconds)


@contextmanager
def _part(title: str, kind: str = "", hidden: bool = False) -> Iterator[None]:
    with gr.Column(elem_classes=["part", *kind.split()]):
        _html(part("title", title, hidden))
        yield


def _html(text: str, visible: bool = True) -> gr.HTML:
    return gr.HTML(text, apply_default_css=False, visible=visible)

"""What stands where on the host page, inside the Blocks that the caller opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import gradio as gr

from pages import markup
from pages.components.choice import Option, choice
from pages.components.consent import tick
from pages.components.peek import peek
from pages.components.sheet import sheet
from words import Words

TIMES = ("0", "20", "30", "60")  # seconds until a round closes by itself


@dataclass(frozen=True, eq=False)
class Host:
    """Every part of the page that is filled or answers."""

    bar: gr.HTML
    sheet: gr.HTML
    now: gr.HTML
    states: gr.HTML
    notice: gr.HTML
    next: gr.Button
    back: gr.Button
    blank: gr.Button
    replay: gr.Button
    live: gr.HTML
    waiting: gr.HTML
    show: gr.Button
    later: gr.Button
    reject: gr.Button
    event: gr.Textbox
    timer: gr.HTML
    informed: gr.HTML
    familiar: gr.HTML
    order: gr.Button
    hands: tuple[gr.Textbox, gr.Textbox]
    hands_go: gr.Button
    rehearse: gr.Button
    end_rehearsal: gr.Button
    reach: gr.HTML
    code: gr.Button
    clock: gr.Timer

    def shown(self) -> list[gr.HTML | gr.Button]:
        """What changes by itself; what the host is typing is left alone."""
        return [
            *(self.bar, self.sheet, self.now, self.states, self.notice, self.next, self.blank, self.live),
            *(
                self.waiting,
                self.show,
                self.later,
                self.reject,
                self.rehearse,
                self.end_rehearsal,
                self.reach,
            ),
        ]


def lay_out(words: Words) -> Host:
    """All of it."""
    say = words.say
    with gr.Column(elem_classes=["fv", "host"]):
        bar = _html("")
        with gr.Row(elem_classes=["hostgrid"], equal_height=False):
            with _part(say("host.deck")):
                deck = sheet(say("host.deck"))
                order = gr.Button(say("host.order"))
            with _part(say("host.stage"), "onstage"):
                now = _html("")
                live = _html("")
                split = peek(say("host.split"), words.template("host.split_told"), say("host.hidden"))
                del split  # asks for itself
            with _part(say("host.states"), "ctl", hidden=True):
                states, notice = _html(""), _html("")
                next_ = gr.Button("", variant="primary", elem_classes=["go"])
                with gr.Row():
                    back = gr.Button(f"{say('host.back')}  {say('host.key_back')}")
                    blank = gr.Button("")
                    replay = gr.Button(f"{say('host.replay')}  {say('host.key_replay')}")
                waiting = _html("")
                with gr.Row():
                    show = gr.Button(say("host.show"), visible=False)
                    later = gr.Button(say("host.later"), visible=False)
                    reject = gr.Button(say("host.reject"), visible=False)
        with gr.Row(elem_classes=["hostgrid", "setup"], equal_height=False):
            with _part(say("host.setup")):
                event = gr.Textbox(label=say("host.event"), max_length=100, elem_classes=["code"])
                options = [Option(one, _time(words, one)) for one in TIMES]
                timer = choice("timer", say("host.timer"), options, TIMES[0], "seg")
                informed, familiar = tick(say("host.informed")), tick(say("host.familiar"))
            with _part(say("host.hands")):
                _html(markup.note(say("host.hands_note")))
                with gr.Row():
                    hands = tuple(
                        gr.Textbox(label=say(f"host.hands_{kind}"), max_length=5, elem_classes=["code"])
                        for kind in ("photograph", "generated")
                    )
                hands_go = gr.Button(say("host.hands_go"))
                _html(f"<h2>{escape(say('host.rehearse'))}</h2>" + markup.note(say("host.rehearse_note")))
                rehearse = gr.Button(say("host.rehearse"))
                end = gr.Button(say("host.rehearse_end"), visible=False)
            with _part(say("host.reach_title")):
                reach = _html("")
                code = gr.Button(say("host.code_new"))
                _html(markup.note(say("host.code_note")))
    return Host(
        bar=bar,
        sheet=deck,
        now=now,
        states=states,
        notice=notice,
        next=next_,
        back=back,
        blank=blank,
        replay=replay,
        live=live,
        waiting=waiting,
        show=show,
        later=later,
        reject=reject,
        event=event,
        timer=timer,
        informed=informed,
        familiar=familiar,
        order=order,
        hands=(hands[0], hands[1]),
        hands_go=hands_go,
        rehearse=rehearse,
        end_rehearsal=end,
        reach=reach,
        code=code,
        clock=gr.Timer(1.0),
    )


def _time(words: Words, seconds: str) -> str:
    return words.say("host.timer_off") if seconds == "0" else words.say("host.timer_s", s=seconds)


@contextmanager
def _part(title: str, kind: str = "", hidden: bool = False) -> Iterator[None]:
    with gr.Column(elem_classes=["part", *kind.split()]):
        _html(f'<h2 class="{"hidden-text" if hidden else "title2"}">{escape(title)}</h2>')
        yield


def _html(text: str) -> gr.HTML:
    return gr.HTML(text, apply_default_css=False)

"""The booth's one page: `booth_page` lays it out and wires it.

`screens` says what each is made of, `layout` what stands where, `views` fills it from a visit, `actions` and
`climbing` answer events, `dial` knows what the dial asks for, `story` tells a making.
"""

from typing import Any

import gradio as gr

from booth.visit import Stage
from pages.booth.actions import Actions
from pages.booth.climbing import Climbing
from pages.booth.layout import Layout
from pages.booth.lending import wire_lent
from pages.booth.screens import Screens
from services import Services
from votes.schema import Kind


def booth_page(services: Services) -> gr.Blocks:
    """Lay out and wire."""
    page = gr.Blocks(title="Face Value", fill_width=True, analytics_enabled=False)
    with page:
        screens = Layout(services).screens()
        does = Actions(services, screens)
        wire(page, screens, does)
        wire_making(screens, does)
        wire_ladder(screens, does, Climbing(services, screens))
        if services.signs_in:
            wire_lent(page, screens, services)
    services.visits.on_forget = lambda session: forget_outputs(page, session)
    return page


def forget_outputs(page: gr.Blocks, session: str) -> None:
    """Drop the outputs, pictures among them, that Gradio keeps of a session long after its tab."""
    if kept := getattr(page, "state_holder", None):  # from launch on
        kept.session_data.pop(session, None)
        kept.time_last_used.pop(session, None)


def quick(screens: Screens) -> dict[str, Any]:
    """For events that are answered at once, without waiting in Gradio's queue."""
    return {"outputs": screens.components(), "queue": False, "show_progress": "hidden"}


def wire(page: gr.Blocks, on: Screens, does: Actions) -> None:
    """Who answers which event, but for the making."""
    at_once = quick(on)
    page.load(does.open, **at_once)
    page.unload(does.close)
    on.idle.click(does.leave, **at_once)
    on.welcome.start.click(does.go(Stage.CONSENT), **at_once)
    on.welcome.quiet["withdraw"].click(does.go(Stage.WITHDRAW), **at_once)
    on.withdraw.go.click(does.withdraw, on.withdraw.code, **at_once)
    on.withdraw.code.submit(does.withdraw, on.withdraw.code, **at_once)
    on.withdraw.back.click(does.go(Stage.WELCOME), **at_once)
    on.consent.go.click(does.consent, on.consent.ticks, **at_once)
    on.camera.camera.done(does.photos_taken, **at_once)
    on.look.quiet["photos"].click(does.go(Stage.CAMERA), **at_once)
    on.result.show.input(does.allow_show, [on.result.show, on.result.portraits], **at_once)
    on.result.misfire.input(does.allow_misfire, [on.result.misfire, on.result.portraits], **at_once)
    on.result.portraits.input(does.choose_another, on.result.portraits, **at_once)
    on.result.ask.click(does.ask_machine, on.result.portraits, **at_once)
    on.result.guess.click(does.go(Stage.VOTE), **at_once)
    on.result.quiet["again"].click(does.go(Stage.LOOK), **at_once)
    for kind in Kind:
        on.vote.buttons[kind].click(does.answer(kind), **at_once)
    on.vote.next.click(does.next, **at_once)
    on.vote.quiet["stop"].click(does.go(Stage.GOODBYE), **at_once)
    on.goodbye.done.click(does.leave, **at_once)
    on.goodbye.band.input(does.tell_band, on.goodbye.band, **at_once)
    on.goodbye.quiet["back"].click(does.go(Stage.RESULT), **at_once)
    on.delete.yes.click(does.delete, **at_once)
    on.delete.no.click(does.keep, **at_once)
    for stage in (Stage.CONSENT, Stage.CAMERA, Stage.LOOK):
        on.of(stage).quiet["over"].click(does.leave, **at_once)
    for stage in (Stage.RESULT, Stage.GOODBYE):
        on.of(stage).quiet["delete"].click(does.go(Stage.DELETE), **at_once)


def wire_making(on: Screens, does: Actions) -> None:
    """A generator can be cancelled and waits its turn; switching the screen must not wait."""
    at_once = quick(on)
    last: dict[str, Any] = {**at_once, "trigger_mode": "always_last"}  # taps may be faster than answers
    on.look.count.input(does.count_chosen, on.look.count, **last)
    on.look.dial.input(does.dial_turned, on.look.dial, **last)
    begun = on.look.go.click(does.begin, **at_once, trigger_mode="multiple")
    begun.then(
        does.make,
        [on.look.look, on.look.expression, on.look.count, on.look.dial],
        on.components(),
        concurrency_limit=None,  # the booth's own line says who is next
        show_progress="hidden",
        trigger_mode="multiple",
    )
    on.making.stop.click(does.stop, **at_once)


def wire_ladder(on: Screens, does: Actions, climbs: Climbing) -> None:
    """Drawn like a making, shown beside the result."""
    at_once = quick(on)
    begun = on.result.quiet["ladder"].click(
        climbs.begin, on.result.portraits, **at_once, trigger_mode="multiple"
    )
    begun.then(
        climbs.draw,
        None,
        on.components(),
        concurrency_limit=None,  # as for the making
        show_progress="hidden",
        trigger_mode="multiple",
    )
    on.ladder.show.input(climbs.allow, [on.ladder.show, on.ladder.portraits], **at_once)
    on.ladder.quiet["back"].click(does.go(Stage.RESULT), **at_once)

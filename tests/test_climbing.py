"""The ladder on the booth: drawn step by step, left, shown with leave and taken back."""

import asyncio
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from booth.catalogue import STEPS
from booth.visit import ScreenName
from errors import NoFleet, NoGpu, OutOfMemory, QuotaSpent
from pages.booth.page import BoothPage
from pages.booth.screens.ladder import LadderScreen
from pages.host.layout import Host, lay_out
from pages.host.page import Handlers
from pages.stage.scenes import Scenes
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Progress, Rendering
from pipelines.draw.model_set import read_model_sets
from pipelines.ladder import RUNGS, rungs, share_left
from pipelines.look import read_looks
from pipelines.marks.verify import Proof, ProofVerdict, prove
from pipelines.measure.likeness import Level, Measure
from pipelines.order import Order
from pipelines.selfie.photo import Photo
from services import Services
from tests.test_booth import (
    TICKED,
    WORDS,
    Painter,
    Updates,
    page_of,
    picture_of,
    sat_down,
    services,
    shown,
    visit_of,
    visitor,
)
from votes.rounds import Scene
from votes.studies import read_studies

__all__ = ["services"]  # the fixture


class Fader(Painter):
    """Draws the plate, greyer the stronger it is asked to; remembers what it was asked."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.fails_at: Exception | None = failure
        self.asked: list[tuple[float | None, tuple[int, ...]]] = []
        self.plates: list[tuple[Any, ...]] = []

    def draw(self, request: DrawRequest) -> Iterator[Progress | Rendering]:
        self.asked.append((request.strength, request.seeds))
        self.plates.append(request.plates)
        if self.fails_at and request.strength and request.strength > 0.5:
            raise self.fails_at
        share = request.strength or 0.0
        for i, seed in enumerate(request.seeds):
            image = (request.plates[i] * (1 - share) + 128 * share).astype(np.uint8)
            yield Progress(i, 1, 1, 1, (image,))
            yield Rendering(image, i, seed, "plate", request.strength, 20, 3, 0.1)


def sat(
    services: Services, astronaut: Photo, fader: Fader | None = None
) -> tuple[Services, Any, BoothPage, LadderScreen]:
    """A visitor before their two portraits."""
    painter: Any = fader or Fader()
    services = replace(services, generator=painter)
    does, on, _ = sat_down(services, astronaut)
    return services, does, on, on.ladder


def climbed(climbs: LadderScreen, portrait: int = 1) -> Updates:
    began = climbs.begin(json.dumps({"chosen": portrait}), visitor())
    return [began, *climbs.draw(visitor())]


def test_a_ladder_is_drawn_step_by_step_beside_the_photograph(services: Services, astronaut: Photo) -> None:
    fader = Fader()
    services, _, on, climbs = sat(services, astronaut, fader)
    before = len(fader.asked)
    updates = climbed(climbs)
    assert {screen for update in updates for screen in shown(on, update)} == {"ladder"}
    values = [json.loads(one[on.ladder.portraits].value) for one in updates if on.ladder.portraits in one]
    assert [len(value["portraits"]) for value in values] == list(range(len(RUNGS) + 1))
    assert values[0]["photograph"]["url"]  # is there while they wait
    assert [value["chosen"] for value in values[1:]] == list(range(len(RUNGS)))
    captions = [one["caption"] for one in values[-1]["portraits"]]
    assert captions == ["85 %", "70 %", "55 %", "40 %", "25 %", "10 %"]
    files = [picture_of(services, one["url"]) for one in values[-1]["portraits"]]
    spread = [np.asarray(Image.open(io.BytesIO(file))).std() for file in files]
    assert spread == sorted(spread, reverse=True)  # in the order of the captions
    assert {prove(file, services.signer.own_chain()).said for file in files} == {"ai"}
    visit = visit_of(services)
    making = visit.finished_making()
    assert making.result().pairs[1].facts["seed"] == fader.asked[before][1][0]
    assert [strength for strength, _ in fader.asked[before:]] == list(RUNGS)
    assert len({seeds for _, seeds in fader.asked[before:]}) == 1
    (plate,) = [
        plate
        for plate, seed in zip(fader.plates[0], fader.asked[0][1], strict=True)
        if seed == fader.asked[before][1][0]
    ]
    assert all(np.array_equal(plates[0], plate) for plates in fader.plates[before:])  # its light and crop


def test_each_step_says_what_it_changed_and_all_six_can_be_taken_home(
    services: Services, astronaut: Photo
) -> None:
    services, _, on, climbs = sat(services, astronaut)
    last = climbed(climbs)[-1]
    assert last[on.ladder.report].count("data-portrait") == len(RUNGS)
    told = re.findall(r'data-portrait="(\d)"( hidden)?>', last[on.ladder.report])
    assert [number for number, hidden in told if not hidden] == ["5"]  # that of the picture that is large
    assert WORDS.say("likeness.level_unchanged") in last[on.ladder.report].partition('data-portrait="1"')[0]
    visit = visit_of(services)
    drawn = visit.finished_making().ladder
    assert visit.sitting and drawn and drawn.strip
    assert f"pictures/{drawn.strip}?take=1" in last[on.ladder.take]
    (taken,) = [one for one in services.album.downloads(visit.sitting) if one.name == "ai-ladder.jpg"]
    assert prove(taken.jpeg, services.signer.own_chain()) == Proof(ProofVerdict.OURS, "ai")
    width, height = Image.open(io.BytesIO(taken.jpeg)).size
    assert width > 6 * height / 2


class Answers:
    """Stands where the face-recognition program stands: an answer a question, from first to last."""

    refusal = ""

    def __init__(self, *levels: Level) -> None:
        self.left = list(levels)
        self.asked = 0

    def answer(self, selfies: Any, portrait: Any) -> Measure:
        self.asked += 1
        level = self.left.pop(0)
        return Measure(
            "recognition", level, f"likeness.recognition_{level.replace(' ', '_')}", value=-314.159
        )


ASKED = (Level.UNCHANGED, Level.UNCHANGED, Level.A_LITTLE, Level.A_LITTLE, Level.CLEARLY, Level.A_LITTLE)


def test_who_asked_the_program_hears_at_each_step_what_it_says_and_where_it_loses_them(
    services: Services, astronaut: Photo
) -> None:
    program: Any = Answers(Level.UNCHANGED, *ASKED)
    services, does, on, climbs = sat(replace(services, recognizer=program), astronaut)
    does.result.ask_program(json.dumps({"chosen": 1}), visitor())
    last = climbed(climbs)[-1]
    told = [html.unescape(one) for one in last[on.ladder.report].split("data-portrait=")[1:]]
    for i, level in enumerate(ASKED):
        assert WORDS.say(f"likeness.recognition_{level.replace(' ', '_')}") in told[i]
    lost = WORDS.say("ladder.lost", left="25\N{NO-BREAK SPACE}%")
    assert [lost in one for one in told] == [False] * 4 + [True] * 2
    drawn = visit_of(services).finished_making().ladder
    assert drawn and drawn.recognised == [str(level) for level in ASKED]  # words, no number
    assert "314.159" not in repr(vars(drawn))
    climbs.allow(TICKED, last[on.ladder.portraits].value, visitor())
    item, _ = on_stage(services)
    found = services.board.catalogue.exhibit(item)
    assert found and found.facts["recognised"] == ",".join(ASKED)


def test_who_did_not_ask_the_program_is_recognised_at_no_step(services: Services, astronaut: Photo) -> None:
    program: Any = Answers(Level.UNCHANGED)
    services, does, on, climbs = sat(replace(services, recognizer=program), astronaut)
    does.result.ask_program(json.dumps({"chosen": 0}), visitor())  # about another portrait
    last = climbed(climbs, portrait=1)[-1]
    assert program.asked == 1
    assert WORDS.say("likeness.recognition") not in last[on.ladder.report]
    climbs.allow(TICKED, last[on.ladder.portraits].value, visitor())
    found = services.board.catalogue.exhibit(on_stage(services)[0])
    assert found and "recognised" not in found.facts


def test_a_program_that_knows_all_six_is_said_to_at_the_last_step(
    services: Services, astronaut: Photo
) -> None:
    program: Any = Answers(*[Level.A_LITTLE] * 7)
    _, does, on, climbs = sat(replace(services, recognizer=program), astronaut)
    does.result.ask_program(json.dumps({"chosen": 1}), visitor())
    report = climbed(climbs)[-1][on.ladder.report]
    assert [WORDS.say("ladder.kept") in one for one in report.split("data-portrait=")[1:]] == [False] * 5 + [
        True
    ]


def test_asked_again_a_whole_ladder_is_shown_and_not_drawn(services: Services, astronaut: Photo) -> None:
    fader = Fader()
    _, does, on, climbs = sat(services, astronaut, fader)
    first = climbed(climbs)[-1]
    drawn = len(fader.asked)
    does.welcome.go(ScreenName.RESULT)(visitor())
    began, *then = climbed(climbs)
    assert began[on.ladder.portraits].value == first[on.ladder.portraits].value
    assert then == [{on.ladder.notice: gr.skip()}] and len(fader.asked) == drawn
    climbed(climbs, portrait=0)  # of another portrait it is another ladder
    assert len(fader.asked) == drawn + len(RUNGS)


def test_leaving_the_screen_ends_the_ladder_within_one_step(services: Services, astronaut: Photo) -> None:
    fader = Fader()
    services, does, on, climbs = sat(services, astronaut, fader)
    before = len(fader.asked)
    climbs.begin(json.dumps({"chosen": 0}), visitor())
    steps = climbs.draw(visitor())
    assert WORDS.say("ladder.step", i=1, n=len(RUNGS)) in next(steps)[on.ladder.steps]
    next(steps)
    assert shown(on, does.welcome.go(ScreenName.RESULT)(visitor())) == ["result"]
    assert list(steps) == [{on.ladder.notice: gr.skip()}]
    assert len(fader.asked) - before <= 2
    assert shown(on, does.open(visitor())) == ["result"]


def test_a_reload_comes_back_to_a_whole_ladder_and_to_the_result_from_half_of_one(
    services: Services, astronaut: Photo
) -> None:
    _, does, on, climbs = sat(services, astronaut)
    climbs.begin(json.dumps({"chosen": 0}), visitor())
    next(climbs.draw(visitor()))
    assert shown(on, does.open(visitor())) == ["result"]
    climbed(climbs, portrait=0)
    assert shown(on, does.open(visitor())) == ["ladder"]


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        (OutOfMemory(), "making.memory"),
        (QuotaSpent(), "ladder.quota"),
        (NoGpu(), "ladder.card"),
        (NoFleet(), "ladder.fleet"),
    ],
)
def test_what_the_machine_cannot_do_is_told_beside_the_portraits(
    services: Services, astronaut: Photo, failure: Exception, key: str
) -> None:
    _, _, on, climbs = sat(services, astronaut, Fader(failure))
    last = climbed(climbs)[-1]
    assert shown(on, last) == ["result"]
    assert WORDS.say(key) in html.unescape(last[on.result.notice])


@pytest.mark.parametrize("chosen", ["", "{}", '{"chosen": 9}', '{"chosen": "0"}', None])
def test_a_portrait_that_is_not_there_has_no_ladder(
    services: Services, astronaut: Photo, chosen: Any
) -> None:
    fader = Fader()
    _, _, on, climbs = sat(services, astronaut, fader)
    drawn = len(fader.asked)
    told = climbs.begin(chosen, visitor())
    assert shown(on, told) == ["result"] and "notice" in told[on.result.notice]
    assert list(climbs.draw(visitor())) == [{on.ladder.notice: gr.skip()}] and len(fader.asked) == drawn


def test_the_stage_shows_a_ladder_with_the_sitters_leave_for_it_only(
    services: Services, astronaut: Photo
) -> None:
    services, does, on, climbs = sat(services, astronaut)
    drawn = climbed(climbs)
    does.welcome.go(ScreenName.RESULT)(visitor())
    does.result.allow_stage(TICKED, json.dumps({"chosen": 1}), visitor())
    assert not on_stage(services)[1]  # that was for the portrait
    code = visit_of(services).sharing.stage_code
    page = drawn[-1][on.ladder.portraits].value
    told = climbs.allow(TICKED, page, visitor())
    assert code in told[on.ladder.code]  # the code that was noted down is still the one
    item, has_ladder = on_stage(services)
    assert has_ladder
    room = services.board.room
    room.add((item,))
    room.go_to(item)
    scenes, seen = Scenes(services, read_studies(), {}), {}
    while room.snapshot().room.scene != Scene.ROOM:
        now = room.next()
        seen[now.room.scene] = scenes.html(now)
    assert [scene for scene, told in seen.items() if "step-1.jpg" in told] == [Scene.LADDER]
    assert seen[Scene.LADDER].count("<img") == 1 + len(RUNGS) and "85 %" in seen[Scene.LADDER]
    frames = [services.board.catalogue.frame(item, name) for name in STEPS]
    spread = [frame.pixels.std() for frame in frames if frame]
    assert len(spread) == len(RUNGS) and spread == sorted(spread, reverse=True)
    climbs.allow("{}", page, visitor())
    assert services.board.catalogue.item(item) is None  # taken back, the portrait too


def test_back_from_a_ladder_the_portrait_it_was_about_is_large_and_its_leave_holds(
    services: Services, astronaut: Photo
) -> None:
    services, does, on, climbs = sat(services, astronaut)
    page = climbed(climbs, portrait=1)[-1][on.ladder.portraits].value
    climbs.allow(TICKED, page, visitor())
    back = does.welcome.go(ScreenName.RESULT)(visitor())
    assert json.loads(back[on.result.portraits].value)["chosen"] == 1
    assert (
        back[on.result.show].value == TICKED
        and visit_of(services).sharing.stage_code in back[on.result.show_note]
    )
    climbed(climbs, portrait=0)  # leave for one ladder is none for the next
    assert not visit_of(services).sharing.stage_code and services.board.catalogue.waiting() == ()


def test_a_page_that_shows_another_ladder_gives_no_leave(services: Services, astronaut: Photo) -> None:
    services, _, on, climbs = sat(services, astronaut)
    old = climbed(climbs, portrait=1)[-1][on.ladder.portraits].value
    climbed(climbs, portrait=0)
    for page in (old, "", "{}", '{"portraits": 3}', None):
        told = climbs.allow(TICKED, page, visitor())  # type: ignore[arg-type]
        assert WORDS.say("ladder.gone") in html.unescape(told[on.ladder.code])
    assert services.board.catalogue.waiting() == ()


def test_taken_back_the_rooms_copies_go(services: Services, astronaut: Photo, tmp_path: Path) -> None:
    _, _, on, climbs = sat(services, astronaut)
    page = climbed(climbs)[-1][on.ladder.portraits].value
    kept = [len(list(tmp_path.rglob("*.jpg")))]
    for ticks in (TICKED, TICKED, "{}"):
        climbs.allow(ticks, page, visitor())
        kept.append(len(list(tmp_path.rglob("*.jpg"))))
    assert kept[1] == kept[2] > kept[0] + len(RUNGS)  # ticked again, put once
    assert kept[3] == kept[0]


def test_whoever_waits_for_a_ladder_is_told_how_many_are_before_them(
    services: Services, astronaut: Photo
) -> None:
    services, _, on, climbs = sat(services, astronaut)
    with services.line.place() as first:
        assert services.line.count_ahead(first) == 0
        climbs.begin(json.dumps({"chosen": 0}), visitor())
        steps = climbs.draw(visitor())
        told = next(steps)[on.ladder.steps]
        assert WORDS.say("making.queue_one", s=services.line.turn_s) in told
    assert shown(on, list(steps)[-1]) == ["ladder"]


def test_a_set_without_a_dial_offers_no_ladder(services: Services) -> None:
    assert page_of(services)[1].result.ladder.visible
    painter: Any = Painter()
    painter.model_set = painter.model_set.model_copy(update={"starts": ("noise",), "start": "noise"})
    assert not page_of(replace(services, generator=painter))[1].result.ladder.visible


def test_a_step_is_called_by_what_it_was_given() -> None:
    order = Order(read_looks()["grey"])
    for name, left in (("mini", [85, 70, 55, 40, 25, 10]), ("sdxl-lightning", [88, 75, 50, 38, 25, 12])):
        assert [round(100 * share_left(one)) for one in rungs(order, read_model_sets()[name])] == left


def on_stage(services: Services) -> tuple[str, bool]:
    """The item that the host approves, and whether it has a ladder."""
    catalogue = services.board.catalogue
    (item,) = catalogue.approve(catalogue.waiting()[0][0])
    return item, catalogue.has_ladder(item)


def test_the_host_page_names_a_ladder_only_after_the_truth(services: Services) -> None:
    async def laid_out() -> Host:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(services.words, services.generator.model_set.starts)

    on = asyncio.run(laid_out())
    does, room = Handlers(services, on), services.board.room
    named: dict[bool, list[Scene]] = {True: [], False: []}
    for look, has_ladder in (("grey", True), ("white", False)):
        room.go_to(next(one for one in room.snapshot().room.programme if look_of(services, one) == look))
        while (scene := room.snapshot().room.scene) != Scene.ROOM:
            if WORDS.say("host.scene_ladder") in does.refresh()[on.states]:
                named[has_ladder].append(scene)
            room.next()
    assert named == {True: [Scene.TRUTH, Scene.MADE, Scene.LADDER], False: []}


def look_of(services: Services, item: str) -> str:
    found = services.board.catalogue.item(item)
    return found.look if found else ""


def test_delete_and_another_making_take_the_ladder_along(services: Services, astronaut: Photo) -> None:
    services, does, _, climbs = sat(services, astronaut)
    climbed(climbs)
    visit = visit_of(services)
    assert visit.making.ladder and visit.making.ladder.strip
    its = [*visit.making.ladder.pictures, visit.making.ladder.strip]
    assert all(services.album.has(picture) for picture in its)
    does.making.begin(visitor())  # make again
    assert not any(services.album.has(picture) for picture in its) and visit.making.ladder is None
    list(does.look.draw("grey", "", "1", "0", visitor()))
    climbed(climbs, portrait=0)
    again = list(visit.making.ladder.pictures)  # type: ignore[attr-defined]
    does.delete.delete(visitor())
    assert not any(services.album.has(picture) for picture in again) and visit.making is None

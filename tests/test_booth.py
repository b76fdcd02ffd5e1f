"""The booth's page without a browser: what each event does to a visit, and what the page then shows."""

import asyncio
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import gradio as gr
import numpy as np
import pytest
from gradio.routes import App
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.catalogue import Catalogue
from booth.line import Line
from booth.take_home import TakeHome
from booth.visit import GRACE_S, ScreenName, Visit
from booth.visits import Visits
from errors import NoFleet, NoGpu, NotDownloaded, OutOfMemory, PhotoError, QuotaSpent, VisitorError
from evaluation.drift import lighter
from pages import markup
from pages.board import Board
from pages.booth.page import WAS, BoothPage
from pages.booth.screens import look
from pages.booth.screens.goodbye import drift_of
from pages.components.consent import UNTICKED
from pages.guards.error_boundary import ErrorBoundary
from pages.guards.gate import COOKIE
from pages.guards.host_auth import HostAuth
from pages.guards.voters import Voters
from pages.look_pictures import LookPictures
from pages.stage.scenes import Scenes
from pages.take.routes import TakeHomePages
from pages.warmup import Warmup
from pipelines import sitting
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Progress, Rendering
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_expressions, read_looks
from pipelines.marks.note import read_mark
from pipelines.marks.signing import Signer
from pipelines.marks.verify import Proof, ProofVerdict, prove
from pipelines.measure.likeness import subject_in
from pipelines.measure.recognition import Recognizer
from pipelines.measure.tone import lab_of
from pipelines.selfie.check import SelfieVerdict
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.hints import FrameJudge
from pipelines.selfie.photo import Photo
from services import Services
from settings import Settings
from tests.decks import STARTER, read_once
from tests.remembering import RememberingLamps
from votes.room import Room
from votes.rounds import Scene
from votes.schema import Guess, Kind, Source, VoterId
from votes.store import Store
from votes.studies import read_studies
from votes.tally import FEWEST_ANSWERS
from words import read_words

ROOT = Path(__file__).parent.parent
WORDS = read_words()
STEPS = 3
TICKED = json.dumps({"agreed": True, "minor": False})
Updates = list[dict[Any, Any]]


class Painter:
    """Stands where the generator stands: paints each portrait in its own flat colour, and leaves it so."""

    model_set = read_model_sets()["mini"].model_copy(update={"finish": None})

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.steps_done = 0

    def load(self) -> None:
        if self.failure:
            raise self.failure

    def revisions(self) -> dict[str, str]:
        return {}

    def draw(self, request: DrawRequest) -> Iterator[Progress | Rendering]:
        self.load()
        width, height = self.model_set.canvas
        images = [np.full((height, width, 3), 60 + 40 * i, np.uint8) for i in range(len(request.seeds))]
        for step in range(1, STEPS + 1):
            self.steps_done = step
            yield Progress(0, len(images), step, STEPS, (images[0],))
        for i, image in enumerate(images):
            yield Rendering(image, i, request.seeds[i], "plate", 0.4, 20, STEPS, 0.1)


@pytest.fixture
def services(
    remembering: tuple[Any, Any], lamps: RememberingLamps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setattr(sitting, "set_up", lamps.set_up)
    seeds = count(1, 100)  # the same plates in every test, whose faces are then looked for once
    monkeypatch.setattr(look, "secrets", SimpleNamespace(randbelow=lambda _: next(seeds)))
    painter: Any = Painter()
    finder, studio = remembering
    looks, error_boundary = read_looks(), ErrorBoundary(WORDS)
    album = Album(tmp_path / "sittings", 30, 12)
    with Store("sqlite://") as store:
        deck = read_once(STARTER)
        catalogue = Catalogue(deck, album)
        board = Board(Room(store, catalogue), catalogue, Settings())
        line = Line()
        yield Services(
            words=WORDS,
            looks=looks,
            pictures=LookPictures(looks, finder, studio, painter, line),
            expressions=read_expressions(),
            why="Small offline model.",
            finder=finder,
            studio=studio,
            generator=painter,
            signer=Signer(tmp_path),
            fallback=None,
            store=store,
            album=album,
            deck=deck,
            visits=Visits(album, 30),
            line=line,
            recognizer=Recognizer(),
            frame_judge=FrameJudge(),
            error_boundary=error_boundary,
            warmup=Warmup([painter.load], error_boundary),
            board=board,
            host_auth=HostAuth("the host's key"),
            voters=Voters(store.voters_secret(), 1000, False, board.room.pardoned_until),
        )


def visitor(name: str = "one") -> Any:
    """As much of Gradio's request as a handler looks at."""
    return SimpleNamespace(session_hash=f"page of {name}", cookies={COOKIE: name})


def page_of(services: Services) -> tuple[BoothPage, BoothPage]:
    async def lay_out() -> BoothPage:
        with gr.Blocks(analytics_enabled=False) as page:
            booth = BoothPage(services)
            booth.wire(page)
            return booth

    with patch.object(App, "create_app"):  # nobody asks over HTTP: it would build 83 routes, twice
        booth = asyncio.run(lay_out())  # without a running loop Gradio makes three and closes none
    return booth, booth


def visit_of(services: Services, name: str = "one") -> Visit:
    return services.visits.of(name, f"page of {name}")


def agreed(services: Services, name: str = "one") -> tuple[BoothPage, BoothPage]:
    does, on = page_of(services)
    does.consent.agree(TICKED, visitor(name))
    return does, on


def face_in(services: Services, photo: Photo) -> Face:
    """The face, or a stand-in where a test needs a photo and no face."""
    try:
        return services.finder.find(photo)
    except PhotoError:
        nowhere, body = np.full((478, 3), np.nan, np.float32), np.full((33, 4), np.nan, np.float32)
        mask = np.zeros(photo.pixels.shape[:2], np.float32)
        return Face(photo, nowhere, body, mask, 0.0, 0.0, 0.0, SelfieVerdict("camera.good"))


def with_photo(services: Services, astronaut: Photo, name: str = "one") -> tuple[BoothPage, BoothPage]:
    does, on = agreed(services, name)
    visit = visit_of(services, name)
    visit.add(face_in(services, astronaut), visit.keep(b"thumbnail"))
    does.camera.take_photos(visitor(name))
    return does, on


def sat_down(services: Services, astronaut: Photo, count: str = "2") -> tuple[BoothPage, BoothPage, Updates]:
    does, on = with_photo(services, astronaut)
    does.making.begin(visitor())
    return does, on, list(does.look.draw("grey", "warm_smile", count, "0", visitor()))


def shown(on: BoothPage, update: dict[Any, Any]) -> list[str]:
    """The names of the screens that an update shows."""
    return [
        stage.value
        for stage in ScreenName
        if update.get(on.screens[stage].column, gr.Column(visible=False)).visible
    ]


def text_of(told: Any) -> str:
    """What a part shows, with words for it beside or without."""
    return str(getattr(told, "value", told))


def picture_of(services: Services, html: str) -> bytes:
    (found,) = re.findall(r"pictures/([\w-]+)", html)
    kept = services.album.get(found)
    assert kept is not None
    return kept.jpeg


# ---- consent and photos


@pytest.mark.parametrize(
    "ticks",
    ["", "null", "{}", '{"agreed": 1}', '{"agreed": "true"}', '{"agreed": false}', "[" * 9999, None, 7],
)
def test_only_the_tick_itself_is_a_yes(services: Services, ticks: Any) -> None:
    does, on = page_of(services)
    does.welcome.go(ScreenName.CONSENT)(visitor())
    told = does.consent.agree(ticks, visitor())
    assert shown(on, told) == ["consent"]
    assert WORDS.say("consent.missing") in told[on.consent.notice]
    assert not visit_of(services).has_consented


def test_the_look_screen_says_which_set_draws(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    assert services.generator.model_set.title in does.welcome.go(ScreenName.LOOK)(visitor())[on.look.runs]


def test_the_tick_opens_the_camera_which_gets_the_visits_own_ticket(services: Services) -> None:
    does, on = page_of(services)
    update = does.consent.agree(TICKED, visitor())
    assert shown(on, update) == ["camera"]
    assert json.loads(update[on.camera.camera].value)["ticket"] == visit_of(services).ticket
    assert visit_of(services, "other").ticket not in update[on.camera.camera].value


def test_a_page_cannot_jump_over_the_consent(services: Services) -> None:
    does, on = page_of(services)
    for forged in (
        does.camera.take_photos,
        does.making.begin,
        does.welcome.go(ScreenName.LOOK),
        does.welcome.go(ScreenName.VOTE),
    ):
        assert shown(on, forged(visitor())) == ["welcome"]
    assert list(does.look.draw("grey", "", "4", "0", visitor())) == [{on.making.notice: gr.skip()}]


def test_without_a_photo_there_is_no_look(services: Services) -> None:
    does, on = agreed(services)
    told = does.camera.take_photos(visitor())
    assert shown(on, told) == ["camera"]
    assert WORDS.say("camera.missing") in told[on.camera.notice]


def test_a_reload_comes_back_to_the_same_screen(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    assert shown(on, does.open(visitor())) == ["look"]
    assert shown(on, does.open(visitor("other"))) == []  # the welcome stands there already


def test_frames_drawn_for_a_page_that_was_closed_meanwhile_keep_no_visit_open(
    services: Services, astronaut: Photo
) -> None:
    does, _ = with_photo(services, astronaut)
    visit = visit_of(services)
    services.visits.close_page("page of one")
    does.look.draw_frames(visitor())
    assert visit.presence.closed is not None
    visit.presence.closed -= GRACE_S + 1
    services.visits.forget_expired()
    assert visit.is_over
    assert does.look.draw_frames(visitor()) == ""  # nor do they begin another


# ---- the making


def test_the_plate_comes_first_then_what_it_saw_then_real_steps_then_the_result(
    services: Services, astronaut: Photo
) -> None:
    _, on, updates = sat_down(services, astronaut)
    assert WORDS.say("making.loading") in updates[0][on.making.steps]
    firsts = [
        next(i for i, update in enumerate(updates) if sign in text_of(update.get(part, "")))
        for part, sign in (
            (on.making.plate, "<img"),
            (on.making.mesh, "<img"),
            (on.making.steps, "progressbar"),
            (on.making.preview, "<img"),
            (on.result.portraits, "pictures/"),
        )
    ]
    assert firsts == sorted(firsts)
    labels = [one[on.making.steps] for one in updates if "progressbar" in str(one.get(on.making.steps))]
    assert [re.findall(r"step (\d) of 3", label)[0] for label in labels] == ["1", "2", "3"]
    assert "--done:100%" in labels[-1]
    assert shown(on, updates[-1]) == ["result"]


def test_the_result_holds_the_photograph_and_every_portrait_each_marked_as_what_it_is(
    services: Services, astronaut: Photo
) -> None:
    _, on, updates = sat_down(services, astronaut, "4")
    result = json.loads(updates[-1][on.result.portraits].value)
    assert len(result["portraits"]) == 4
    files = [picture_of(services, one["url"]) for one in (result["photograph"], *result["portraits"])]
    marks = [repr(read_mark(file)) for file in files]
    assert "None" not in marks
    assert len(set(marks)) == 2  # one photograph, four from the plate
    proofs = [prove(file, services.signer.own_chain()) for file in files]
    assert {proof.verdict for proof in proofs} == {ProofVerdict.OURS}
    assert [proof.said for proof in proofs] == ["photograph", *["ai"] * 4]
    assert result["photograph"]["caption"] == WORDS.say("result.photo")


class Lightener(Painter):
    """Draws the plate, its skin lighter by so many L*, however often it is asked."""

    def __init__(self, *by: float) -> None:
        super().__init__()
        self._by = by

    def draw(self, request: DrawRequest) -> Iterator[Progress | Rendering]:
        for i, (seed, plate) in enumerate(zip(request.seeds, request.plates, strict=True)):
            with FaceFinder() as finder:
                found = subject_in(plate, finder)
            assert found
            image = lighter(self._by[i])(plate, found.landmarks, found.face.mask)
            yield Rendering(image, i, seed, "plate", 0.4, 20, STEPS, 0.1)


def test_what_changed_least_comes_first_and_mended_skin_is_a_file_beside_it(
    services: Services, astronaut: Photo
) -> None:
    painter: Any = Lightener(7, 4)
    _, on, updates = sat_down(replace(services, generator=painter), astronaut)
    visit = visit_of(services)
    assert visit.making.portraits is not None
    skins = [one.measures["skin"] for one in visit.making.portraits.likeness if one]
    assert [skin.key for skin in skins] == ["likeness.skin_a_little_more", "likeness.skin_clearly_more"]
    assert [skin.value for skin in skins] == [pytest.approx(4, abs=1.5), pytest.approx(7, abs=1.5)]
    result = json.loads(updates[-1][on.result.portraits].value)
    drawn, mended = (
        [skin_of(picture_of(services, one[kind])) for one in result["portraits"]] for kind in ("url", "tone")
    )
    assert drawn[1] - drawn[0] > 1.5
    assert mended[0] == pytest.approx(mended[1], abs=1)
    assert drawn[0] - mended[0] > 2
    for one, other in zip(result["portraits"], reversed(result["portraits"]), strict=True):
        portrait = small_of(services, one["url"])  # each stands beside the plate that it was drawn from
        own, others = (np.abs(portrait - small_of(services, print_["photograph"])) for print_ in (one, other))
        assert own.mean() < 0.5 * others.mean()
    taken = picture_of(services, result["portraits"][0]["tone"])
    assert prove(taken, services.signer.own_chain()) == Proof(ProofVerdict.OURS, "ai")
    told = re.findall(r"<p>([^<]*)</p>", updates[-1][on.result.report])
    assert told[0] == WORDS.say("likeness.skin_a_little_more")
    assert WORDS.say("home.skin_tone", i=2) in updates[-1][on.result.home.files]


def test_a_round_is_about_the_portrait_as_it_was_drawn(services: Services, astronaut: Photo) -> None:
    painter: Any = Lightener(7, 4)
    sat_down(replace(services, generator=painter), astronaut, "1")
    visit = visit_of(services)
    assert visit.making.portraits is not None and visit.making.portraits.tone_matched[0]
    exhibits = visit.making.portraits.pairs[0].exhibits
    assert skin_of(exhibits[Kind.GENERATED]) - skin_of(exhibits[Kind.PHOTOGRAPH]) > 5


def small_of(services: Services, url: str) -> Any:
    """That picture on the small set's canvas, float."""
    image = Image.open(io.BytesIO(picture_of(services, url))).convert("RGB")
    return np.asarray(image.resize((256, 320), Image.Resampling.BOX), np.float64)


def skin_of(jpeg: bytes) -> float:
    """Median L* of the middle of the face, on the small set's canvas."""
    small = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((256, 320))
    cheeks = np.asarray(small)[130:170, 95:161]
    return float(np.median(lab_of(cheeks)[..., 0]))


def test_stop_ends_the_making_within_one_step_and_keeps_the_photos(
    services: Services, astronaut: Photo
) -> None:
    does, on = with_photo(services, astronaut)
    painter: Any = services.generator
    does.making.begin(visitor())
    making = does.look.draw("grey", "", "2", "0", visitor())
    while painter.steps_done < 1:
        next(making)
    stopped = does.making.stop(visitor())
    assert list(making) == [{on.making.notice: gr.skip()}]
    assert painter.steps_done <= 2
    assert shown(on, stopped) == ["look"]
    assert WORDS.say("making.stopped") in stopped[on.look.notice]
    assert len(visit_of(services).selfies) == 1


def test_a_reload_stops_the_making_and_says_so(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    does.making.begin(visitor())
    making = does.look.draw("grey", "", "1", "0", visitor())
    next(making)
    reloaded = does.open(visitor())
    assert shown(on, reloaded) == ["look"]
    assert WORDS.say("making.stopped") in reloaded[on.look.notice]
    assert list(making) == [{on.making.notice: gr.skip()}]


def test_a_visit_that_goes_while_its_portraits_are_made_says_so(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    does.making.begin(visitor())
    making = does.look.draw("grey", "", "1", "0", visitor())
    next(making)
    services.visits.end(visit_of(services))
    last = list(making)[-1]
    assert shown(on, last) == ["welcome"]
    assert WORDS.say("visit.over") in last[on.welcome.notice]


def test_whoever_waits_is_told_how_many_are_before_them(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut, "one")
    with_photo(services, astronaut, "two")
    for name in ("one", "two"):
        does.making.begin(visitor(name))
    first = does.look.draw("grey", "", "1", "0", visitor("one"))
    next(first)
    second = does.look.draw("grey", "", "1", "0", visitor("two"))
    seconds = next(second)[on.making.steps]
    assert WORDS.say("making.queue_one", s=10) in seconds
    list(first)
    assert shown(on, list(second)[-1]) == ["result"]


def test_whoever_stops_waiting_leaves_the_line(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut, "one")
    with_photo(services, astronaut, "two")
    for name in ("one", "two"):
        does.making.begin(visitor(name))
    first = does.look.draw("grey", "", "1", "0", visitor("one"))
    next(first)
    second = does.look.draw("grey", "", "1", "0", visitor("two"))
    next(second)
    does.making.stop(visitor("two"))
    assert on.making.plate not in {part for update in second for part in update}
    assert shown(on, list(first)[-1]) == ["result"]


def test_two_taps_make_once(services: Services, astronaut: Photo) -> None:
    does, on, _ = sat_down(services, astronaut)
    assert list(does.look.draw("grey", "", "1", "0", visitor())) == [{on.making.notice: gr.skip()}]


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (OutOfMemory(), WORDS.say("making.memory")),
        (NotDownloaded("a/b", "mini"), WORDS.say("making.missing")),
        (RuntimeError("/secret/path"), WORDS.say("error.any", id="").partition("(")[0]),
    ],
)
def test_what_the_machine_cannot_do_is_one_sentence(
    services: Services, astronaut: Photo, failure: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    painter: Any = Painter(failure)
    services = replace(services, generator=painter)
    _, on, updates = sat_down(services, astronaut)
    assert shown(on, updates[-1]) == ["look"]
    assert sentence in updates[-1][on.look.notice]
    assert "/secret/path" not in str(updates[-1])
    assert ("RuntimeError at" in caplog.text) == isinstance(failure, RuntimeError)
    assert "/secret/path" not in caplog.text


@pytest.mark.parametrize("lacking", [QuotaSpent(), NoGpu(), NoFleet()])
def test_without_a_gpu_the_small_model_draws_and_the_page_says_why(
    services: Services, astronaut: Photo, lacking: NoGpu
) -> None:
    lent, small = Painter(lacking), services.generator
    borrowed: Any = lent
    _, on, updates = sat_down(replace(services, generator=borrowed, fallback=small), astronaut)
    assert shown(on, updates[-1]) == ["result"]
    assert WORDS.say(lacking.key) in html.unescape(updates[-1][on.result.report])


def test_who_steps_in_leaves_out_what_it_cannot_do_and_the_page_says_so(
    services: Services, astronaut: Photo
) -> None:
    lent, small = Painter(QuotaSpent()), services.generator
    lent.model_set = read_model_sets()["realvis-lightning"]
    borrowed: Any = lent
    does, on = with_photo(replace(services, generator=borrowed, fallback=small), astronaut)
    does.making.begin(visitor())
    updates = list(does.look.draw("grey", "serious", "1", "0", visitor()))  # her lips are open
    assert shown(on, updates[-1]) == ["result"]
    told = [str(update[on.making.notice]) for update in updates if on.making.notice in update]
    assert any(WORDS.say("making.plain") in sentence for sentence in told)
    assert WORDS.say("result.asked", x="Serious") not in updates[-1][on.result.report]


@pytest.mark.parametrize(
    "wish",
    [
        ("../../etc", "", "1", "0"),
        ("grey", "../x", "1", "0"),
        ("grey", "", "99", "0"),
        ("grey", "", None, "0"),
        ({}, [], "1", "0"),
        ("grey", "", "1", "much"),
        ("grey", "", "1", "3"),
        ("grey", "", "1", "٢"),
        ("grey", "", "1", 2),
        ("grey", "", "1", ["2"]),
    ],
)
def test_a_forged_wish_is_refused_by_one_sentence(
    services: Services, astronaut: Photo, wish: Any, caplog: pytest.LogCaptureFixture
) -> None:
    does, on = with_photo(services, astronaut)
    does.making.begin(visitor())
    last = list(does.look.draw(*wish, visitor()))[-1]
    assert WORDS.say("error.any", id="").partition("(")[0] in last[on.look.notice]
    assert "ChoiceError at" not in caplog.text  # it is a refusal, no failure of ours


@pytest.mark.parametrize("count", [[], {}, None, 2, "99"])
def test_a_forged_number_is_one_sentence(services: Services, count: Any) -> None:
    does, on = page_of(services)
    assert does.look.choose_count(count, visitor())[on.look.notice]


# ---- the questions


def asked_about(services: Services, name: str = "one") -> Any:
    quiz = visit_of(services, name).making.quiz
    assert quiz is not None
    return quiz.current()


def test_a_visitor_is_asked_about_one_of_each_pair_and_one_of_their_own(
    services: Services, astronaut: Photo
) -> None:
    does, on, _ = sat_down(services, astronaut)
    update = does.welcome.go(ScreenName.VOTE)(visitor())
    items, exposed = [], []
    while shown(on, update) == ["vote"]:
        question = asked_about(services).question
        items.append(question.item)
        exposed.append(question.exposed)
        does.vote.answer(Kind.GENERATED)(visitor())
        update = does.vote.next(visitor())
    assert shown(on, update) == ["goodbye"]
    assert len(items) == 7
    assert exposed.count(True) == 1
    assert [guess.exposed for guess in services.store.guesses()] == exposed
    assert len({item.id for item in items}) == 7


def test_who_sat_with_a_sample_face_has_seen_the_decks_sitters_in_that_look(
    services: Services, astronaut: Photo
) -> None:
    does, _ = agreed(services)
    visit = visit_of(services)
    visit.add(face_in(services, astronaut), visit.keep(b"thumbnail"), is_sample=True)
    does.camera.take_photos(visitor())
    does.making.begin(visitor())
    list(does.look.draw("black", "", "1", "0", visitor()))
    assert visit.making.quiz is not None
    seen = [one for one in visit.making.quiz._questions if one.exposed]
    assert {one.item.look for one in seen} == {"black"}
    assert len(seen) == 2  # the deck's, and one of their own


def test_the_truth_that_is_kept_is_that_of_the_picture_shown(services: Services, astronaut: Photo) -> None:
    truths = set[Kind]()
    sat_down(services, astronaut)
    while truths != set(Kind):  # chance says whose turn it is
        visit = visit_of(services)
        assert visit.making.quiz is not None
        own = next(one for one in visit.making.quiz._questions if not one.credit)
        painted = np.asarray(Image.open(io.BytesIO(own.jpeg()))).std() < 1  # the painter paints flat colours
        assert painted == (own.item.truth == Kind.GENERATED)
        truths.add(own.item.truth)
        again(services)


def test_serious_is_offered_where_the_lips_meet(services: Services, astronaut: Photo, hopper: Photo) -> None:
    for photo, is_offered in ((hopper, True), (astronaut, False)):
        does, on = agreed(services)
        visit = visit_of(services)
        visit.add(face_in(services, photo), visit.keep(b"thumbnail"))
        update = does.camera.take_photos(visitor())
        hidden = '[name="expression"][value="serious"]' in update[on.look.runs]
        assert hidden != is_offered and 'value="warm_smile"' not in update[on.look.runs]
        does.welcome.leave(visitor())


def test_an_expression_that_this_face_cannot_be_given_is_one_sentence(
    services: Services, astronaut: Photo
) -> None:
    does, on = with_photo(services, astronaut)
    does.making.begin(visitor())
    updates = list(does.look.draw("grey", "serious", "1", "0", visitor()))
    assert WORDS.say("expression.open") in updates[-1][on.look.notice]
    assert len(visit_of(services).selfies) == 1  # nothing is lost


def again(services: Services) -> tuple[BoothPage, BoothPage, Updates]:
    does, on = page_of(services)
    does.welcome.go(ScreenName.LOOK)(visitor())
    does.making.begin(visitor())
    return does, on, list(does.look.draw("grey", "", "1", "0", visitor()))


def test_the_question_tells_nothing_of_the_truth(services: Services, astronaut: Photo) -> None:
    does, on, _ = sat_down(services, astronaut)
    pages: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    sizes: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    update = does.welcome.go(ScreenName.VOTE)(visitor())
    while shown(on, update) == ["vote"]:
        truth = asked_about(services).question.item.truth
        file = picture_of(services, update[on.vote.picture])
        image = Image.open(io.BytesIO(file))
        assert read_mark(file) is None
        sizes[truth].add(f"{len(file)} {image.size} {image.quantization}")
        text = "".join(str(update[part]) for part in (on.vote.picture, on.vote.words, on.vote.notice))
        pages[truth].add(re.sub(r"pictures/[\w-]+|\d+", "", text))
        does.vote.answer(Kind.PHOTOGRAPH)(visitor())
        update = does.vote.next(visitor())
    assert pages[Kind.PHOTOGRAPH] == pages[Kind.GENERATED]
    assert sizes[Kind.PHOTOGRAPH] == sizes[Kind.GENERATED]
    assert len(sizes[Kind.PHOTOGRAPH]) == 1


@pytest.mark.parametrize("said", list(Kind))
def test_after_the_answer_the_truth_is_told(services: Services, astronaut: Photo, said: Kind) -> None:
    does, on, _ = sat_down(services, astronaut)
    update = does.welcome.go(ScreenName.VOTE)(visitor())
    told = {
        (Kind.PHOTOGRAPH, Kind.PHOTOGRAPH): "You said photograph. It was.",
        (Kind.GENERATED, Kind.GENERATED): "You said AI. It was.",
        (Kind.PHOTOGRAPH, Kind.GENERATED): "You said photograph. It was AI.",
        (Kind.GENERATED, Kind.PHOTOGRAPH): "You said AI. It was a photograph.",
    }
    while shown(on, update) == ["vote"]:
        truth = asked_about(services).question.item.truth
        update = does.vote.answer(said)(visitor())
        assert told[said, truth] in update[on.vote.words]
        assert not update[on.vote.answers].visible
        assert update[on.vote.next_button].visible
        update = does.vote.next(visitor())
    assert [kept.answer for kept in services.store.guesses()] == [said] * 7


def test_goodbye_tells_how_often_they_were_right_of_what_they_did_not_see_being_made(
    services: Services, astronaut: Photo
) -> None:
    does, on, _ = sat_down(services, astronaut)
    assert (
        "score" not in does.welcome.go(ScreenName.GOODBYE)(visitor())[on.goodbye.words]
    )  # nothing was guessed
    update, right, counted = does.welcome.go(ScreenName.VOTE)(visitor()), 0, 0
    while shown(on, update) == ["vote"]:
        question = asked_about(services).question
        counted += not question.exposed
        right += question.item.truth == Kind.GENERATED and not question.exposed
        does.vote.answer(Kind.GENERATED)(visitor())
        update = does.vote.next(visitor())
    assert WORDS.say("goodbye.score", k=right, n=counted) in update[on.goodbye.words]
    assert WORDS.say("goodbye.apart_one") in update[on.goodbye.words]
    assert "score" not in does.delete.delete(visitor())[on.goodbye.words]


def test_reload_double_tap_and_replay_change_nothing(services: Services, astronaut: Photo) -> None:
    does, on, _ = sat_down(services, astronaut)
    does.welcome.go(ScreenName.VOTE)(visitor())
    first = does.vote.answer(Kind.PHOTOGRAPH)(visitor())
    second = does.vote.answer(Kind.GENERATED)(visitor())
    assert second[on.vote.words] == first[on.vote.words]
    services.visits.close_page("page of one")
    reloaded = does.open(visitor())
    assert reloaded[on.vote.words] == first[on.vote.words]
    does.vote.answer(Kind.GENERATED)(visitor())
    assert len(services.store.guesses()) == 1


def test_the_next_person_on_the_same_screen_is_asked_anew(services: Services, astronaut: Photo) -> None:
    does, on, _ = sat_down(services, astronaut)
    does.welcome.go(ScreenName.VOTE)(visitor())
    does.vote.answer(Kind.PHOTOGRAPH)(visitor())
    assert shown(on, does.welcome.leave(visitor())) == ["welcome"]
    sat_down(services, astronaut)
    does.welcome.go(ScreenName.VOTE)(visitor())
    does.vote.answer(Kind.PHOTOGRAPH)(visitor())
    assert len({guess.voter for guess in services.store.guesses()}) == 2


def test_everyone_else_is_counted_from_ten_answers_on(services: Services, astronaut: Photo) -> None:
    does, on, _ = sat_down(services, astronaut)
    does.welcome.go(ScreenName.VOTE)(visitor())
    while asked_about(services).question.exposed:
        does.vote.answer(Kind.GENERATED)(visitor())
        does.vote.next(visitor())
    asked = asked_about(services)
    guess = does.vote.answer(Kind.GENERATED)(visitor())
    assert "1 said AI, nobody said photograph." in guess[on.vote.words] and "%" not in guess[on.vote.words]
    (mine,) = [one for one in services.store.guesses() if one.round == asked.round.id]
    for i in range(9):
        services.store.record(replace(mine, voter=f"other {i}"))  # type: ignore[arg-type]
    told = does.open(visitor())[on.vote.words]
    assert "100 % of 10" in told
    assert WORDS.say("vote.all") in told


def test_an_answer_without_a_question_is_refused(services: Services) -> None:
    does, on = agreed(services)
    told = does.vote.answer(Kind.GENERATED)(visitor())
    assert WORDS.say("vote.gone") in told[on.camera.notice]
    assert services.store.guesses() == ()


# ---- showing, deleting, leaving


def test_the_sitter_may_allow_the_portrait_to_be_shown_and_take_it_back(
    services: Services, astronaut: Photo
) -> None:
    does, on, updates = sat_down(services, astronaut)
    chosen = json.dumps(json.loads(updates[-1][on.result.portraits].value) | {"chosen": 1})
    told = does.result.allow_stage(TICKED, chosen, visitor())
    code = visit_of(services).sharing.stage_code
    assert code and code in told[on.result.show_note]
    assert does.result.allow_stage("{}", chosen, visitor())[on.result.show_note] == ""
    assert not services.album.withdraw(code)
    does.result.allow_stage(TICKED, chosen, visitor())
    code = visit_of(services).sharing.stage_code
    does.welcome.leave(visitor())
    gone = does.withdraw.withdraw(code.lower(), visitor("other"))
    assert WORDS.say("withdraw.done") in gone[on.welcome.notice]


def test_goodbye_and_the_phones_page_tell_alike_what_the_room_said(
    services: Services, astronaut: Photo
) -> None:
    does, on, updates = sat_down(services, astronaut)
    does.result.allow_stage(TICKED, updates[-1][on.result.portraits].value, visitor())
    visit, room, catalogue = visit_of(services), services.board.room, services.board.catalogue
    catalogue.approve(visit.sitting)
    item = catalogue.items_of(visit.sitting)[Kind.GENERATED]
    room.add([item])
    room.go_to(item)
    asked = room.open().room.round_id
    assert asked
    given = Guess(asked, VoterId(""), Kind.GENERATED, False, 1.0, datetime.now(UTC), source=Source.PHONE)
    for voter in ("a", "b"):
        services.store.record(replace(given, voter=VoterId(voter)))

    def told() -> str:
        return html.unescape(does.welcome.go(ScreenName.GOODBYE)(visitor())[on.goodbye.words])

    assert WORDS.say("home.room") not in told()  # the room was not shown yet what is true
    while room.snapshot().room.scene != Scene.TRUTH:
        room.next()
    said = "Your AI portrait: 2 said AI, nobody said photograph."
    assert WORDS.say("home.room") in told() and said in told()
    phone = TestClient(Starlette(routes=TakeHomePages(services).routes()))
    assert said in phone.get(f"/take/{services.visits.links.open(visit)}").text
    visit.speak("fr")
    assert "Votre portrait IA\xa0: 2 ont dit IA, personne n’a dit photographie." in told()


def test_the_large_portrait_is_printed_as_often_as_one_visit_may(
    services: Services, astronaut: Photo
) -> None:
    printed = list[bytes]()

    def print_sheet(pdf: bytes) -> None:
        printed.append(pdf)
        if len(printed) == 1:
            raise VisitorError("paper.jam")

    paper: Any = SimpleNamespace(print_sheet=print_sheet)
    services = replace(services, paper=paper, settings=Settings(copies=2))
    services = replace(services, take_home=TakeHome(has_files=False))  # a kiosk that phones cannot reach
    does, on, updates = sat_down(services, astronaut)
    assert updates[-1][on.result.take].visible  # the printer's button stands behind it
    large = updates[-1][on.result.portraits].value
    told = [list(does.result.print_sheet(large, visitor()))[-1][on.result.home.printed] for _ in range(4)]
    for key, sentence in zip(("jam", "done", "done", "enough"), told, strict=True):  # a jam costs no sheet
        assert WORDS.say(f"paper.{key}") in html.unescape(sentence), key
    assert all(pdf.startswith(b"%PDF") for pdf in printed) and len(printed) == 3


def test_a_link_needs_the_tap_and_a_booth_that_gives_links(services: Services, astronaut: Photo) -> None:
    does, on, updates = sat_down(services, astronaut)
    refused = does.result.open_link(visitor())
    assert refused.keys() == {on.result.home.link} and not visit_of(services).link
    assert not updates[-1][on.result.home.open].visible
    services = replace(services, take_home=TakeHome(has_links=True, has_files=False))
    does, on = page_of(services)
    shown_ = does.result.open_link(visitor())
    assert services.visits.links.sitting(visit_of(services).link) == visit_of(services).sitting
    assert "<svg" in shown_[on.result.home.link] and "take=1" not in shown_[on.result.home.files]
    ended = does.result.close_link(visitor())
    assert WORDS.say("take.ended") in html.unescape(ended[on.result.home.link])
    assert not visit_of(services).link


def test_leave_to_show_one_portrait_is_no_leave_to_show_another(services: Services, astronaut: Photo) -> None:
    does, on, updates = sat_down(services, astronaut)
    second = json.dumps(json.loads(updates[-1][on.result.portraits].value) | {"chosen": 1})
    assert does.result.choose(second, visitor())[on.result.notice] == ""  # nothing was allowed yet
    does.result.allow_stage(TICKED, updates[-1][on.result.portraits].value, visitor())
    code = visit_of(services).sharing.stage_code
    told = does.result.choose(second, visitor())
    assert (told[on.result.show], told[on.result.show_note]) == (UNTICKED, "")
    assert WORDS.say("show.again") in told[on.result.notice]
    assert (visit_of(services).sharing.stage_code, services.album.withdraw(code)) == ("", False)


@pytest.mark.parametrize("chosen", ["", "{}", '{"chosen": 9}', '{"chosen": -1}', '{"chosen": "0"}', None])
def test_a_portrait_that_is_not_there_cannot_be_shown(
    services: Services, astronaut: Photo, chosen: Any
) -> None:
    does, on, _ = sat_down(services, astronaut)
    assert does.result.allow_stage(TICKED, chosen, visitor())[on.result.show_note]
    assert visit_of(services).sharing.stage_code == ""


@pytest.mark.parametrize("code", ["", "../../x", "x" * 10_000, None, {}])
def test_a_wrong_code_takes_nothing_back(services: Services, code: Any) -> None:
    does, on = page_of(services)
    does.welcome.go(ScreenName.WITHDRAW)(visitor())
    told = does.withdraw.withdraw(code, visitor())
    assert WORDS.say("withdraw.unknown") in told[on.withdraw.notice]


def test_delete_asks_once_then_every_picture_is_gone(services: Services, astronaut: Photo) -> None:
    does, on, updates = sat_down(services, astronaut)
    urls = re.findall(r"pictures/([\w-]+)", updates[-1][on.result.portraits].value)
    assert shown(on, does.welcome.go(ScreenName.DELETE)(visitor())) == ["delete"]
    assert shown(on, does.delete.keep(visitor())) == ["result"]
    does.welcome.go(ScreenName.DELETE)(visitor())
    gone = does.delete.delete(visitor())
    assert shown(on, gone) == ["goodbye"]
    assert WORDS.say("delete.done") in gone[on.goodbye.words]
    assert [services.album.get(url) for url in urls] == [None] * len(urls)


def test_keep_leads_back_however_often_and_wherever_delete_was_tapped(
    services: Services, astronaut: Photo
) -> None:
    does, on, _ = sat_down(services, astronaut)
    for _ in range(2):  # a second tap before the page has changed
        does.welcome.go(ScreenName.DELETE)(visitor())
    assert shown(on, does.delete.keep(visitor())) == ["result"]
    assert shown(on, does.delete.keep(visitor())) == ["result"]  # on a page that still asked
    does.making.begin(visitor())
    does.welcome.go(ScreenName.DELETE)(visitor())  # on another page of the visit; it stops the making
    assert shown(on, does.delete.keep(visitor())) == ["look"]


def test_a_misfire_hangs_on_the_wall_with_its_sitters_leave_and_the_hosts(
    services: Services, astronaut: Photo
) -> None:
    painter: Any = Lightener(13)
    services = replace(services, generator=painter)
    catalogue, album = services.board.catalogue, services.album
    does, on, updates = sat_down(services, astronaut, "1")
    result = json.loads(updates[-1][on.result.portraits].value)
    assert result["portraits"][0]["misfire"] is True
    assert album.offers() == ()  # never without the tick
    shown = json.dumps({"chosen": 0})
    code = does.result.allow_misfire(TICKED, shown, visitor())[on.result.misfire_note]
    visit = visit_of(services)
    kept = visit.sharing.misfire_code
    assert kept and kept in code
    (waiting,) = catalogue.waiting()
    assert waiting[1].is_misfire and catalogue.wall() == ()
    assert catalogue.approve(waiting[0]) == ()  # it is nothing to vote on
    decks = {card.item.id for group in services.deck.groups for card in group}
    assert set(catalogue.draw_programme()) <= decks
    (hung,) = catalogue.wall()
    assert hung.changed["skin"] == "clearly"
    assert all(catalogue.wall_photo(picture) for picture in hung.pictures.values())
    assert catalogue.wall_photo(visit.making.portraits.portraits[0] if visit.making.portraits else "") is None
    does.welcome.leave(visitor())
    assert len(catalogue.wall()) == 1  # it outlives the visit, until its time is up
    assert album.withdraw(kept) and catalogue.wall() == ()
    assert catalogue.wall_photo(hung.pictures[Kind.GENERATED]) is None


def test_one_code_takes_back_portrait_and_misfire_and_delete_takes_both(
    services: Services, astronaut: Photo
) -> None:
    painter: Any = Lightener(13)
    services = replace(services, generator=painter)
    does, _, _ = sat_down(services, astronaut, "1")
    shown = json.dumps({"chosen": 0})
    does.result.allow_misfire(TICKED, shown, visitor())
    does.result.allow_stage(TICKED, shown, visitor())
    assert visit_of(services).sharing.stage_code == visit_of(services).sharing.misfire_code
    assert len(services.album.offers()) == 2
    does.result.allow_misfire(UNTICKED, shown, visitor())
    assert len(services.album.offers()) == 1
    does.result.allow_misfire(TICKED, shown, visitor())
    does.delete.delete(visitor())
    assert services.album.offers() == ()


def test_a_portrait_that_hardly_changed_is_none_for_the_wall(services: Services, astronaut: Photo) -> None:
    painter: Any = Lightener(7, 4)
    services = replace(services, generator=painter)
    does, on, updates = sat_down(services, astronaut)  # by 4 and by 7 L*: the first changed least
    result = json.loads(updates[-1][on.result.portraits].value)
    assert [one["misfire"] for one in result["portraits"]] == [False, True]
    update = does.result.allow_misfire(TICKED, json.dumps({"chosen": 0}), visitor())
    assert "alert" in update[on.result.misfire_note]
    assert services.album.offers() == ()


def test_a_program_is_asked_on_the_visitors_tap_and_leaves_a_word_but_no_number(
    services: Services,
    astronaut: Photo,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if services.recognizer.refusal:
        pytest.skip("dlib or its network is not installed here")
    made: list[Any] = []
    real = Recognizer.descriptor

    def remembered(self: Recognizer, face: Any) -> Any:
        made.append(real(self, face))
        return made[-1]

    monkeypatch.setattr(Recognizer, "descriptor", remembered)
    painter: Any = Lightener(7, 4)
    services = replace(services, generator=painter)
    caplog.set_level("DEBUG")
    does, on, updates = sat_down(services, astronaut)
    assert made == []  # nobody is recognised unasked
    update = does.result.ask_program(json.dumps({"chosen": 0}), visitor())
    assert WORDS.say("likeness.recognition_unchanged") in update[on.result.answer]
    does.result.allow_stage(TICKED, json.dumps({"chosen": 0}), visitor())
    (offer,) = services.album.offers()
    assert json.loads(offer.facts)["facts"]["recognition"] == "unchanged"
    prints = visit_of(services).finished_making().result()
    services.store.keep_drift(drift_of(prints, visit_of(services).sitter, 5, ""))
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    told = (
        repr(updates)
        + repr(update)
        + caplog.text
        + repr(services.store.drifts())
        + repr(vars(visit_of(services)) | vars(visit_of(services).finished_making()))
    )
    assert len(kept) > 3 and len(made) >= 2
    for descriptor in made:
        for number in descriptor[:16]:
            for digits in (f"{abs(number):.8f}", repr(float(abs(number)))[:12]):
                assert digits not in told
                assert all(digits.encode() not in file for file in kept)
        for form in (np.float64, np.float32, np.float16):
            raw = np.asarray(descriptor[:8], form).tobytes()
            assert all(raw not in file for file in kept)
            assert raw not in told.encode("latin-1", "ignore")


def test_the_stage_tells_the_rooms_answer_and_the_programs_beside_it(
    services: Services, astronaut: Photo
) -> None:
    if services.recognizer.refusal:
        pytest.skip("dlib or its network is not installed here")
    painter: Any = Lightener(3)
    does, _, _ = sat_down(replace(services, generator=painter), astronaut, "1")
    does.result.ask_program(json.dumps({"chosen": 0}), visitor())
    does.result.allow_stage(TICKED, json.dumps({"chosen": 0}), visitor())
    room, programme = services.board.room, services.board.catalogue
    (item,) = programme.approve(programme.waiting()[0][0])
    room.add((item,))
    room.add([item])
    room.go_to(item)
    room.change(informed=True)
    while room.snapshot().room.scene != Scene.OPEN:
        room.next()
    asked = room.snapshot().round
    assert asked is not None
    for i in range(FEWEST_ANSWERS):
        at, voter = datetime.now(UTC), VoterId(f"phone {i}")
        services.store.record(
            Guess(asked.id, voter, Kind.GENERATED, False, 2.0, at, them=i < 7, source=Source.PHONE)
        )
    told = ""
    while room.snapshot().room.scene != Scene.MADE:
        told += Scenes(services, read_studies(), {}).html(room.snapshot())
        room.next()
    assert WORDS.say("stage.them") not in told  # not before the truth is out
    told = html.unescape(Scenes(services, read_studies(), {}).html(room.snapshot()))
    assert WORDS.say("stage.them_room", p=70, n=FEWEST_ANSWERS) in told
    assert WORDS.say("stage.recognition_unchanged") in told and WORDS.say("stage.recognition_errors") in told


def test_a_skin_tone_is_kept_when_it_is_told_and_goes_with_delete(
    services: Services, astronaut: Photo
) -> None:
    painter: Any = Lightener(7, 4)
    services = replace(services, generator=painter)
    does, on, _ = sat_down(services, astronaut)
    does.welcome.go(ScreenName.GOODBYE)(visitor())
    assert services.store.drifts() == []  # nothing is inferred
    for forged in ("0", "11", "mid", None, ["7"], "7 or 8"):
        assert "error" not in str(does.goodbye.tell_skin_tone(forged, visitor()))  # type: ignore[arg-type]
    assert services.store.drifts() == []
    update = does.goodbye.tell_skin_tone("7", visitor())
    assert WORDS.say("fair.kept") in update[on.goodbye.fair]
    (kept,) = services.store.drifts()
    assert (kept.band, kept.look, kept.model_set, kept.rehearsal) == (7, "grey", "mini", True)
    assert kept.sitter != visit_of(services).voter  # nobody's answers can be found by it
    assert kept.measures["skin"] == pytest.approx(5.5, abs=1.5)  # of portraits by 4 and 7 L*
    does.delete.delete(visitor())
    assert services.store.drifts() == []


def test_on_a_hosted_instance_the_words_say_server(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "this machine" in services.say("consent.tick", m=30)
    monkeypatch.setenv("SPACE_ID", "somebody/face-value")
    assert "this server" in services.say("consent.tick", m=30)


@pytest.mark.parametrize(
    ("was", "said"),
    [("making", "away.stopped"), ("result", "visit.over"), ("camera", "visit.over")]
    + [(was, "") for was in ("", "welcome", "consent", "goodbye", "<b>")],
)
def test_who_comes_back_to_another_machine_hears_what_became_of_their_pictures(
    services: Services, was: str, said: str
) -> None:
    does, on = page_of(services)
    back = visitor()
    back.cookies[WAS] = was
    assert does.open(back)[on.welcome.notice] == (markup.notice(WORDS.say(said)) if said else "")


def test_who_comes_back_to_the_same_machine_is_where_they_were(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    back = visitor()
    back.cookies[WAS] = "look"
    assert shown(on, does.open(back)) == ["look"]

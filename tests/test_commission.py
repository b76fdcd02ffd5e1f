"""Commissioning: what is ready, what is not and why, what is written, and what the app takes of it."""

import asyncio
import base64
import dataclasses
import errno
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from html import escape, unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from commission import report as reporting
from commission import run as running
from commission.grid import Cell, Grid, grid_of
from commission.measure import PortraitRow
from commission.notes import NAME
from commission.page import page
from commission.record import (
    Commission,
    Standing,
    as_commissioned,
    commission_state,
    digest,
    encode_record,
    find_ready,
    read_commission,
    record_path,
)
from commission.report import commission
from commission.run import Photos, Tools
from commission.verdict import Check, CommissionVerdict, Machine, Timing, best, cell_checks, judge, middle
from errors import ChoiceError, OutOfMemory, PresetError
from evaluation.drift import lighter
from pages.host.page import host_page
from pipelines import __main__ as command_line
from pipelines.__main__ import main
from pipelines.doctor import findings as doctor_findings
from pipelines.draw.bounds import Bound, Bounds
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator
from pipelines.draw.machine import Device, choose, revisions
from pipelines.draw.model_set import MODEL_SETS, ModelSet, read_model_sets
from pipelines.draw.plan import Plan
from pipelines.draw.preview import to_pixels
from pipelines.look import read_looks
from pipelines.measure.recognition import Recognizer
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from presets import read_preset
from services import Services, build_generators
from settings import Settings
from tests.hub import build_hub
from tests.test_booth import services as services  # the fixture
from words import read_words

pytestmark = pytest.mark.draws

ROOT = Path(__file__).parents[1]
MINI = read_model_sets()["mini"]
OWN, CLOSE = Cell("plate", 0.25, None, 0.9), Cell("plate", 0.1, None, 0.9)
SMALL = Grid((CLOSE, OWN), OWN, seeds=1, batches=(1,))
ONE = Grid((OWN,), OWN, seeds=1, batches=(1,))
CANVAS = (576, 720)  # of the painters below: faces are found without a finish
Pixels = Any
Paint = Callable[[Pixels], Pixels]


class Painter:
    """Networks that paint over their plates."""

    def __init__(self, plan: Plan, paint: Paint, stop_after: int | None = None) -> None:
        self.plan, self.paint, self.stop_after = plan, paint, stop_after
        self.draws = 0
        self.request: Any = None

    def encode(self, request: DrawRequest, course: object) -> DrawRequest:
        self.request = request
        return request

    def denoise(self, conditions: Any, course: Any, first: int, seeds: tuple[int, ...], watch: Any) -> Any:
        import torch

        if self.draws == self.stop_after:
            raise KeyboardInterrupt
        self.draws += 1
        return torch.arange(first, first + len(seeds))

    def decode(self, latents: Any, tiled: bool = False) -> list[Pixels]:
        return [self.paint(self.request.plates[int(place)]) for place in latents]

    def plate_latents(self, conditions: Any, index: int) -> None:
        return None

    def release(self) -> None:
        pass


def painted(paint: Paint, stop_after: int | None = None, **changes: Any) -> tuple[Generator, Painter]:
    """The small set's file on a larger canvas, without a finish, and with a painter for networks."""
    model_set = MINI.model_copy(update={"canvas": CANVAS, "finish": None, "framing": None, **changes})
    painter = Painter(model_set.plan("cpu", 8.0), paint, stop_after)  # type: ignore[arg-type]
    return Generator(model_set, "cpu", loader=lambda *_: painter), painter


def roughened(plate: Pixels) -> Pixels:
    """Redrawn by so much as counts, in a way that moves nothing: coarse noise."""
    coarse = np.random.default_rng(0).normal(0, 12, (plate.shape[0] // 6, plate.shape[1] // 6, 1))
    noise = cv2.resize(coarse, plate.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(plate + noise, 0, 255).astype(np.uint8)


def flat(grey: int) -> Paint:
    return lambda plate: np.full_like(plate, grey)


def not_a_number(plate: Pixels) -> Pixels:
    import torch

    (picture,) = to_pixels(torch.full((1, 3, *plate.shape[:2]), torch.nan))
    return picture


class Commissioning:
    """The command's body, with the instruments of all tests, into `folder`/data and `folder`/out."""

    def __init__(self, finder: FaceFinder, studio: Studio) -> None:
        self.finder, self.studio, self.recognizers = (
            finder,
            studio,
            {"on": Recognizer(), "off": Recognizer(False)},
        )

    def __call__(
        self,
        generator: Generator,
        folder: Path,
        grid: Grid = ONE,
        photos: Photos | None = None,
        recognition: str = "on",
    ) -> CommissionVerdict:
        settings = Settings(data=folder / "data", device="cpu")
        tools = Tools(generator, self.finder, self.studio, self.recognizers[recognition])
        out = folder / "out"
        return commission(tools, settings, out, command_line.write, lambda _: None, photos, grid)


@pytest.fixture(scope="module")
def commissioning(remembering: tuple[Any, Any]) -> Commissioning:
    return Commissioning(*remembering)


def record(**changes: Any) -> Commission:
    """Of the small set, as it is here."""
    plain: dict[str, Any] = {
        "name": "mini",
        "ready": True,
        "strength": 0.4,
        "device": "the processor",
        "preset": digest(MINI),
        "revisions": revisions(MINI),
        "version": "0.1.0",
        "made": date(2027, 5, 3),
    }
    return Commission(**plain | changes)


def put(data: Path, one: Commission) -> Path:
    path = record_path(one.name, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_record(one))
    return path


def row(cell: Cell = OWN, **changes: Any) -> PortraitRow:
    """A portrait that holds every bound of the small set."""
    good: dict[str, Any] = {"sitter": "A", "cell": cell.name, "seed": 0, "frame": 50.0, "grey": 120.0}
    good |= {"found": True, "lightness": 65.0, "skin": 0.5, "pose": 0.01, "recognition": 0.3}
    return PortraitRow(**good | {"sharpness": 1.0, "change": 8.0, "likeness": 0.3} | changes)


FAST = Timing(1, 1, {"encode": 0.1, "denoise": 0.3, "decode": 0.1}, {})
BOUNDS: Bounds = MINI.bounds  # type: ignore[assignment]


def judged(
    rows: list[PortraitRow], grid: Grid = ONE, bounds: Bounds = BOUNDS, **machine: Any
) -> CommissionVerdict:
    return judge(rows, [FAST], grid, bounds, Machine(gigabytes=8.0, **machine))


def failed(verdict: CommissionVerdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.holds]


# ---- the bundled set, from the command line to the app


@dataclass(frozen=True)
class Run:
    """A finished command."""

    folder: Path
    code: int
    said: list[str]

    @property
    def out(self) -> Path:
        return self.folder / "out"


def without_a_clock(timed: Callable[..., Timing]) -> Callable[..., Timing]:
    """Real drawings and stages; a busy machine is no failure."""

    def timed_so(*given: Any) -> Timing:
        found = timed(*given)
        assert all(seconds > 0 for seconds in found.seconds.values())
        return dataclasses.replace(found, seconds=dict.fromkeys(found.seconds, 0.5))

    return timed_so


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """`python -m pipelines commission mini` with two cells of the grid."""
    folder, said = tmp_path_factory.mktemp("commission"), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACE_VALUE_DATA", str(folder / "data"))
        patch.setenv("FACE_VALUE_DEVICE", "cpu")
        patch.setattr(reporting, "grid_of", lambda *_: SMALL)
        patch.setattr(command_line, "say", said.append)
        patch.setattr(running, "time_batch", without_a_clock(running.time_batch))
        yield Run(folder, main(["commission", "mini", "--out", str(folder / "out")]), said)


def test_the_bundled_set_is_ready_here_and_says_so_last(run: Run) -> None:
    assert (run.code, run.said[-1]) == (0, "ready")
    assert sorted(path.name for path in run.out.iterdir()) == ["commission.html", "commission.json"]
    assert any(
        line.startswith("2 of 4: Eileen Collins, strength 0.25, pose 0.9: a face in 1 of 1")
        for line in run.said
    )


def test_the_report_tells_every_check_with_its_bound_and_source(run: Run) -> None:
    report = json.loads((run.out / "commission.json").read_text())
    assert (report["set"], report["ready"], report["reasons"]) == ("mini", True, [])
    assert {one["name"] for one in report["checks"]} == set(Bounds.model_fields)
    for one in report["checks"]:
        assert one["source"] == getattr(BOUNDS, one["name"]).source and one["holds"]
    assert len(report["portraits"]) == 4 and "picture" not in report["portraits"][0]
    assert [one["batch"] for one in report["batches"]] == [1]
    assert set(report["batches"][0]["seconds"]) == {"encode", "denoise", "decode"}
    assert report["skin_by_lightness"]["dark"] == {"portraits": 0, "drift": None, "size": None}
    assert any("Nobody with dark skin was measured." in line for line in run.said)


def test_the_page_shows_both_faces_and_marks_what_is_offered(run: Run) -> None:
    html = (run.out / "commission.html").read_text()
    assert "Eileen Collins" in html and "Grace Hopper" in html
    assert len(pictures_in(html)) == 2 * (1 + len(SMALL.cells))  # a photograph and its portraits
    assert html.count('<figure class="offered">') == 2
    assert not re.search(r'(?:src|href)="(?!data:)|<script|https?://', html)
    for check in json.loads((run.out / "commission.json").read_text())["checks"]:
        assert escape(check["told"]) in html and escape(check["source"]) in html


def test_a_copy_of_the_plate_is_not_offered_though_it_is_nearest(run: Run) -> None:
    report = json.loads((run.out / "commission.json").read_text())
    near = {one["cell"]: {check["name"]: check for check in one["checks"]} for one in report["cells"]}
    assert near[CLOSE.name]["recognition"]["value"] < near[OWN.name]["recognition"]["value"]
    assert not near[CLOSE.name]["change"]["holds"]
    assert report["setting"] == {"strength": 0.25, "pose": 0.9}


def test_the_app_takes_the_setting_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    data = run.folder / "data"
    assert commission_state(MINI, data, "cpu").standing == Standing.READY
    path = record_path("mini", data)
    found = read_commission(path)
    assert (found.strength, found.pose, found.revisions) == (0.25, 0.9, revisions(MINI))
    settings = Settings(data=data, device="cpu", models="mini")
    generator, _, why = build_generators(settings, read_words(), None, lambda: 0)
    assert (generator.model_set.strength, generator.model_set.pose) == (0.25, 0.9)
    assert why.endswith("is ready, with strength 0.25, pose 0.9.")
    command_line_set, said = command_line.chosen_here(settings, "mini")
    assert (command_line_set, said) == (generator.model_set, why)


# ---- what is not ready


def test_sdxl_with_stand_in_weights_is_not_ready_for_it_draws_no_faces(
    commissioning: Commissioning, tmp_path: Path
) -> None:
    plan = Plan(device="cpu", gigabytes=0, batch=2, dtype="float32")
    shipped = read_model_sets()["realvis-lightning"]
    model_set = shipped.model_copy(update={"canvas": (128, 160), "memory": (plan,)})
    own = Cell("plate", 0.375, 0.7, 0.9)
    grid = Grid((own, Cell("noise", None, 0.7, 0.9)), own, seeds=2, batches=(2,))
    generator = Generator(model_set, "cpu", build_hub(tmp_path / "hub", [shipped]))
    verdict = commissioning(generator, tmp_path, grid)
    assert verdict.last_line.startswith("not ready: a face found in 0 of 4 portraits (all); ")
    assert "recognition distance not measured, no face was measured (at most 0.45)" in verdict.reasons
    assert not read_commission(record_path("realvis-lightning", tmp_path / "data")).ready
    report = json.loads((tmp_path / "out" / "commission.json").read_text())
    assert [one["start"] for one in report["noise_against_plate"]] == ["plate", "noise"]
    assert "not ready</h1>" in (tmp_path / "out" / "commission.html").read_text()


@pytest.mark.parametrize(
    ("paint", "kind"),
    [(flat(0), "black"), (not_a_number, "black"), (flat(128), "grey"), (flat(255), "white")],
    ids=["black", "not a number", "grey", "white"],
)
def test_empty_frames_are_called_by_their_name(
    commissioning: Commissioning, paint: Paint, kind: str, tmp_path: Path
) -> None:
    verdict = commissioning(painted(paint)[0], tmp_path)
    assert f"empty frames: 2 {kind} of 2 (none)" in verdict.reasons
    assert "a face found in 0 of 2 portraits (all)" in verdict.reasons


def test_redrawn_faces_hold_and_a_mere_copy_of_the_plate_does_not(
    commissioning: Commissioning, tmp_path: Path
) -> None:
    assert failed(commissioning(painted(roughened)[0], tmp_path / "redrawn")) == []
    copied = commissioning(painted(lambda plate: plate)[0], tmp_path / "copied")
    assert copied.last_line == "not ready: change of the plate 0 grey values (at least 7)"


def test_lightened_skin_is_not_ready_and_the_sentence_says_by_how_much(
    commissioning: Commissioning, tmp_path: Path, finder: FaceFinder
) -> None:
    def lightened(plate: Pixels) -> Pixels:
        face = finder.find(Photo(plate.copy()))
        return lighter(8)(roughened(plate), face.landmarks, face.mask)

    verdict = commissioning(painted(lightened)[0], tmp_path)
    (skin,) = [check for check in verdict.checks if check.name == "skin"]
    assert not skin.holds and skin.value == pytest.approx(8, abs=2.5)
    assert skin.sentence == f"skin drift {skin.value:.3g} L* (at most 2.5)"


def test_a_set_that_lightens_dark_skin_only_fails_though_the_median_is_fine() -> None:
    light = [row(seed=seed) for seed in range(9)]
    assert judged(light).ready
    spoilt = judged([*light, row(lightness=40.0, skin=6.0)])
    assert failed(spoilt) == ["skin"] and spoilt.last_line == "not ready: skin drift 6 L* (at most 2.5)"


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("face", {"found": False}, "a face found in 1 of 2 portraits (all)"),
        ("pose", {"pose": 0.5}, "pose error 0.5 pupil distances (at most 0.03)"),
        ("recognition", {"recognition": 0.7}, "recognition distance 0.7 (at most 0.42)"),
        ("sharpness", {"sharpness": 0.12}, "sharpness 0.12 of the plate's (0.7 to 1.3)"),
        ("change", {"change": 1.0}, "change of the plate 1 grey values (at least 7)"),
        ("frames", {"frame": 1.0, "grey": 3.0}, "empty frames: 2 black of 2 (none)"),
    ],
)
def test_each_measure_fails_its_own_check(name: str, changes: dict[str, Any], sentence: str) -> None:
    bad = [row(**changes), row(seed=1, **({} if name == "face" else changes))]
    verdict = judged(bad)
    assert failed(verdict) == [name] and verdict.last_line == f"not ready: {sentence}"


def test_a_slow_card_and_a_full_one_are_not_ready() -> None:
    slow = Timing(4, 4, {"encode": 1.0, "denoise": 7.0, "decode": 1.0}, {"denoise": 7.9, "decode": 4.0})
    machine = Machine(gigabytes=8.0)
    verdict = judge([row()], [FAST, slow], ONE, BOUNDS, machine)
    assert verdict.reasons == (
        "9 seconds a portrait (at most 4)",
        "7.9 of 8.0 GB of memory, a share of 0.99 (at most 0.92 of the card)",
    )


def test_out_of_memory_is_a_finding(commissioning: Commissioning, tmp_path: Path) -> None:
    def burst(plate: Pixels) -> Pixels:
        raise OutOfMemory

    verdict = commissioning(painted(burst)[0], tmp_path)
    assert "out of memory even with one portrait at a time (at most 0.92 of the card)" in verdict.reasons


def test_whoever_may_recognise_nobody_is_told_what_to_do(
    commissioning: Commissioning, tmp_path: Path
) -> None:
    verdict = commissioning(painted(roughened)[0], tmp_path, recognition="off")
    why = "FACE_VALUE_RECOGNITION is off: set it on for this once"
    assert verdict.last_line == f"not ready: recognition distance not measured, {why} (at most 0.42)"


def test_bounds_are_the_files_a_tighter_one_turns_ready_into_not_ready(tmp_path: Path) -> None:
    text = (MODEL_SETS / "mini.toml").read_text(encoding="utf-8")
    tight = tmp_path / "mini.toml"
    tight.write_text(text.replace("most = 0.42", "most = 0.2"), encoding="utf-8")
    bounds = read_preset(tight, ModelSet).bounds
    assert bounds is not None and judged([row()]).ready
    assert judged([row()], bounds=bounds).reasons == ("recognition distance 0.3 (at most 0.2)",)


def test_a_set_without_bounds_is_not_judged(commissioning: Commissioning, tmp_path: Path) -> None:
    with pytest.raises(ChoiceError, match=r"^mini\.toml has no \[bounds\]"):
        commissioning(painted(roughened, bounds=None)[0], tmp_path)


@pytest.mark.parametrize("name", sorted(read_model_sets()))
def test_every_shipped_set_has_bounds_with_their_sources(name: str) -> None:
    bounds = read_model_sets()[name].bounds
    assert bounds is not None
    for key in Bounds.model_fields:
        bound: Bound = getattr(bounds, key)
        assert len(bound.source) > 20, key


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("most = 0.42\n", ""), r"bounds\.recognition\.most = None\. A bound has least, most, or both"),
        (("most = 1.3", "most = 0.1"), r"bounds\.sharpness\.most = 0\.1\. The least comes first"),
        (("[bounds.pose]", "[bounds.poise]"), r"bounds\.pose is missing"),
        (("most = 0.42", "most = true"), r"bounds\.recognition\.most = True"),
    ],
)
def test_a_wrong_bound_is_refused_by_file_and_key(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    text = (MODEL_SETS / "mini.toml").read_text(encoding="utf-8")
    assert change[0] in text
    wrong = tmp_path / "mini.toml"
    wrong.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(PresetError, match=rf"^mini\.toml: {complaint}"):
        read_preset(wrong, ModelSet)


# ---- the grid, and the best of its cells


def test_the_grid_has_about_twelve_cells_round_the_sets_own() -> None:
    sets, look = read_model_sets(), read_looks()["grey"]
    plan = Plan(device="cuda", gigabytes=11, batch=2, dtype="float16")
    grid = grid_of(sets["realvis-lightning"], plan, look)
    assert [one.strength for one in grid.cells[::4]] == [0.25, 0.375, 0.5, None]
    assert {(one.identity, one.pose) for one in grid.candidates} == {
        (identity, pose) for identity in (0.7, 0.9) for pose in (0.9, 0.45)
    }
    assert [one.name for one in grid.cells if one not in grid.candidates] == [
        "from noise, identity 0.7, pose 0.9",
        "from noise, identity 0.9, pose 0.9",
    ]
    assert (grid.seeds, grid.batches) == (2, (1, 2))
    assert len(grid_of(sets["sdxl-quality"], plan, look).cells) == 3 * 2 + 1  # with guidance, drawn twice
    alone = grid_of(sets["klein"], plan, look)
    assert (alone.cells, alone.seeds) == ((Cell("noise"),), 6)
    for name, model_set in sets.items():
        of_set = grid_of(model_set, plan, look)
        assert of_set.own in of_set.candidates and len(set(of_set.cells)) == len(of_set.cells) <= 14, name
        for cell in of_set.cells:
            model_set.course(cell.start, cell.strength)


def test_the_sets_own_setting_stays_where_another_is_hardly_nearer() -> None:
    grid = dataclasses.replace(SMALL, cells=(CLOSE, OWN))
    near = [row(CLOSE, recognition=0.28), row(OWN, recognition=0.3)]
    assert judged(near, grid).cell == OWN
    nearer = [row(CLOSE, recognition=0.2), row(OWN, recognition=0.3)]
    assert judged(nearer, grid).cell == CLOSE


CELLS = tuple(Cell("plate", strength / 10, None, 0.9) for strength in range(1, 7))
MEASURES = st.fixed_dictionaries(
    {
        "found": st.booleans(),
        "recognition": st.none() | st.floats(0, 1.2, allow_nan=False),
        "skin": st.none() | st.floats(-20, 20),
        "change": st.none() | st.floats(0, 60),
        "likeness": st.none() | st.floats(0, 3),
    }
)


@given(st.lists(st.tuples(st.sampled_from(CELLS), MEASURES), max_size=24), st.randoms())
def test_the_best_cell_misses_the_fewest_bounds_whatever_the_order(found: Any, random: Any) -> None:
    noise = Cell("noise", None, None, 0.9)
    grid = Grid((*CELLS, noise), CELLS[2], 1, (1,))
    rows = [row(cell, seed=seed, **measures) for seed, (cell, measures) in enumerate(found)] + [row(noise)]
    by_cell = {
        cell: cell_checks([one for one in rows if one.cell == cell.name], BOUNDS) for cell in grid.cells
    }
    chosen = best(by_cell, rows, grid)
    missed = {cell: sum(not check.holds for check in checks) for cell, checks in by_cell.items()}
    assert chosen in grid.candidates and missed[chosen] == min(missed[cell] for cell in CELLS)
    medians = {cell: middle([one.recognition for one in rows if one.cell == cell.name]) for cell in CELLS}
    near = {cell: 9.0 if value is None else value for cell, value in medians.items()}
    rivals = [near[cell] for cell in CELLS if missed[cell] == missed[chosen]]
    assert chosen == grid.own or near[chosen] <= min(rivals) + 0.001
    random.shuffle(rows)
    assert best(by_cell, rows, grid) == chosen


# ---- going on after a stop


def test_who_was_stopped_goes_on_where_they_were(commissioning: Commissioning, tmp_path: Path) -> None:
    generator, stopped = painted(roughened, stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        commissioning(generator, tmp_path, SMALL)
    kept = json.loads((tmp_path / "out" / NAME).read_text())
    assert stopped.draws == 3 and len(kept["rows"]) == 3
    generator, again = painted(roughened)
    resumed = commissioning(generator, tmp_path, SMALL)
    assert again.draws == 1 + 2  # the cell that was left, and the clock, which draws twice
    assert not (tmp_path / "out" / NAME).exists()
    generator, whole = painted(roughened)
    at_once = commissioning(generator, tmp_path / "at once", SMALL)
    assert whole.draws == 4 + 2
    named = [check for check in resumed.checks if check.name not in ("seconds", "memory")]
    assert named == [check for check in at_once.checks if check.name not in ("seconds", "memory")]
    texts = [(tmp_path / part / "out" / "commission.html").read_text() for part in (".", "at once")]
    assert pictures_in(texts[0]) == pictures_in(texts[1])


@pytest.mark.parametrize("change", ["set", "grid", "unreadable"])
def test_anything_else_than_before_is_measured_anew(
    commissioning: Commissioning, change: str, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        commissioning(painted(roughened, stop_after=1)[0], tmp_path)
    if change == "unreadable":
        (tmp_path / "out" / NAME).write_text('{"belongs_to": ')
    generator, painter = painted(roughened, **({"steps": 40} if change == "set" else {}))
    grid = dataclasses.replace(ONE, seeds=2) if change == "grid" else ONE
    commissioning(generator, tmp_path, grid)
    assert painter.draws == 2 + 2  # both faces, and the clock


# ---- the operator's photos


@pytest.fixture
def photos(astronaut: Photo, tmp_path: Path) -> Path:
    """A folder with one person, a note and a folder beside."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    # brighter than the example, so that it is another picture
    Image.fromarray(cv2.convertScaleAbs(astronaut.pixels, alpha=1.08)).save(
        folder / "Annabel.jpg", quality=95
    )
    (folder / "notes.txt").write_text("no photo")
    return folder


def pictures_in(text: str) -> list[str]:
    """JPEG files in base64."""
    return re.findall(r"/9j/[A-Za-z0-9+/=]+", text)


def texts(*folders: Path) -> dict[str, str]:
    """Every file that was written, as text."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.name: path.read_bytes().decode("latin-1") for path in files}


def test_photos_are_measured_and_neither_shown_nor_touched(
    commissioning: Commissioning, photos: Path, tmp_path: Path
) -> None:
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir() if path.is_file()
    }
    commissioning(painted(roughened)[0], tmp_path, photos=Photos(photos))
    found = texts(tmp_path / "out", tmp_path / "data")
    report = json.loads(found["commission.json"])
    assert [one["sitter"] for one in report["portraits"]] == [
        "Eileen Collins",
        "Grace Hopper",
        "Your photo 1",
    ]
    assert report["portraits"][2]["recognition"] > 0
    assert len(pictures_in(found["commission.html"])) == 2 * 2  # of the two public faces
    assert "1 of your own photos was measured and not shown" in found["commission.html"]
    for name, text in found.items():
        assert "Annabel" not in text and str(photos) not in text, name
        assert "\xff\xd8\xff" not in text and "\x89PNG" not in text, name
        assert name == "commission.html" or not pictures_in(text), name
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before}


def test_nor_do_pictures_of_photos_wait_on_the_disk(
    commissioning: Commissioning, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):  # in the clock, after all portraits
        commissioning(painted(roughened, stop_after=3)[0], tmp_path, photos=Photos(photos))
    kept = json.loads((tmp_path / "out" / NAME).read_text())
    pictured = {place: [bool(one["picture"]) for one in rows] for place, rows in kept["rows"].items()}
    told = OWN.name
    assert pictured == {
        f"Eileen Collins: {told}": [True],
        f"Grace Hopper: {told}": [True],
        f"Your photo 1: {told}": [False],
    }
    assert "Annabel" not in json.dumps(kept)


def test_photos_are_shown_where_that_was_asked_for(
    commissioning: Commissioning, photos: Path, tmp_path: Path
) -> None:
    commissioning(painted(roughened)[0], tmp_path, photos=Photos(photos, shown=True))
    html = (tmp_path / "out" / "commission.html").read_text()
    assert len(pictures_in(html)) == 3 * 2 and "<h3>Your photo 1</h3>" in html
    shown = [Image.open(io.BytesIO(base64.b64decode(one))) for one in pictures_in(html)]
    assert {one.size for one in shown} == {(256, 320)}


# ---- what an operator can do wrong


def no_face(folder: Path) -> None:
    Image.new("RGB", (600, 750), (117, 117, 117)).save(folder / "wall.png")


def broken(folder: Path) -> None:
    (folder / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (lambda folder: None, "--photos: no photo in photos."),
    "no photo": (lambda folder: shutil.copy(ROOT / "README.md", folder), "--photos: no photo in photos."),
    "no face": (no_face, "--photos: wall.png: "),
    "broken": (broken, "--photos: half.jpg: "),
    "no folder": (lambda folder: folder.rmdir(), "--photos: photos is no folder."),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_photos_are_one_sentence_and_exit_2(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "photos"
    folder.mkdir()
    make, sentence = WRONG[name]
    make(folder)
    assert main(["commission", "mini", "--photos", str(folder)]) == 2
    complained = capfd.readouterr().err
    assert complained.startswith(sentence) and complained.count("\n") == 1 and complained[-2] == "."
    assert str(tmp_path) not in complained and not (tmp_path / "data").exists()


def test_a_set_that_is_not_here_is_exit_3_and_an_unknown_one_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    assert main(["commission", "sdxl-quality"]) == 3
    assert capfd.readouterr().err.startswith("not downloaded: ")
    assert main(["commission", "nosuch"]) == 2
    assert capfd.readouterr().err.startswith("There is no model set 'nosuch'.")


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(command_line, "Generator", lambda *_: painted(roughened)[0])
    monkeypatch.setattr(reporting, "grid_of", lambda *_: ONE)
    plain, out = Path.write_bytes, tmp_path / "out"

    def full(path: Path, data: bytes) -> int:
        if "commission.json" in path.name:
            plain(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["commission", "mini", "--out", str(out)]) == 2
    assert capfd.readouterr().err == "Cannot write to out: No space left on device. Name another folder.\n"
    assert [path.name for path in out.iterdir()] == [NAME]  # goes on from there
    assert not record_path("mini", tmp_path / "data").exists()


# ---- the record


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)


@given(
    reasons=st.lists(TEXT, max_size=5).map(tuple),
    scales=st.fixed_dictionaries(
        {
            "strength": st.none() | st.floats(1e-6, 1),
            "identity": st.none() | st.floats(0, 1),
            "pose": st.none() | st.floats(0, 1.5),
        }
    ),
    device=TEXT,
    made=st.dates(date(1900, 1, 1)),
    weights=st.dictionaries(TEXT, TEXT, min_size=1, max_size=4),
    ready=st.booleans(),
)
def test_a_record_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, weights: dict[str, str], scales: dict[str, Any], **others: Any
) -> None:
    one = record(revisions=weights, **scales, **others)
    path = put(tmp_path_factory.mktemp("record"), one)
    assert read_commission(path) == one


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("strength = 0.4", "strength = 4"), r"strength = 4"),
        (("strength = 0.4", "strength = 0.01"), r"strength = 0\.01\. Strength 0\.01 leaves none of 20 steps"),
        (("ready = true", "ready = 1"), r"ready = 1"),
        (("ready = true", "ready = true\nmood = 1"), r"mood = 1"),
        (("made = 2027-05-03", ""), r"made is missing"),
    ],
)
def test_a_spoilt_record_names_file_and_key_and_the_app_does_not_start_with_it(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    path = put(tmp_path, record())
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(PresetError, match=rf"mini\.toml: {complaint}"):
        build_generators(Settings(data=tmp_path, device="cpu", models="mini"), read_words(), None, lambda: 0)


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, Standing.READY),
        ({"revisions": {"weights/mini": "sha256:other"}}, Standing.STALE),
        ({"preset": "0123456789abcdef"}, Standing.STALE),
        ({"ready": False, "reasons": ("sharpness 0.12 (0.7 to 1.3)",)}, Standing.NOT_READY),
    ],
)
def test_only_a_record_of_these_weights_and_this_file_is_taken(
    changes: dict[str, Any], standing: Standing, tmp_path: Path
) -> None:
    put(tmp_path, record(**changes))
    assert commission_state(MINI, tmp_path, "cpu").standing == standing
    say = read_words().say
    model_set, why = as_commissioned((MINI, "Because."), tmp_path, "cpu", say)
    assert model_set.strength == (0.4 if standing == Standing.READY else 0.25)
    sentences = {
        Standing.READY: "is ready, with strength 0.4.",
        Standing.STALE: "(python -m pipelines commission mini).",
        Standing.NOT_READY: "is not ready for the stage: sharpness 0.12 (0.7 to 1.3).",
    }
    assert why.startswith("Because. mini was commissioned on 2027-05-03") and why.endswith(
        sentences[standing]
    )


def test_a_record_of_another_card_is_not_taken_where_the_set_needs_one(tmp_path: Path) -> None:
    plan = Plan(device="cpu", gigabytes=1, batch=1, dtype="float32")
    needy = MINI.model_copy(update={"memory": (plan,)})
    put(tmp_path, record(preset=digest(needy), device="NVIDIA H100"))
    assert commission_state(needy, tmp_path, "cpu").standing == Standing.STALE
    put(tmp_path, record(preset=digest(needy)))
    assert commission_state(needy, tmp_path, "cpu").standing == Standing.READY


def test_the_digest_of_a_set_changes_with_its_file_alone() -> None:
    assert digest(MINI) == digest(read_model_sets()["mini"]) != digest(MINI.model_copy(update={"steps": 40}))
    turned = MINI.model_copy(update={"capabilities": frozenset(reversed(sorted(MINI.capabilities)))})
    assert digest(turned) == digest(MINI)


def test_auto_passes_a_set_that_waits_until_it_was_found_ready(tmp_path: Path) -> None:
    waits = MINI.model_copy(update={"name": "waits", "title": "Waits", "rank": 50, "commission_first": True})
    sets: dict[str, ModelSet] = {"mini": MINI, "waits": waits}
    processor = Device("cpu", 8.0, "the processor")

    def taken() -> tuple[str, str]:
        ready = find_ready(sets.values(), tmp_path, "cpu")
        chosen, why = choose(sets, "auto", processor, commissioned=ready)
        return chosen.name, why

    assert taken()[0] == "mini" and "Waits was not commissioned here" in taken()[1]
    put(tmp_path, record(name="waits", preset=digest(waits), ready=False, reasons=("too slow",)))
    assert taken()[0] == "mini"
    put(tmp_path, record(name="waits", preset=digest(waits)))
    assert taken()[0] == "waits"
    assert choose(sets, "waits", processor)[0].name == "waits"  # a name is taken at its word


# ---- where people read of it


def test_the_host_page_says_what_draws_and_that_it_was_never_commissioned(
    services: Services, tmp_path: Path
) -> None:
    _, why = as_commissioned((MINI, "Because."), tmp_path, "cpu", read_words().say)
    told = "mini was never commissioned on this machine (python -m pipelines commission mini)."
    assert why == f"Because. {told}"

    async def laid_out() -> gr.Blocks:  # whose queue wants a running loop
        return host_page(dataclasses.replace(services, why=why))

    shown = asyncio.run(laid_out())
    assert any(told in str(getattr(block, "value", "")) for block in shown.blocks.values())


def test_the_host_page_says_what_the_licences_ask_of_the_event(services: Services) -> None:
    restricted = 0
    for model_set in read_model_sets().values():
        painter: Any = SimpleNamespace(model_set=model_set)

        async def laid_out(painter: Any = painter) -> gr.Blocks:
            return host_page(dataclasses.replace(services, generator=painter))

        blocks = asyncio.run(laid_out()).blocks.values()
        shown = unescape(str([block.value for block in blocks if isinstance(block, gr.HTML)]))
        assert services.why in shown and model_set.licence in shown
        assert (read_words().say("host.restricted") in shown) == model_set.restricted
        restricted += model_set.restricted
    assert restricted  # else this test saw nothing


def test_doctor_says_of_each_set_whether_it_was_commissioned(tmp_path: Path) -> None:
    nobody: Any = None
    put(tmp_path, record())
    for line in doctor_findings(Settings(data=tmp_path, device="cpu"), nobody, "why"):
        if line.startswith("mini was commissioned on 2027-05-03 and is ready, with strength 0.4."):
            return
        assert line != "why", "said nothing of the small set"


def test_the_page_escapes_whatever_it_is_given(
    commissioning: Commissioning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def keeping(findings: Any, report: Any, title: str) -> str:
        seen.append((findings, report))
        return page(findings, report, title)

    monkeypatch.setattr(reporting, "page", keeping)
    commissioning(painted(flat(0))[0], tmp_path)
    ((findings, report),) = seen
    nasty = "<script>alert(1)</script>"
    check = Check("pose", False, nasty, Bound(most=1.0, source=nasty), nasty)
    verdict = dataclasses.replace(findings.verdict, checks=(check,))
    spoilt = report | {"caveats": [nasty], "device": nasty, "revisions": {nasty: nasty}, "version": nasty}
    html = page(dataclasses.replace(findings, verdict=verdict), spoilt, nasty)
    assert "<script" not in html and html.count("&lt;script&gt;") >= 9

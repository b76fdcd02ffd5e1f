"""The ladder: one sitter at six strengths, by whatever dial the model set has."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from errors import ChoiceError, PhotoError
from pipelines.__main__ import main
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.model_set import read_model_sets
from pipelines.ladder import GAP, RUNGS, Rung, ladder, rungs, strip
from pipelines.look import read_looks
from pipelines.marks.note import read_mark
from pipelines.measure.likeness import Level
from pipelines.measure.recognition import SAME_PERSON, Recognizer
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import PlateReady

GREY = read_looks()["grey"]
SETS = read_model_sets()
ENDS = (RUNGS[0], RUNGS[-1])


@pytest.fixture(scope="module")
def selfie(astronaut: Photo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("selfies") / "selfie.jpg"
    Image.fromarray(astronaut.pixels).save(path, quality=95)
    return path


@dataclass(frozen=True)
class Run:
    """What one run of the command wrote, what it said of failures, and the events that it drew by."""

    out: Path
    complaints: str
    events: list[PlateReady | Progress | Rung]


@contextlib.contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Whoever writes there, Python or a library below it."""
    kept = os.dup(2)
    with path.open("w", encoding="utf-8") as said, contextlib.redirect_stderr(said):
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@pytest.fixture(scope="module")
def runs(selfie: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """The command run twice with the same words; the second time two of the steps, the first and the last."""
    made = []
    for shares in (RUNGS, ENDS):
        folder, events = tmp_path_factory.mktemp("ladder"), list[Any]()

        def noted(*given: Any, events: list[Any] = events) -> Iterator[Any]:
            for event in ladder(*given):
                events.append(event)
                yield event

        with pytest.MonkeyPatch.context() as patch, stderr_to(folder / "complaints"):
            patch.setattr("pipelines.ladder.ladder", noted)
            patch.setattr("pipelines.ladder.RUNGS", shares)
            assert main(["ladder", str(selfie), "--models", "mini", "--out", str(folder / "out")]) == 0
        made.append(Run(folder / "out", (folder / "complaints").read_text(encoding="utf-8"), events))
    return made


@pytest.fixture(scope="module")
def climbed(runs: list[Run]) -> tuple[PlateReady, list[Rung], list[Progress]]:
    events = runs[0].events
    plates = [event for event in events if isinstance(event, PlateReady)]
    assert len(plates) == 1 and events[0] is plates[0]
    steps = [event for event in events if isinstance(event, Progress)]
    return plates[0], [event for event in events if isinstance(event, Rung)], steps


def test_six_steps_give_up_ever_more_of_the_sitter(
    climbed: tuple[PlateReady, list[Rung], list[Progress]],
) -> None:
    plate, steps, progress = climbed
    small = np.asarray(Image.fromarray(plate.plate.pixels).resize((256, 320), Image.Resampling.BOX), float)
    away = [np.abs(step.portrait.rendering.image - small).mean() for step in steps]
    assert len(steps) == len(RUNGS) and away == sorted(away) and away[-1] > 2 * away[0]
    ran = [step.portrait.rendering.executed_steps for step in steps]
    assert ran == sorted(set(ran)) and len(progress) == sum(ran)


def test_one_seed_draws_all_steps_and_recognition_lets_go_of_the_sitter(
    climbed: tuple[PlateReady, list[Rung], list[Progress]],
) -> None:
    first, *_, last = climbed[1]
    assert {step.portrait.rendering.seed for step in climbed[1]} == {0}
    assert first.likeness and first.likeness.measures["pose"].level == Level.UNCHANGED
    if Recognizer().refusal:
        pytest.skip("dlib's network is not on this machine")
    assert first.recognition and first.recognition.value and first.recognition.value < SAME_PERSON
    if last.recognition and last.recognition.value:  # else there is no face left at all
        assert last.recognition.value > first.recognition.value


@pytest.mark.parametrize("name", ["sdxl-lightning", "sdxl-quality"])
def test_a_set_that_knows_faces_lets_go_of_them_as_it_leaves_the_plate(name: str) -> None:
    steps = rungs(Order(GREY, identity=0.1, variations=4), SETS[name])
    scales = [step.identity for step in steps if step.identity is not None]
    strengths = [step.strength for step in steps if step.strength is not None]
    assert scales == sorted(set(scales), reverse=True) and len(scales) == len(strengths) == 6
    assert strengths == sorted(strengths)
    for step in steps:
        SETS[name].course(step.start, step.strength)  # raises where a distilled schedule would be cut


def test_a_set_that_only_starts_from_noise_has_the_faces_scale_alone() -> None:
    blind = SETS["sdxl-quality"].model_copy(update={"starts": ("noise",)})
    steps = rungs(Order(GREY, strength=0.5), blind)
    assert {(step.start, step.strength) for step in steps} == {(None, None)}
    assert [step.identity for step in steps] == [0.85, 0.7, 0.55, 0.4, 0.25, 0.1]


def test_a_set_without_any_dial_is_refused_before_a_face_is_looked_for(
    astronaut: Photo, finder: FaceFinder, studio: Studio
) -> None:
    deaf = SETS["mini"].model_copy(update={"starts": ("noise",), "start": "noise", "strength": None})
    with pytest.raises(ChoiceError, match=r"^mini has no dial"):
        next(ladder([astronaut], Order(GREY), finder, studio, Generator(deaf, "cpu")))


@pytest.mark.draws
def test_an_empty_room_is_refused(finder: FaceFinder, studio: Studio) -> None:
    empty = Photo(np.full((400, 320, 3), 90, np.uint8))
    with pytest.raises(PhotoError):
        next(ladder([empty], Order(GREY), finder, studio, Generator(SETS["mini"], "cpu")))


def test_a_strip_sets_pictures_of_any_size_beside_each_other() -> None:
    large, small = np.full((500, 400, 3), 200, np.uint8), np.full((250, 200, 3), 100, np.uint8)
    made = strip([(large, "one"), (small, "two")])
    assert made.shape[1] == 2 * 200 + GAP and (made[:250, :200] == 200).all()
    assert (made[:250, -200:] == 100).all() and made.shape[0] > 250


def test_the_same_person_in_gives_the_same_steps_out(runs: list[Run]) -> None:
    first, second = (run.out for run in runs)
    assert [run.complaints for run in runs] == ["", ""]
    steps = [f"step-{n}.png" for n in range(1, 7)]
    assert sorted(path.name for path in first.iterdir()) == ["ladder.json", "ladder.png", "plate.png", *steps]
    for name, again in (("plate.png", "plate.png"), (steps[0], steps[0]), (steps[-1], steps[1])):
        one, two = Image.open(first / name), Image.open(second / again)  # a signature is another each time
        assert np.array_equal(np.asarray(one), np.asarray(two)), name
    told, told_again = (json.loads((out / "ladder.json").read_text())["steps"] for out in (first, second))
    assert [step["file"] for step in told] == steps
    assert [step["strength"] for step in told] == list(RUNGS)
    assert [step | {"file": ""} for step in (told[0], told[-1])] == [
        step | {"file": ""} for step in told_again
    ]
    assert all(step["likeness"]["skin"]["words"] for step in told if step["face_found"])


def test_the_strip_says_that_it_was_made_from_the_plate(runs: list[Run]) -> None:
    mark = read_mark((runs[0].out / "ladder.png").read_bytes())
    assert mark is not None and mark.kind == "from_plate"


REFUSED = {
    "look": (["--look", "neon"], "There is no look 'neon'."),
    "expression": (["--expression", "angry"], "There is no expression 'angry'."),
    "set": (["--models", "nothing"], "There is no model set 'nothing'."),
    "seed": (["--models", "mini", "--seed", "-1"], "seed = -1."),
    "light": (["--light", "400"], "key = 400"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_argument_is_one_line_and_exit_2(
    name: str, selfie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words, sentence = REFUSED[name]
    assert main(["ladder", str(selfie), "--out", str(tmp_path / "out"), *words]) == 2
    said = capfd.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.draws
def test_a_picture_without_a_face_is_one_line_and_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (400, 500), "grey").save(tmp_path / "wall.png")
    command = ["ladder", str(tmp_path / "wall.png"), "--models", "mini", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert capfd.readouterr().err.count("\n") == 1 and not (tmp_path / "out").exists()

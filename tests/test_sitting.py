"""The chain in order, on real photographs and the bundled small set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from errors import ChoiceError, PhotoError
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.model_set import read_model_sets
from pipelines.draw.reference import reference_crop
from pipelines.look import Variation, read_expressions, read_looks
from pipelines.order import Order
from pipelines.plate.expression import mouth_change
from pipelines.plate.framing import transform_points
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import (
    Done,
    FaceFound,
    PlateReady,
    PortraitReady,
    SittingEvent,
    find_faces,
    request_for,
    set_up,
    sit,
)

pytestmark = pytest.mark.draws

GREY = read_looks()["grey"]


@pytest.fixture(scope="module")
def mini() -> Generator:
    return Generator(read_model_sets()["mini"], "cpu")


@pytest.fixture(scope="module")
def events(astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator) -> list[SittingEvent]:
    return list(sit([astronaut], Order(GREY, variations=2, seed=7), finder, studio, mini))


def kinds(events: list[SittingEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_the_plate_comes_before_any_portrait_and_the_report_last(events: list[SittingEvent]) -> None:
    order = kinds(events)
    assert order[:3] == ["FaceFound", "PlateReady", "PoseReady"]
    assert order[-3:] == ["PortraitReady", "PortraitReady", "Done"]
    assert set(order[3:-3]) == {"Progress"}


def test_progress_counts_the_steps_that_really_run(events: list[SittingEvent]) -> None:
    steps = [event.step for event in events if isinstance(event, Progress)]
    done = next(event for event in events if isinstance(event, Done))
    executed = done.report["steps"]["executed"]
    assert steps == list(range(1, executed + 1)) and executed < done.report["steps"]["requested"]


def test_a_preview_comes_before_the_last_step(events: list[SittingEvent]) -> None:
    progress = [event for event in events if isinstance(event, Progress)]
    assert any(event.previews for event in progress[:-1])


def test_the_report_says_what_was_done(events: list[SittingEvent]) -> None:
    report = events[-1].report if isinstance(events[-1], Done) else {}
    assert report["look"] == "grey" and report["model_set"] == "mini" and report["start"] == "plate"
    assert report["seeds"] == [7, 8] and report["verdicts"] == ["camera.good"]
    assert {"face", "plate", "pose", "portraits"} <= set(report["seconds"])


def test_two_seeds_give_two_portraits_of_a_person(events: list[SittingEvent], finder: FaceFinder) -> None:
    made = [event.portrait.image for event in events if isinstance(event, PortraitReady)]
    assert all(picture.shape == (1350, 1080, 3) for picture in made)
    assert np.abs(made[0].astype(int) - made[1]).mean() > 1
    for picture in made:
        finder.find(Photo(picture.copy()))  # raises without a face


def test_the_same_order_gives_the_same_pixels(
    events: list[SittingEvent], astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    again = list(sit([astronaut], Order(GREY, variations=2, seed=7), finder, studio, mini))
    for one, other in zip(events, again, strict=True):
        if isinstance(one, PortraitReady) and isinstance(other, PortraitReady):
            assert np.array_equal(one.portrait.image, other.portrait.image)
        if isinstance(one, PlateReady) and isinstance(other, PlateReady):
            assert np.array_equal(one.plate.pixels, other.plate.pixels)


def test_the_portrait_keeps_the_sitters_left_and_right(
    events: list[SittingEvent], finder: FaceFinder
) -> None:
    """Her left shoulder carries a flag; a mirrored chain would move the brightness to the other side."""
    shown = next(event.plate.pixels for event in events if isinstance(event, PlateReady))
    made = next(event.portrait.image for event in events if isinstance(event, PortraitReady))
    straight = np.abs(made - shown.astype(float)).mean()
    mirrored = np.abs(made[:, ::-1] - shown.astype(float)).mean()
    assert straight < 0.7 * mirrored


def test_the_portrait_keeps_red_red(events: list[SittingEvent]) -> None:
    """Skin is redder than blue on everybody: swapped channels would turn it."""
    for event in events:
        if isinstance(event, PortraitReady):
            skin = event.portrait.image[590:840, 420:660].reshape(-1, 3).mean(axis=0)
            assert skin[0] > skin[1] > skin[2] and skin[0] > skin[2] + 20


def test_closing_the_chain_stops_it(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    chain = sit([astronaut], Order(GREY, variations=4, seed=1), finder, studio, mini)
    for event in chain:
        if isinstance(event, Progress):
            break
    chain.close()
    first = next(
        e
        for e in sit([astronaut], Order(GREY, variations=1, seed=7), finder, studio, mini)
        if isinstance(e, Progress)
    )
    assert first.step == 1  # the generator is free again, and starts from the beginning


def test_every_selfie_becomes_a_reference_and_the_best_gives_the_pose(
    astronaut: Photo, hopper: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    soft = Photo(np.ascontiguousarray(cv2.resize(cv2.resize(astronaut.pixels, (300, 300)), (512, 512))))
    found = next(
        e for e in sit([soft, astronaut], Order(GREY), finder, studio, mini) if isinstance(e, FaceFound)
    )
    assert len(found.faces) == 2 and found.best == 1
    order = Order(GREY)
    cutout = studio.cut_out(found.faces[1])
    setups = [set_up(cutout, order, shot, mini.model_set) for shot in order.shots(mini.model_set)]
    request = request_for(order, found.faces, setups, mini.model_set)
    assert [r.shape for r in request.references] == [(448, 448, 3)] * 2
    assert np.array_equal(request.references[0], reference_crop(found.faces[1]))  # the best counts first
    assert not np.array_equal(*request.references)


def test_five_selfies_are_one_too_many(astronaut: Photo, finder: FaceFinder) -> None:
    with pytest.raises(PhotoError, match=r"file\.many"):
        find_faces([astronaut] * 5, finder)


def test_a_selfie_that_will_not_do_stops_the_chain_before_the_plate(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    wall = Photo(np.full((600, 480, 3), 120, np.uint8))
    with pytest.raises(PhotoError) as caught:
        list(sit([astronaut, wall], Order(GREY), finder, studio, mini))
    assert caught.value.key == "face.none"


def test_an_identity_is_refused_by_a_set_without_an_adapter(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    with pytest.raises(ChoiceError, match="mini has no identity adapter"):
        list(sit([astronaut], Order(GREY, identity=0.5), finder, studio, mini))


def test_an_order_speaks_the_words_of_look_and_expression() -> None:
    order, sets = Order(GREY, read_expressions()["warm_smile"]), read_model_sets()
    assert order.prompt(sets["mini"]) == f"{GREY.prompt}, warm smile"  # all the words that it learned
    for model_set in sets.values():
        if model_set.family == "sdxl" and not model_set.rehearsal:
            said = order.prompt(model_set)
            assert said == f"headshot photograph of a person, {GREY.prompt}, warm smile"


def test_each_test_portrait_gets_a_portrait_with_a_face(
    portraits: Path, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    from pipelines.selfie.photo import open_photo

    looks = list(read_looks().values())
    lost = []
    for index, path in enumerate(sorted((portraits / "test").glob("*.jpg"))[::6]):
        order = Order(looks[index % len(looks)], variations=1, seed=index)
        made = list(sit([open_photo(path)], order, finder, studio, mini))[-1]
        picture = made.portraits[0].image if isinstance(made, Done) else None
        assert picture is not None
        try:
            finder.find(Photo(picture.copy()))
        except PhotoError:
            lost.append(path.name)
    assert not lost


def test_a_portrait_of_the_small_set_is_finished_with_the_plates_detail(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    """A camera's picture holds more than the sample's: every pixel here has texture of its own."""
    large = cv2.resize(astronaut.pixels, (2048, 2048), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    large += np.random.default_rng(5).normal(0, 12, (2048, 2048, 1))
    camera = Photo(large.clip(0, 255).astype(np.uint8))
    done = list(sit([camera], Order(GREY, variations=2, seed=7), finder, studio, mini))[-1]
    assert isinstance(done, Done)
    for portrait in done.portraits:
        plate = portrait.setup.plate.pixels
        enlarged = cv2.resize(portrait.rendering.image, (1080, 1350), interpolation=cv2.INTER_CUBIC)
        assert portrait.image.shape == plate.shape
        assert fine(portrait.image) > 3 * fine(enlarged)
        assert 0.5 < fine(portrait.image) / fine(plate) < 1.5


def fine(pixels: np.ndarray[Any, Any]) -> float:
    """Power of what a canvas of 256 px hardly holds, in the face."""
    face = pixels[420:850, 340:740].mean(axis=2)
    return float((face - cv2.GaussianBlur(face, (0, 0), 4)).var())


def test_the_portraits_of_a_sitting_differ_in_light_and_crop_and_the_first_has_the_looks_own(
    events: list[SittingEvent], mini: Generator
) -> None:
    done = events[-1]
    assert isinstance(done, Done)
    first, second = (portrait.setup.shot for portrait in done.portraits)
    assert first.light == GREY.light and first.framing == mini.model_set.framing
    assert second.light.key < 0 < first.light.key and second.framing.head_height > first.framing.head_height
    assert [shot["key"] for shot in done.report["shots"]] == [first.light.key, second.light.key]
    assert done.report["shots"][0]["head_height"] == first.framing.head_height
    shown = next(event.plate.pixels for event in events if isinstance(event, PlateReady))
    assert np.array_equal(done.portraits[0].setup.plate.pixels, shown)
    assert np.abs(done.portraits[1].setup.plate.pixels.astype(int) - shown).mean() > 5


class Copier:
    """Stands where the generator stands, and hands every plate back as it is."""

    model_set = read_model_sets()["mini"]

    def revisions(self) -> dict[str, str]:
        return {}

    def draw(self, request: DrawRequest) -> Iterator[Rendering]:
        for i, (plate, seed) in enumerate(zip(request.plates, request.seeds, strict=True)):
            yield Rendering(plate, i, seed, "plate", 0.0, 20, 1, 0.1, base=plate)


def test_a_moved_lamp_or_a_closer_crop_is_not_called_a_change(
    astronaut: Photo, finder: FaceFinder, studio: Studio
) -> None:
    """Each portrait is compared with the plate in its own light and crop."""
    wide = Variation(key=(-85.0, 85.0), fill=(0.0, 0.3), crop=(0.85, 1.1))
    look, copier = GREY.model_copy(update={"variation": wide}), Copier()
    generator: Any = copier
    done = list(sit([astronaut], Order(look, seed=3), finder, studio, generator))[-1]
    assert isinstance(done, Done)
    lights = {portrait.setup.shot.light.key for portrait in done.portraits}
    assert len(lights) == 4 and max(lights) - min(lights) > 90
    for portrait in done.portraits:
        assert np.array_equal(portrait.image, portrait.setup.plate.pixels)
        assert portrait.likeness and portrait.tone_matched is None
        for measure in portrait.likeness.measures.values():
            assert measure.value is None or measure.value == pytest.approx(0, abs=0.01)


def test_an_expression_moves_the_mouth_of_what_is_redrawn_and_not_of_the_photograph(
    hopper: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    face = finder.find(hopper)
    moves = {}
    for name in mini.model_set.expressions:
        order = Order(GREY, read_expressions()[name], variations=1, seed=3)
        done = list(sit([hopper], order, finder, studio, mini))[-1]
        assert isinstance(done, Done)
        (portrait,) = done.portraits
        plain = finder.find(Photo(portrait.setup.plate.pixels.copy()))
        drawn = finder.find(Photo(portrait.image.copy()))
        moves[name] = mouth_change(plain.landmarks, drawn.landmarks)
        still = mouth_change(
            transform_points(portrait.setup.plate.matrix, face.landmarks[:, :2]), plain.landmarks
        )
        assert abs(still) < 0.04  # the photograph stays what it was
    assert moves["warm_smile"] > 0.04 and moves["serious"] < -0.02


def test_open_lips_are_not_closed(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    order = Order(GREY, read_expressions()["serious"], variations=1)
    with pytest.raises(PhotoError, match=r"expression\.open"):
        list(sit([astronaut], order, finder, studio, mini))


def test_an_expression_that_the_set_cannot_do_is_refused(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    with pytest.raises(ChoiceError, match=r"mini cannot do relaxed\. It can do: serious, warm_smile"):
        list(sit([astronaut], Order(GREY, read_expressions()["relaxed"]), finder, studio, mini))

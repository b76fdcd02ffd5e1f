"""The FLUX.2 [klein] family on its repository's files with random weights: what it is shown counts."""

import dataclasses
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline
from PIL import Image

from booth.prints import Printer
from errors import ChoiceError, NotDownloaded, OutOfMemory, PresetError
from pages.booth.story import Story
from pipelines.__main__ import files_of
from pipelines.arrays import Pixels
from pipelines.doctor import CAPTION_PX, SHEET_CELL, contact_sheet
from pipelines.draw.drawer import Drawer, DrawRequest
from pipelines.draw.generate import Generator, Progress, Rendering, load_drawer
from pipelines.draw.klein import Klein
from pipelines.draw.machine import locate
from pipelines.draw.model_set import MODEL_SETS, ModelSet, read_model_sets
from pipelines.draw.plan import Plan
from pipelines.draw.preview import heading, to_pixels, to_tensor
from pipelines.draw.sdxl import Sdxl
from pipelines.ladder import has_dial, ladder
from pipelines.look import read_looks
from pipelines.marks.signing import Signer, drawn_from
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import Done, PoseReady, SittingEvent, sit
from presets import read_preset
from tests.drawing import difference, other_face, portrait, portraits
from tests.hub import build_hub, build_local
from words import read_words

pytestmark = pytest.mark.draws

CANVAS = (128, 160)
ORDER = Order(read_looks()["grey"], variations=2, seed=7)
WORDS = read_words()
SETS = read_model_sets()
REPO = "black-forest-labs/FLUX.2-klein-4B"
# scheduler/scheduler_config.json of the repository (486 bytes, sha256 067afb01...); the stand-in's differs
REAL_SCHEDULE = {
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "invert_sigmas": False,
    "max_image_seq_len": 4096,
    "max_shift": 1.15,
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "shift_terminal": None,
    "stochastic_sampling": False,
    "time_shift_type": "exponential",
    "use_beta_sigmas": False,
    "use_dynamic_shifting": True,
    "use_exponential_sigmas": False,
    "use_karras_sigmas": False,
}

Opened = Callable[..., tuple[Generator, Klein]]
RequestOf = Callable[..., DrawRequest]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Hub cache with klein's repository, and a weights folder with the small set."""
    root = tmp_path_factory.mktemp("networks")
    return build_hub(root / "hub", [SETS["klein"]]), build_local(root / "weights")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the product went online")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def small(name: str = "klein", **changes: Any) -> ModelSet:
    """A shipped set on a canvas for tests, in numbers that every processor computes alike."""
    plan = Plan(device="cpu", gigabytes=0, dtype="float32")
    return SETS[name].model_copy(update={"canvas": CANVAS, "memory": (plan,), **changes})


def shown(faces: int) -> dict[str, Any]:
    """The set's change that lets it see so many selfies."""
    edit = SETS["klein"].edit
    assert edit
    return {"edit": edit.model_copy(update={"faces": faces})}


@pytest.fixture(scope="module")
def open_fresh(places: tuple[Path, Path]) -> Opened:
    """A generator and, to look inside, its drawer."""

    def load(**changes: Any) -> tuple[Generator, Klein]:
        inside: list[Drawer] = []

        def loader(*arguments: Any) -> Drawer:
            inside.append(load_drawer(*arguments))
            return inside[0]

        generator = Generator(small(**changes), "cpu", *places, loader=loader)
        generator.load()
        assert isinstance(inside[0], Klein)
        return generator, inside[0]

    return load


@pytest.fixture(scope="module")
def klein(open_fresh: Opened) -> Generator:
    """For tests that leave it as it is. It sees all four selfies."""
    return open_fresh(**shown(4))[0]


@pytest.fixture(scope="module")
def request_of(astronaut: Photo, hopper: Photo) -> RequestOf:
    """A request with two people's pictures."""
    first, second = (cv2.resize(photo.pixels[:448, :448], (96, 96)) for photo in (astronaut, hopper))
    plain = DrawRequest(
        prompt="studio headshot",
        negative_prompt="blurry",
        controls=(np.zeros((CANVAS[1], CANVAS[0], 3), np.uint8),),
        references=(first, second, first[:, ::-1].copy(), second[:, ::-1].copy()),
        plates=(cv2.resize(astronaut.pixels[:, 51:461], CANVAS, interpolation=cv2.INTER_AREA),),
        seeds=(7,),
        identity=0.7,
        pose=0.9,
    )

    def change(**changes: Any) -> DrawRequest:
        """All portraits have the one plate, unless `plates` says otherwise."""
        count = len(changes.get("seeds", plain.seeds))
        same = {"controls": plain.controls * count, "plates": plain.plates * count}
        return dataclasses.replace(plain, **same | changes)

    return change


def test_it_draws_every_portrait_from_noise_in_all_its_steps(klein: Generator, request_of: RequestOf) -> None:
    made = portraits(klein, request_of(seeds=(1, 2)))
    assert [(one.index, one.seed, one.start, one.strength) for one in made] == [
        (0, 1, "noise", None),
        (1, 2, "noise", None),
    ]
    for one in made:
        assert (one.image.shape, one.image.dtype) == ((CANVAS[1], CANVAS[0], 3), np.uint8)
        assert one.image.std() > 5
        assert one.requested_steps == one.executed_steps == 4
        assert one.base is None
        assert [cost.portraits for cost in one.costs] == [2, 1, 1]
    assert difference(made[0].image, made[1].image) > 8


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda r: {"plates": (255 - r.plates[0],)}, id="plate"),
        *(
            pytest.param(lambda r, i=i: {"references": other_face(r, i)}, id=f"selfie {i + 1}")
            for i in range(4)
        ),
        pytest.param(lambda r: {"references": r.references[::-1]}, id="order of the selfies"),
        pytest.param(lambda r: {"references": r.references[:1]}, id="number of selfies"),
        pytest.param(lambda r: {"references": ()}, id="no selfie"),
        pytest.param(lambda _: {"prompt": "outdoors, warm light"}, id="prompt"),
        pytest.param(lambda _: {"seeds": (8,)}, id="seed"),
    ],
)
def test_everything_it_is_shown_or_told_changes_the_picture(
    change: Callable[[DrawRequest], dict[str, Any]], klein: Generator, request_of: RequestOf
) -> None:
    before = portrait(klein, request_of())
    assert difference(before, portrait(klein, request_of(**change(request_of())))) > 0
    assert difference(before, portrait(klein, request_of())) == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"controls": (np.full((CANVAS[1], CANVAS[0], 3), 90, np.uint8),)}, id="pose map"),
        pytest.param({"pose": 0.1}, id="pose scale"),
        pytest.param({"identity": 0.1}, id="identity scale"),
        pytest.param({"negative_prompt": "hat"}, id="negative prompt"),
    ],
)
def test_what_it_does_not_listen_to_changes_nothing(
    change: dict[str, Any], klein: Generator, request_of: RequestOf
) -> None:
    assert difference(portrait(klein, request_of()), portrait(klein, request_of(**change))) == 0


def test_the_shipped_set_sees_no_more_pictures_than_its_makers_name(
    open_fresh: Opened, request_of: RequestOf
) -> None:
    generator, drawer = open_fresh()
    plain = request_of()
    before = portrait(generator, plain)
    assert difference(before, portrait(generator, request_of(references=other_face(plain, 2)))) > 0
    assert difference(before, portrait(generator, request_of(references=other_face(plain, 3)))) == 0
    (pictures,) = drawer.encode(plain, generator.model_set.course()).pictures
    assert [picture.size for picture in pictures] == [(64, 80)] + [(96, 96)] * 3


def test_the_look_is_told_as_an_instruction() -> None:
    edit = SETS["klein"].edit
    assert edit
    alone, beside = (edit.instruct("grey backdrop, soft light", has_faces=faces) for faces in (False, True))
    assert alone.startswith("Redraw image 1 ") and ": grey backdrop, soft light." in alone
    assert beside.startswith(alone) and "The other images" in beside.removeprefix(alone)
    assert "other images" not in alone


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('["references", "prompt"]', '["prompt"]', "edit = .* go together"),
        ("{prompt}", "a portrait", r"edit\.instruction = .* An instruction says \{prompt\}"),
        ('"flow-match-euler"', '"euler-trailing"', "scheduler = .* flux2-klein take flow-match-euler"),
        ('start = "noise"', 'start = "plate"', "start = .* A start is one of starts"),
        ("plate = 0.5", "plate = 0.1", r"edit\.plate = 0\.1\. "),
        ('keep = "offload"', 'keep = "fp8"', "memory = .* flux2-klein are kept resident or offload"),
    ],
)
def test_a_wrong_set_is_refused(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    text = (MODEL_SETS / "klein.toml").read_text()
    assert old in text
    (tmp_path / "klein.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(PresetError, match=rf"^klein\.toml: {sentence}"):
        read_preset(tmp_path / "klein.toml", ModelSet)


@pytest.mark.parametrize(
    ("plan", "canvas", "sentence"),
    [
        ({"batch": 2}, CANVAS, "draws one by one: batch = 1"),
        ({"compiled": 1}, CANVAS, "compiled = 0"),
        ({}, (96, 120), r"canvas = \[96, 120\]\. Sides are multiples of 16 px"),
    ],
)
def test_a_plan_that_it_cannot_follow_is_refused_before_anything_is_read(
    plan: dict[str, Any], canvas: tuple[int, int], sentence: str, places: tuple[Path, Path]
) -> None:
    asked = Plan(device="cpu", gigabytes=0, dtype="float32", **plan)
    with pytest.raises(ChoiceError, match=f"^klein: .*{sentence}"):
        Generator(small(memory=(asked,), canvas=canvas), "cpu", *places).load()


@pytest.mark.parametrize("start", [{"start": "plate", "strength": 0.5}, {"strength": 0.5}])
def test_it_starts_from_nothing_but_noise(
    start: dict[str, Any], klein: Generator, request_of: RequestOf
) -> None:
    with pytest.raises(ChoiceError):
        klein.draw(request_of(**start))


def test_a_portrait_is_the_same_in_a_group_and_alone(klein: Generator, request_of: RequestOf) -> None:
    plate = request_of().plates[0]
    plates = (255 - plate, plate, np.flipud(plate).copy(), np.fliplr(plate).copy())
    group = portraits(klein, request_of(seeds=(1, 2, 3, 4), plates=plates))
    assert [one.index for one in group] == [0, 1, 2, 3]
    alone = portrait(klein, request_of(seeds=(3,), plates=plates[2:3]))
    assert difference(group[2].image, alone) == 0
    assert difference(alone, portrait(klein, request_of(seeds=(3,), plates=plates[:1]))) > 0


@pytest.mark.parametrize("faces", [0, 1, 4])
def test_it_draws_what_a_user_of_diffusers_would_draw(
    faces: int, klein: Generator, request_of: RequestOf, places: tuple[Path, Path]
) -> None:
    model_set = klein.model_set
    asked = request_of(references=request_of().references[:faces])
    pipe = Flux2KleinPipeline.from_pretrained(
        locate(model_set, *places)["base"],
        scheduler=FlowMatchEulerDiscreteScheduler(**REAL_SCHEDULE),
        dtype=torch.float32,
    )
    pipe.set_progress_bar_config(disable=True)
    plate = cv2.resize(asked.plates[0], (64, 80), interpolation=cv2.INTER_AREA)
    assert model_set.edit
    (theirs,) = pipe(
        image=[Image.fromarray(picture) for picture in (plate, *asked.references)],
        prompt=model_set.edit.instruct(asked.prompt, bool(faces)),
        width=CANVAS[0],
        height=CANVAS[1],
        num_inference_steps=4,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images
    assert difference(portrait(klein, asked), np.asarray(theirs)) == 0


def test_progress_counts_the_steps_of_each_portrait_and_previews_it(
    klein: Generator, request_of: RequestOf
) -> None:
    events = list(klein.draw(request_of(seeds=(1, 2))))
    steps = [event for event in events if isinstance(event, Progress)]
    assert [(one.first, one.count, one.step, one.steps) for one in steps] == [
        (place, 1, step, 4) for place in (0, 1) for step in (1, 2, 3, 4)
    ]
    for step in steps:
        shapes = [preview.shape for preview in step.previews]
        assert shapes == ([] if step.step == 4 else [(CANVAS[1] // 2, CANVAS[0] // 2, 3)])
    assert isinstance(events[4], Rendering) and isinstance(events[-1], Rendering)


def test_a_preview_is_what_the_step_heads_for(open_fresh: Opened) -> None:
    scheduler = open_fresh()[1].pipe.scheduler
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25], mu=1.1)
    picture, noise = torch.randn(2, 1, 20, 16, generator=torch.Generator().manual_seed(0))
    latents = noise
    for timestep in scheduler.timesteps:
        before = latents
        latents = scheduler.step(noise - picture, timestep, before, return_dict=False)[0]  # a right network
        assert torch.allclose(heading(scheduler, before, latents), picture, atol=1e-4)
    assert torch.allclose(latents, picture, atol=1e-4)


class Colours(torch.nn.Module):
    """An encoder whose latents hold what a trained one's do: colours, and how they change across a latent."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        colours = F.avg_pool2d(pictures, 8)
        finer = F.pixel_unshuffle(F.avg_pool2d(pictures.mean(1, keepdim=True), 4), 2)
        return torch.cat([colours, finer, finer[:, :1]], dim=1)


def test_previews_look_like_the_plate_the_less_noise_is_left(
    open_fresh: Opened, request_of: RequestOf
) -> None:
    generator, drawer = open_fresh()
    asked = request_of()
    vae = drawer.pipe.vae
    vae.encoder = Colours()
    with torch.no_grad():
        sketch = drawer.encode(asked, generator.model_set.course()).sketch
        latents = vae.encode(to_tensor(asked.plates[0]) * 2 - 1).latent_dist.mode()
        clean = vae.bn(F.pixel_unshuffle(latents, 2)).flatten(2).transpose(1, 2)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    half = cv2.resize(asked.plates[0], (CANVAS[0] // 2, CANVAS[1] // 2), interpolation=cv2.INTER_AREA)

    def off(sigma: float) -> float:
        (preview,) = to_pixels(sketch((1 - sigma) * clean + sigma * noise))
        return float(np.abs(preview.astype(float) - half).mean())

    grey = float(np.abs(half - half.mean()).mean())  # what a preview without any structure would be off by
    assert off(0.0) < off(0.4) < off(1.0)
    assert off(0.05) < grey / 2


def calls_of(module: torch.nn.Module) -> list[int]:
    """A list that grows by the batch size at each call of a network."""
    calls: list[int] = []
    module.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    return calls


def test_words_are_encoded_once_for_all_portraits(open_fresh: Opened, request_of: RequestOf) -> None:
    generator, drawer = open_fresh()
    words, steps = calls_of(drawer.pipe.text_encoder.model.norm), calls_of(drawer.pipe.transformer.norm_out)
    portraits(generator, request_of(seeds=(1, 2, 3)))
    assert (words, steps) == ([1], [1] * 12)


def test_closing_stops_within_a_step_and_leaves_no_trace(open_fresh: Opened, request_of: RequestOf) -> None:
    generator, drawer = open_fresh()
    asked = request_of(seeds=(1, 2))
    before = [one.image for one in portraits(generator, asked)]
    steps = calls_of(drawer.pipe.transformer.norm_out)
    events = generator.draw(asked)
    assert isinstance(next(events), Progress)
    began = len(steps)
    events.close()  # type: ignore[attr-defined]
    assert len(steps) <= began + 1 < 8
    after = [one.image for one in portraits(generator, asked)]
    assert all(difference(a, b) == 0 for a, b in zip(before, after, strict=True))


def test_two_people_at_once_take_turns(klein: Generator, request_of: RequestOf) -> None:
    asked = [request_of(seeds=(seed,), prompt=words) for seed, words in ((1, "grey"), (2, "outdoors"))]
    alone = [portrait(klein, one) for one in asked]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda one: portrait(klein, one), asked))
    assert [difference(a, b) for a, b in zip(alone, together, strict=True)] == [0, 0]


def out_of_memory(*_: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def test_too_little_memory_is_said_and_survived(open_fresh: Opened, request_of: RequestOf) -> None:
    generator, drawer = open_fresh()
    before = portrait(generator, request_of())
    hook = drawer.pipe.transformer.norm_out.register_forward_pre_hook(out_of_memory)
    with pytest.raises(OutOfMemory):
        portraits(generator, request_of(seeds=(1, 2)))
    hook.remove()
    assert difference(before, portrait(generator, request_of())) == 0


class Blocks(torch.nn.Module):
    """A decoder that looks at one latent at a time, so that tiles have no borders."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return F.interpolate(latents[:, :3], scale_factor=8)


def test_a_decode_without_memory_goes_by_tiles_and_the_next_one_does_not(
    open_fresh: Opened, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.draw.loading.TILE_PX", 96)
    generator, drawer = open_fresh()
    drawer.pipe.vae.decoder = Blocks()
    face = cv2.resize(request_of().references[0], (128, 128))
    asked = request_of(references=(face,))
    whole = portrait(generator, asked)
    sizes: list[tuple[int, ...]] = []

    def allocate(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(tuple(inputs[0].shape[2:]))
        if inputs[0].shape[-1] > 12:
            out_of_memory()

    hook = drawer.pipe.vae.decoder.register_forward_pre_hook(allocate)
    tiled = portrait(generator, asked)
    assert sizes[:2] == [(20, 16)] * 2 and max(sizes[2:]) == (12, 12)  # whole, one by one, in tiles
    assert difference(tiled, whole) <= 1
    hook.remove()
    assert difference(whole, portrait(generator, asked)) == 0  # nor is it shown pictures in tiles
    drawer.pipe.vae.decoder.register_forward_pre_hook(out_of_memory)
    with pytest.raises(OutOfMemory):
        portraits(generator, asked)


def test_the_plan_for_small_cards_draws_the_same_portrait(
    klein: Generator, open_fresh: Opened, request_of: RequestOf
) -> None:
    plan = Plan(device="cpu", gigabytes=0, keep="offload", dtype="float32")
    generator, drawer = open_fresh(memory=(plan,), **shown(4))
    assert difference(portrait(generator, request_of()), portrait(klein, request_of())) == 0
    assert difference(portrait(generator, request_of()), portrait(klein, request_of())) == 0  # and again
    assert hasattr(drawer.pipe.transformer, "_hf_hook")


def test_an_empty_cache_is_said_before_anything_is_written(tmp_path: Path) -> None:
    generator = Generator(small(), "cpu", tmp_path / "hub", tmp_path / "weights")
    with pytest.raises(NotDownloaded, match=f"^not downloaded: {REPO}. .* fetch klein$"):
        generator.load()
    assert list(tmp_path.iterdir()) == []


def test_half_a_text_encoder_is_none(tmp_path: Path) -> None:
    hub = build_hub(tmp_path / "hub", [SETS["klein"]])
    (second,) = hub.rglob("model-00002-of-00002.safetensors")
    second.unlink()
    with pytest.raises(NotDownloaded, match=REPO):
        Generator(small(), "cpu", hub, tmp_path).load()


def test_loading_and_drawing_write_nothing_to_the_terminal(
    places: tuple[Path, Path], request_of: RequestOf, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    libraries = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    for library in libraries:  # whose own handlers hold the terminal of their import
        library.addHandler(handler)
    words = "studio headshot " * 600  # more than the text encoder reads
    portraits(Generator(small(), "cpu", *places), request_of(prompt=words))
    for library in libraries:
        library.removeHandler(handler)
    assert (said, *capfd.readouterr()) == ([], "", "")


@pytest.mark.parametrize(("name", "kind"), [("klein", Klein), ("mini", Sdxl)])
def test_the_family_picks_the_drawer_whatever_the_set_is_called(
    name: str, kind: type, places: tuple[Path, Path], request_of: RequestOf
) -> None:
    drawers: list[Drawer] = []

    def loader(*arguments: Any) -> Drawer:
        drawers.append(load_drawer(*arguments))
        return drawers[-1]

    model_set = small(name)
    made = []
    for called in (name, "zebra", "mini", "klein"):
        generator = Generator(model_set.model_copy(update={"name": called}), "cpu", *places, loader=loader)
        made.append(portrait(generator, request_of()))
    assert [type(drawer) for drawer in drawers] == [kind] * 4
    assert [difference(made[0], other) for other in made] == [0] * 4


class Faithful(Klein):
    """Networks whose portrait is the plate."""

    def decode(self, latents: torch.Tensor, tiled: bool = False) -> list[Pixels]:
        return [self.plate]

    def encode(self, request: DrawRequest, course: Any) -> Any:
        self.plate = request.plates[0]
        return super().encode(request, course)


@pytest.fixture(scope="module")
def events(astronaut: Photo, finder: FaceFinder, studio: Studio, klein: Generator) -> list[SittingEvent]:
    """A sitting whose portraits are noise."""
    return list(sit([astronaut, astronaut], ORDER, finder, studio, klein))


def test_the_whole_chain_runs_and_reports(events: list[SittingEvent]) -> None:
    done = events[-1]
    assert isinstance(done, Done)
    report = done.report
    assert (report["model_set"], report["start"], report["strength"]) == ("klein", "noise", None)
    assert report["repos"] == {REPO: SETS["klein"].parts.base.revision}
    assert report["steps"] == {"requested": 4, "executed": 4}
    assert [portrait.image.shape for portrait in done.portraits] == [(CANVAS[1], CANVAS[0], 3)] * 2
    assert report["likeness"] == [None, None]  # nobody is in them


def test_what_it_changed_is_measured_against_the_plate(
    astronaut: Photo, finder: FaceFinder, studio: Studio, places: tuple[Path, Path]
) -> None:
    def loader(*arguments: Any) -> Drawer:
        drawer = load_drawer(*arguments)
        drawer.__class__ = Faithful
        return drawer

    generator = Generator(small(canvas=(384, 480)), "cpu", *places, loader=loader)
    done = list(sit([astronaut], dataclasses.replace(ORDER, variations=1), finder, studio, generator))[-1]
    assert isinstance(done, Done)
    (told,) = done.report["likeness"]
    assert told["skin"]["value"] == pytest.approx(0, abs=1)


def test_the_making_shows_no_pose_map_and_promises_none(events: list[SittingEvent], tmp_path: Path) -> None:
    services: Any = SimpleNamespace(say=WORDS.say)
    services.warmup = SimpleNamespace(state="ready")
    visit: Any = SimpleNamespace(keep=lambda jpeg, name="": name)
    screen: Any = SimpleNamespace(
        **{name: name for name in ("plate", "preview", "mesh", "pose", "words", "steps")}
    )
    frames: dict[str, dict[str, str]] = {}
    for name in ("klein", "mini"):
        generator: Any = SimpleNamespace(model_set=SETS[name])
        printer = Printer(Signer(tmp_path), visit, ORDER, generator)
        story = Story(services, screen, WORDS.say, ORDER, generator, printer)
        frames[name] = dict(story.open())
        for event in events:
            frames[name] |= story.tell(event)
        prints, _ = printer.print_all(story.portraits, story.traces, "")
        assert ("pose" in prints.pairs[0].frames) == (name == "mini")
    for name, key in (("klein", "shown"), ("mini", "keeps")):
        assert WORDS.say(f"making.{key}") in frames[name]["pose"]
        assert "<img" in frames[name]["pose"]
    assert frames["klein"]["pose"] != frames["mini"]["pose"]
    assert "keeps your pose" in frames["mini"]["words"]
    assert "pose" not in frames["klein"]["words"]


def test_a_terminal_gets_no_pose_map_either(events: list[SittingEvent]) -> None:
    signer: Any = SimpleNamespace(sign=lambda pixels, made: b"")
    (ready,) = (event for event in events if isinstance(event, PoseReady))
    assert set(files_of(ready, signer, SETS["klein"])) == {"seen.png"}
    assert set(files_of(ready, signer, SETS["mini"])) == {"pose.png", "seen.png"}


def test_the_sheet_of_scales_has_one_picture_where_there_are_none(klein: Generator) -> None:
    assert contact_sheet(klein).shape == (SHEET_CELL[1] + CAPTION_PX, SHEET_CELL[0], 3)


def test_a_portrait_is_marked_as_an_edit_of_the_photograph_that_it_was_shown() -> None:
    assert drawn_from("noise", SETS["klein"]) == "from_plate"
    assert drawn_from("noise", SETS["realvis-lightning"]) == "generated"
    assert drawn_from("plate", SETS["realvis-lightning"]) == "from_plate"


def test_it_has_no_ladder(astronaut: Photo, finder: FaceFinder, studio: Studio, klein: Generator) -> None:
    assert not has_dial(SETS["klein"])
    with pytest.raises(ChoiceError, match="klein has no dial"):
        next(ladder([astronaut], ORDER, finder, studio, klein))


def test_an_order_for_an_identity_scale_is_refused(
    astronaut: Photo, finder: FaceFinder, studio: Studio, klein: Generator
) -> None:
    order = dataclasses.replace(ORDER, identity=0.5)
    with pytest.raises(ChoiceError, match="klein has no identity adapter"):
        next(sit([astronaut], order, finder, studio, klein))

"""The generator on the real repositories' files with random weights: every input counts, nothing else."""

import dataclasses
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLControlNetPipeline
from PIL import Image
from safetensors.torch import load_file
from torch._dynamo.exc import BackendCompilerFailed

from errors import ChoiceError, NotDownloaded, OutOfMemory
from pipelines.arrays import Pixels
from pipelines.draw.drawer import Drawer, DrawRequest
from pipelines.draw.generate import Generator, Progress, Rendering, load_drawer
from pipelines.draw.loading import Networks
from pipelines.draw.machine import locate
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.draw.plan import Plan
from pipelines.draw.preview import fitted_sketch, heading, to_pixels, to_tensor
from pipelines.draw.reference import reference_crop
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from tests.drawing import difference, other_face, portrait, portraits
from tests.hub import build_hub, build_local

pytestmark = pytest.mark.draws

CANVAS = (128, 160)  # the real canvases would take minutes
SETS = tuple(name for name, model_set in read_model_sets().items() if model_set.family == "sdxl")
LIGHTNING = "realvis-lightning"
STEPS = 10  # at most: what a set's thirty steps prove, ten prove in a third of the time

Make = Callable[..., Generator]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Hub cache with all repositories, and a weights folder with the small set."""
    root = tmp_path_factory.mktemp("networks")
    return build_hub(root / "hub", read_model_sets().values()), build_local(root / "weights")


@pytest.fixture(scope="module")
def make(places: tuple[Path, Path]) -> Make:
    """Generators of shipped sets on a small canvas, loaded once each unless asked for a fresh one."""
    kept: dict[tuple[str, int], Generator] = {}

    def generator(name: str, batch: int = 4, fresh: bool = False, **changes: Any) -> Generator:
        if fresh or changes or (name, batch) not in kept:
            made = Generator(small(name, batch, **changes), "cpu", *places)
            if fresh or changes:
                return made
            kept[name, batch] = made
        return kept[name, batch]

    return generator


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the product went online")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def small(name: str, batch: int = 4, **changes: Any) -> ModelSet:
    """A shipped set on a canvas for tests, in numbers that every processor computes alike, in few steps."""
    plan, shipped = Plan(device="cpu", gigabytes=0, batch=batch, dtype="float32"), read_model_sets()[name]
    plain = {"canvas": CANVAS, "memory": (plan,), "steps": min(shipped.steps, STEPS)}
    return shipped.model_copy(update=plain | changes)


@pytest.fixture(scope="module")
def request_of(astronaut: Photo, hopper: Photo) -> Callable[..., DrawRequest]:
    """A request with two people's pictures."""
    first, second = (cv2.resize(photo.pixels[:448, :448], (96, 96)) for photo in (astronaut, hopper))
    pose = np.zeros((CANVAS[1], CANVAS[0], 3), np.uint8)
    cv2.line(pose, (20, 120), (100, 40), (255, 85, 0), 6)
    plain = DrawRequest(
        prompt="studio headshot of a person",
        negative_prompt="blurry",
        controls=(pose,),
        references=(first, second, first[:, ::-1].copy(), second[:, ::-1].copy()),
        plates=(cv2.resize(astronaut.pixels[:, 51:461], CANVAS, interpolation=cv2.INTER_AREA),),
        seeds=(7,),
        identity=0.7,
        pose=0.9,
    )

    def change(**changes: Any) -> DrawRequest:
        """`control` and `plate` stand for one that all portraits have."""
        count = len(changes.get("seeds", plain.seeds))
        controls = (changes.pop("control", pose),) * count
        plates = (changes.pop("plate", plain.plates[0]),) * count
        return dataclasses.replace(plain, **{"controls": controls, "plates": plates} | changes)

    return change


RequestOf = Callable[..., DrawRequest]


@pytest.mark.parametrize("name", SETS)
def test_every_shipped_set_loads_its_own_files_and_draws(
    name: str, make: Make, request_of: RequestOf
) -> None:
    generator = make(name)
    made = portraits(generator, request_of(seeds=(1, 2)))
    course = generator.model_set.course()
    assert [(one.index, one.seed, one.start) for one in made] == [(0, 1, course.start), (1, 2, course.start)]
    for one in made:
        assert one.image.shape == (CANVAS[1], CANVAS[0], 3)
        assert one.image.dtype == np.uint8
        assert one.image.std() > 5
        assert one.executed_steps == course.executed_steps
        assert one.requested_steps == generator.model_set.steps
        assert one.seconds > 0
    assert difference(made[0].image, made[1].image) > 8


@pytest.fixture(scope="module")
def before(make: Make, request_of: RequestOf) -> Pixels:
    """What is drawn when nothing else is asked for."""
    return portrait(make(LIGHTNING), request_of())


def other_pose() -> Pixels:
    pose = np.zeros((CANVAS[1], CANVAS[0], 3), np.uint8)
    cv2.line(pose, (100, 120), (20, 40), (0, 85, 255), 6)
    return pose


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: {"control": other_pose()}, id="pose map"),
        pytest.param(lambda _: {"pose": 0.3}, id="pose scale"),
        *(
            pytest.param(lambda r, i=i: {"references": other_face(r, i)}, id=f"reference {i + 1}")
            for i in range(4)
        ),
        pytest.param(lambda r: {"references": r.references[:1]}, id="number of references"),
        pytest.param(lambda _: {"identity": 0.2}, id="identity scale"),
        pytest.param(lambda _: {"prompt": "outdoors, warm light"}, id="prompt"),
        pytest.param(lambda _: {"seeds": (8,)}, id="seed"),
        pytest.param(lambda _: {"strength": 0.5}, id="strength"),
        pytest.param(lambda _: {"start": "noise"}, id="start"),
    ],
)
def test_everything_asked_for_changes_the_picture(
    change: Callable[[DrawRequest], dict[str, Any]], before: Pixels, make: Make, request_of: RequestOf
) -> None:
    generator = make(LIGHTNING)
    assert difference(before, portrait(generator, request_of(**change(request_of())))) > 0
    assert difference(before, portrait(generator, request_of())) == 0


def test_a_negative_prompt_counts_with_guidance_only(make: Make, request_of: RequestOf) -> None:
    asked = request_of(), request_of(negative_prompt="hat, glasses")
    guided, plain = ([portrait(make(name), one) for one in asked] for name in ("sdxl-quality", LIGHTNING))
    assert difference(*guided) > 0
    assert difference(*plain) == 0


def test_the_small_set_redraws_the_plate_and_knows_no_faces(make: Make, request_of: RequestOf) -> None:
    mini, asked = make("mini"), request_of()
    before = portrait(mini, asked)
    assert difference(before, portrait(mini, request_of(plate=255 - asked.plates[0]))) > 0
    assert difference(before, portrait(mini, request_of(strength=0.7))) > 0
    assert difference(before, portrait(mini, request_of(control=other_pose()))) > 0
    assert difference(before, portrait(mini, request_of(prompt="outdoors"))) > 0
    assert difference(before, portrait(mini, request_of(references=(), identity=0.0))) == 0


def test_a_plate_counts_for_a_start_from_it_only(make: Make, request_of: RequestOf) -> None:
    plates = ({}, {"plate": 255 - request_of().plates[0]})
    noise, plate = (
        [portrait(make(LIGHTNING), request_of(start=start, **one)) for one in plates]
        for start in ("noise", "plate")
    )
    assert difference(*noise) == 0
    assert difference(*plate) > 0


def test_without_a_face_the_adapter_is_off(make: Make, request_of: RequestOf) -> None:
    generator = make(LIGHTNING)
    nobody = portrait(generator, request_of(references=()))
    assert difference(nobody, portrait(generator, request_of(identity=0.0))) == 0


@pytest.fixture
def opened(places: tuple[Path, Path]) -> Callable[..., tuple[Generator, Networks]]:
    """A fresh generator and, to look inside, its networks."""

    def load(name: str, batch: int = 4, **changes: Any) -> tuple[Generator, Networks]:
        inside: list[Networks] = []

        def loader(*arguments: Any) -> Drawer:
            drawer: Any = load_drawer(*arguments)
            inside.append(drawer.networks)
            return drawer

        generator = Generator(small(name, batch, **changes), "cpu", *places, loader=loader)
        generator.load()
        return generator, inside[0]

    return load


Opened = Callable[..., tuple[Generator, Networks]]


def calls_of(module: torch.nn.Module) -> list[int]:
    """A list that grows by the batch size at each call of a network."""
    calls: list[int] = []
    module.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    return calls


@pytest.mark.parametrize("name", ["mini", LIGHTNING])
def test_a_pose_scale_of_zero_makes_the_pose_irrelevant_and_spares_the_controlnet(
    name: str, opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(name)
    calls = calls_of(networks.drawing.controlnet.conv_in)
    before = portrait(generator, request_of(pose=0.0))
    assert difference(before, portrait(generator, request_of(pose=0.0, control=other_pose()))) == 0
    assert len(calls) == 1  # to learn the shapes


def test_prompt_faces_and_each_plate_are_encoded_once_for_all_portraits(
    opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(LIGHTNING, batch=2)
    faces = calls_of(networks.encoding.image_encoder.vision_model.embeddings)
    words = calls_of(networks.encoding.text_encoder)
    plates = calls_of(networks.drawing.vae.encoder)
    asked = request_of(seeds=(1, 2, 3, 4), start="plate", strength=0.5)
    assert len(portraits(generator, asked)) == 4
    assert (len(words), faces[0], plates) == (1, 4, [1])  # one plate for all four: encoded once
    assert len(faces) <= 2  # the faces, and their absence


@pytest.mark.parametrize("name", ["mini", LIGHTNING])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_a_portrait_is_the_same_in_a_group_and_alone(
    name: str, batch: int, make: Make, request_of: RequestOf
) -> None:
    group = portraits(make(name, batch), request_of(seeds=(1, 2, 3, 4)))
    assert [one.index for one in group] == [0, 1, 2, 3]
    assert difference(group[2].image, portrait(make(name), request_of(seeds=(3,)))) <= 1


@pytest.mark.parametrize("name", SETS)
def test_each_portrait_of_a_group_has_its_own_plate_and_pose_map(
    name: str, make: Make, request_of: RequestOf
) -> None:
    plain = request_of()
    start = {"start": "plate", "strength": 0.5}
    other = {"plate": 255 - plain.plates[0], "control": other_pose()}
    mixed = request_of(
        seeds=(1, 1),
        controls=(plain.controls[0], other["control"]),
        plates=(plain.plates[0], other["plate"]),
        **start,
    )
    first, second = (one.image for one in portraits(make(name), mixed))
    assert difference(first, portrait(make(name), request_of(seeds=(1,), **start))) <= 1
    assert difference(second, portrait(make(name), request_of(seeds=(1,), **start, **other))) <= 1
    assert difference(first, second) > 1


def test_a_request_has_a_plate_and_a_pose_map_for_every_seed(make: Make, request_of: RequestOf) -> None:
    with pytest.raises(ValueError, match="plates: 1 for 2 seeds"):
        make("mini").draw(request_of(seeds=(1, 2), plates=request_of().plates))


def test_progress_counts_the_steps_that_really_run(make: Make, request_of: RequestOf) -> None:
    generator = make("mini", 2)
    events = list(generator.draw(request_of(seeds=(1, 2, 3), strength=0.5)))
    told = [(one.first, one.count, one.step, one.steps) for one in events if isinstance(one, Progress)]
    assert told == [(0, 2, k, 5) for k in range(1, 6)] + [(2, 1, k, 5) for k in range(1, 6)]
    assert [type(one) for one in events[5:7]] == [Rendering, Rendering]


@pytest.mark.parametrize("name", ["mini", LIGHTNING, "sdxl-quality"])
def test_previews_show_every_portrait_at_half_the_width(name: str, make: Make, request_of: RequestOf) -> None:
    events = list(make(name).draw(request_of(seeds=(1, 2))))
    *steps, last = [event for event in events if isinstance(event, Progress)]
    assert steps
    for step in steps:
        assert [preview.shape for preview in step.previews] == [(CANVAS[1] // 2, CANVAS[0] // 2, 3)] * 2
    assert last.previews == ()  # the portrait itself follows


def test_a_fitted_preview_of_the_plates_latents_looks_like_the_plate(astronaut: Photo) -> None:
    plate = cv2.resize(astronaut.pixels, CANVAS, interpolation=cv2.INTER_AREA)
    latents = torch.nn.functional.pixel_unshuffle(torch.nn.functional.avg_pool2d(to_tensor(plate), 4), 2)
    sketch = fitted_sketch(latents * 3 - 1, plate)
    assert sketch is not None
    (preview,) = to_pixels(sketch(latents * 3 - 1))
    half = cv2.resize(plate, (CANVAS[0] // 2, CANVAS[1] // 2), interpolation=cv2.INTER_AREA)
    grey = np.abs(half - half.mean()).mean()  # what a preview without any structure would be off by
    assert np.abs(preview.astype(float) - half).mean() < grey / 4


def test_a_preview_is_what_the_step_believes_the_picture_to_be(opened: Opened) -> None:
    _, networks = opened("sdxl-lightning")
    scheduler = networks.drawing.scheduler
    scheduler.set_timesteps(4)
    picture, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    before = scheduler.add_noise(picture, noise, scheduler.timesteps[:1])
    scheduler.scale_model_input(before, scheduler.timesteps[0])
    after = scheduler.step(noise, scheduler.timesteps[0], before).prev_sample  # a network that is right
    assert torch.allclose(heading(scheduler, before, after), picture, atol=1e-3)


def reference_arguments(generator: Generator, networks: Networks, request: DrawRequest) -> dict[str, Any]:
    """What a user of diffusers would write."""
    networks.scale_identity(1.0)  # diffusers' own scale is the witness for ours
    networks.encoding.set_ip_adapter_scale(request.identity)
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "ip_adapter_image": [[Image.fromarray(face) for face in request.references]],
        "num_inference_steps": generator.model_set.steps,
        "guidance_scale": generator.model_set.guidance,
        "controlnet_conditioning_scale": request.pose,
        "generator": [torch.Generator().manual_seed(seed) for seed in request.seeds],
        "num_images_per_prompt": len(request.seeds),
        "output_type": "np",
    }


@pytest.mark.parametrize("name", ["realvis-lightning", "sdxl-lightning", "sdxl-quality"])
def test_from_noise_it_draws_what_diffusers_text_to_image_draws(
    name: str, opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(name)
    asked = request_of(seeds=(1, 2), start="noise")
    ours = portraits(generator, asked)
    theirs = StableDiffusionXLControlNetPipeline(**networks.encoding.components, add_watermarker=False)
    theirs.set_progress_bar_config(disable=True)
    control = Image.fromarray(asked.controls[0])
    images = theirs(image=control, **reference_arguments(generator, networks, asked)).images
    for mine, image in zip(ours, images, strict=True):
        assert difference(mine.image, (image * 255).round()) <= 1


def test_from_the_plate_it_draws_what_diffusers_image_to_image_draws(
    opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened("sdxl-quality")
    asked = request_of(start="plate", strength=0.4)
    (ours,) = portraits(generator, asked)
    assert ours.executed_steps == 4
    vae = networks.encoding.vae
    with torch.no_grad():
        latents = (
            vae.encode(to_tensor(asked.plates[0]) * 2 - 1).latent_dist.mode() * vae.config.scaling_factor
        )
    images = networks.encoding(
        image=latents,
        control_image=Image.fromarray(asked.controls[0]),
        strength=0.4,
        **reference_arguments(generator, networks, asked),
    ).images
    assert difference(ours.image, (images[0] * 255).round()) <= 1


def without(name: str, role: str) -> ModelSet:
    parts = small(name).parts
    return small(name, parts=parts.model_copy(update={role: None}))


def test_the_lora_is_in_the_weights(make: Make, places: tuple[Path, Path], request_of: RequestOf) -> None:
    plain = Generator(without(LIGHTNING, "lora"), "cpu", *places)
    assert difference(portrait(plain, request_of()), portrait(make(LIGHTNING), request_of())) > 0


def test_the_other_unet_is_the_one_that_draws(opened: Opened, places: tuple[Path, Path]) -> None:
    generator, networks = opened("sdxl-lightning")
    folder = locate(generator.model_set, *places)["unet"]
    weights = load_file(folder / "sdxl_lightning_8step_unet.safetensors")
    assert torch.equal(networks.drawing.unet.conv_in.weight, weights["conv_in.weight"].float())


@pytest.mark.parametrize("name", ["mini", LIGHTNING])
def test_closing_stops_within_a_step_and_leaves_no_trace(
    name: str, opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(name)
    asked = request_of(seeds=(1, 2))
    before = [one.image for one in portraits(generator, asked)]
    steps = calls_of(networks.drawing.unet)
    events = generator.draw(asked)
    assert isinstance(next(events), Progress)
    began = len(steps)
    events.close()  # type: ignore[attr-defined]
    assert len(steps) <= began + 1
    after = [one.image for one in portraits(generator, asked)]
    assert all(difference(a, b) == 0 for a, b in zip(before, after, strict=True))


def test_events_that_nobody_reads_draw_nothing(opened: Opened, request_of: RequestOf) -> None:
    generator, networks = opened(LIGHTNING)
    steps = calls_of(networks.drawing.unet)
    generator.draw(request_of()).close()  # type: ignore[attr-defined]
    assert steps == []


def test_two_people_at_once_take_turns(opened: Opened, request_of: RequestOf) -> None:
    generator, _ = opened(LIGHTNING)
    asked = [
        request_of(seeds=(seed,), start=start, strength=strength)
        for seed, start, strength in ((1, "noise", None), (2, "plate", 0.5), (3, None, None))
    ]
    alone = [portrait(generator, one) for one in asked]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda one: portrait(generator, one), asked))
    assert [difference(a, b) for a, b in zip(alone, together, strict=True)] == [0, 0, 0]


def test_who_comes_second_waits_for_the_first(opened: Opened, request_of: RequestOf) -> None:
    generator, networks = opened(LIGHTNING)
    batches = calls_of(networks.drawing.unet)
    first = generator.draw(request_of(seeds=(1, 2)))
    next(first)
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(portraits, generator, request_of(seeds=(3,)))
        made = [event for event in first if isinstance(event, Rendering)]
        assert (len(made), len(second.result())) == (2, 1)
    assert batches == [2] * 3 + [1] * 3


def fail_above(networks: Networks, most: int, error: RuntimeError) -> list[int]:
    """Let the U-Net run out of memory with more than `most` portraits at a time. Returns its batches."""
    batches: list[int] = []

    def allocate(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        batches.append(len(inputs[0]))
        if len(inputs[0]) > most:
            raise error

    networks.drawing.unet.conv_in.register_forward_pre_hook(allocate)
    return batches


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("MPS backend out of memory (...)")],
    ids=["cuda", "mps"],
)
def test_too_little_memory_makes_smaller_batches_of_the_same_portraits(
    error: RuntimeError, opened: Opened, make: Make, request_of: RequestOf, caplog: pytest.LogCaptureFixture
) -> None:
    generator, networks = opened(LIGHTNING, batch=4)
    batches = fail_above(networks, 1, error)
    asked = request_of(seeds=(1, 2, 3, 4))
    made = portraits(generator, asked)
    assert [one.index for one in made] == [0, 1, 2, 3]
    assert batches == [4, 2] + [1] * 12
    assert "now 1" in caplog.text
    for mine, other in zip(made, portraits(make(LIGHTNING), asked), strict=True):
        assert difference(mine.image, other.image) <= 1


def test_too_little_memory_for_one_portrait_is_said_and_survived(
    opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened("mini", batch=2)
    convolution = networks.drawing.unet.conv_in
    fail_above(networks, 0, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(OutOfMemory):
        portraits(generator, request_of(seeds=(1, 2)))
    convolution._forward_pre_hooks.clear()
    assert len(portraits(generator, request_of(seeds=(1, 2)))) == 2


def test_too_little_memory_to_decode_is_said(opened: Opened, request_of: RequestOf) -> None:
    generator, networks = opened("mini")

    def allocate(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    networks.drawing.vae.decoder.register_forward_pre_hook(allocate)
    with pytest.raises(OutOfMemory):
        portraits(generator, request_of())


def test_another_failure_of_a_network_is_not_taken_for_memory(opened: Opened, request_of: RequestOf) -> None:
    generator, networks = opened("mini")
    fail_above(networks, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        portraits(generator, request_of())


@pytest.mark.parametrize("keep", ["fp8", "visiting"])
def test_the_plans_for_small_cards_draw_the_same_portrait(
    keep: str, places: tuple[Path, Path], make: Make, request_of: RequestOf
) -> None:
    plan = Plan(device="cpu", gigabytes=0, keep=keep, dtype="float32")  # type: ignore[arg-type]
    generator = Generator(small(LIGHTNING, memory=(plan,)), "cpu", *places)
    ours, full = portrait(generator, request_of()), portrait(make(LIGHTNING), request_of())
    assert np.abs(ours.astype(int) - full).mean() < {"fp8": 12, "visiting": 0.01}[keep]


@pytest.mark.parametrize("keep", ["fp8", "visiting"])
def test_encoders_are_on_the_card_for_their_turn_only(
    keep: str, opened: Opened, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(device="cpu", gigabytes=0, keep=keep, dtype="float32")  # type: ignore[arg-type]
    generator, networks = opened(LIGHTNING, memory=(plan,))
    moves: list[tuple[str, object]] = []
    for name in ("text_encoder", "text_encoder_2", "image_encoder", "unet", "controlnet", "vae"):
        network = getattr(networks.encoding, name)
        monkeypatch.setattr(network, "to", lambda place, name=name: moves.append((name, place)))
    portrait(generator, request_of())
    there_and_back = [networks.device, "cpu"]
    assert moves == [
        (name, place)
        for name in ("text_encoder", "text_encoder_2", "image_encoder")
        for place in there_and_back
    ]


def test_an_encoder_that_found_no_memory_leaves_the_card_and_tries_once_more(
    opened: Opened, make: Make, request_of: RequestOf
) -> None:
    plan = Plan(device="cpu", gigabytes=0, keep="visiting", batch=2, dtype="float32")
    generator, networks = opened(LIGHTNING, memory=(plan,))
    encoder, full, left = networks.encoding.image_encoder, [True], []

    def allocate(*_: Any) -> None:
        if full and full.pop():
            raise torch.OutOfMemoryError("CUDA out of memory.")

    encoder.vision_model.embeddings.register_forward_pre_hook(allocate)
    networks.drawing.unet.conv_in.register_forward_hook(lambda _, given, __: left.append(len(given[0])))
    asked = request_of(seeds=(1, 2))
    for mine, other in zip(portraits(generator, asked), portraits(make(LIGHTNING), asked), strict=True):
        assert difference(mine.image, other.image) <= 1
    assert set(left) == {2}  # the batch is not to blame
    full[:] = [True, True]
    with pytest.raises(OutOfMemory):
        portraits(generator, asked)


def test_an_encoder_that_fails_in_its_turn_is_sent_away(opened: Opened) -> None:
    plan = Plan(device="cpu", gigabytes=0, keep="visiting", dtype="float32")
    _, networks = opened(LIGHTNING, memory=(plan,))
    moved: list[object] = []

    class Elsewhere:
        def parameters(self) -> Iterator[torch.Tensor]:
            yield torch.empty(1, device="meta")

        def to(self, place: object) -> None:
            moved.append(place)

    dataclasses.replace(networks, visitors=(Elsewhere(), *networks.visitors)).release()
    assert moved == ["cpu"]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Graphs are captured as for a card, and Python runs them: a list that grows by each one's size."""
    sizes: list[int] = []
    compile_ = torch.compile

    def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., Any]:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda function, **how: compile_(function, backend=backend, **how))
    yield sizes
    torch._dynamo.reset()


def test_a_card_that_is_too_small_to_warm_up_still_draws(
    graphs: list[int], opened: Opened, request_of: RequestOf, caplog: pytest.LogCaptureFixture
) -> None:
    plan = Plan(device="cpu", gigabytes=0, batch=2, compiled=2, dtype="float32")
    generator, networks = opened(LIGHTNING, memory=(plan,))
    hook = networks.drawing.unet.conv_in.register_forward_pre_hook

    def allocate(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    full = hook(allocate)
    generator.warm()
    full.remove()
    assert "nothing is compiled" in caplog.text
    assert len(portraits(generator, request_of(seeds=(1, 2)))) == 2


@pytest.mark.parametrize(("kind", "calls"), [("cpu", [1]), ("cuda", [])])
def test_a_drawing_leaves_cores_to_the_room_on_a_processor_only(
    kind: str,
    calls: list[int],
    places: tuple[Path, Path],
    request_of: RequestOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiled networks are compiled anew where the number of threads is another."""

    def loader(*arguments: Any) -> Drawer:
        drawer: Any = load_drawer(*arguments)
        drawer.plan = drawer.plan.model_copy(update={"device": kind})
        return drawer

    generator = Generator(small("mini"), "cpu", *places, loader=loader, spared=lambda: 7)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    portrait(generator, request_of())
    assert asked == calls


def test_what_a_stage_took_of_a_card_is_the_most_that_it_held(
    make: Make, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [0.0]

    def most() -> float:
        held[0] += 1e9
        return held[0]

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", most)
    (made,) = portraits(make(LIGHTNING), request_of())
    assert [(cost.stage, cost.gigabytes) for cost in made.costs] == [
        ("encode", 1.0),
        ("denoise", 2.0),
        ("decode", 3.0),
    ]


@pytest.mark.parametrize("name", SETS)
def test_an_empty_cache_is_said_before_anything_is_written(name: str, tmp_path: Path) -> None:
    generator = Generator(small(name), "cpu", tmp_path / "hub", tmp_path / "weights")
    first = next(iter(generator.model_set.parts.by_role().values())).place
    with pytest.raises(NotDownloaded, match=f"^not downloaded: {first}. .* fetch {name}$"):
        generator.load()
    assert list(tmp_path.iterdir()) == []


def test_one_missing_file_is_as_bad_as_all(places: tuple[Path, Path], tmp_path: Path) -> None:
    hub = shutil.copytree(places[0], tmp_path / "hub")
    (lora,) = hub.rglob("sdxl_lightning_8step_lora.safetensors")
    lora.unlink()
    with pytest.raises(NotDownloaded, match="ByteDance/SDXL-Lightning"):
        Generator(small(LIGHTNING), "cpu", hub, places[1]).load()


def test_loading_and_drawing_write_nothing_to_the_terminal(
    places: tuple[Path, Path], request_of: RequestOf, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "studio headshot " * 60  # more than the text encoders read
    for name in ("mini", LIGHTNING):
        portraits(Generator(small(name), "cpu", *places), request_of(prompt=words))
    assert capfd.readouterr() == ("", "")


def test_loading_twice_at_once_loads_once(places: tuple[Path, Path]) -> None:
    loads: list[str] = []

    def loader(*arguments: Any) -> Drawer:
        loads.append("once")
        return load_drawer(*arguments)

    generator = Generator(small("mini"), "cpu", *places, loader=loader)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: generator.load(), range(2)))
    assert loads == ["once"]


def test_a_start_that_breaks_the_schedule_is_refused_before_drawing(
    make: Make, request_of: RequestOf
) -> None:
    with pytest.raises(ChoiceError, match=r"Strength 0\.6 cuts a schedule of 8 steps"):
        make(LIGHTNING).draw(request_of(start="plate", strength=0.6))
    with pytest.raises(ChoiceError, match="leaves none of 10 steps"):
        make("mini").draw(request_of(strength=0.01))


def test_pictures_of_another_size_are_refused(make: Make, request_of: RequestOf) -> None:
    with pytest.raises(ValueError, match="control"):
        make("mini").draw(request_of(control=np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(ValueError, match="5 references"):
        make(LIGHTNING).draw(request_of(references=request_of().references[:1] * 5))


def test_a_set_that_does_not_fit_says_what_it_needs(places: tuple[Path, Path]) -> None:
    shipped = read_model_sets()[LIGHTNING]
    with pytest.raises(ChoiceError, match=r"realvis-lightning needs 7\.5 GB of GPU memory"):
        Generator(shipped, "cpu", *places).load()


def test_revisions_name_every_repository_by_its_commit(make: Make) -> None:
    told = make(LIGHTNING).revisions()
    assert told["h94/IP-Adapter"] == "018e402774aeeddd60609b4ecdb7e298259dc729"
    assert len(told) == 6
    (place, digest), *rest = make("mini").revisions().items()
    assert (place, rest) == ("weights/mini", [])
    assert digest.startswith("sha256:")


# sigmas of eight trailing steps of SDXL's own noise, last to first (ByteDance/SDXL-Lightning, 8 steps)
EIGHT = (0.0, 0.40, 0.69, 1.07, 1.61, 2.49, 4.08, 7.30, 14.6)


@pytest.mark.parametrize("name", ["realvis-lightning", "sdxl-laptop", "sdxl-lightning"])
def test_the_schedule_is_the_sets_whatever_the_bases_own_file_wants(name: str, opened: Opened) -> None:
    _, networks = opened(name)
    scheduler = networks.drawing.scheduler
    scheduler.set_timesteps(8)
    assert np.allclose(scheduler.sigmas.numpy()[::-1], EIGHT, atol=0.01, rtol=0.01)
    assert scheduler.config.prediction_type == "epsilon"


def test_every_set_with_a_face_adapter_draws_with_euler(opened: Opened) -> None:
    for name in SETS:
        assert type(opened(name)[1].drawing.scheduler).__name__ == "EulerDiscreteScheduler"


def sizes_told(networks: Networks) -> list[list[float]]:
    """A list that grows by the six numbers that SDXL is told of sizes and crops."""
    told: list[list[float]] = []
    networks.drawing.unet.register_forward_pre_hook(
        lambda _, __, options: told.append(options["added_cond_kwargs"]["time_ids"][0].tolist()),
        with_kwargs=True,
    )
    return told


def test_a_small_canvas_is_told_to_be_a_large_one(opened: Opened, request_of: RequestOf) -> None:
    laptop, networks = opened("sdxl-laptop")
    told = sizes_told(networks)
    portrait(laptop, request_of())
    assert told[0] == [1280, 1024, 0, 0, 1280, 1024]  # height first
    generator, networks = opened(LIGHTNING)
    told = sizes_told(networks)
    portrait(generator, request_of())
    assert told[0] == [CANVAS[1], CANVAS[0], 0, 0, CANVAS[1], CANVAS[0]]


@pytest.mark.parametrize(("name", "pictures"), [(LIGHTNING, [4]), ("sdxl-quality", [4, 1])])
def test_the_image_encoder_sees_no_blank_picture_without_guidance(
    name: str, pictures: list[int], opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(name)
    seen = calls_of(networks.encoding.image_encoder.vision_model.embeddings)
    portrait(generator, request_of())
    assert seen == pictures


def test_fewer_faces_are_four_to_the_networks_and_weigh_the_same(
    opened: Opened, request_of: RequestOf
) -> None:
    generator, networks = opened(LIGHTNING)
    shapes: list[tuple[int, ...]] = []
    networks.drawing.unet.register_forward_pre_hook(
        lambda _, __, options: shapes.append(options["added_cond_kwargs"]["image_embeds"][0].shape),
        with_kwargs=True,
    )
    first, second = request_of().references[:2]
    made = [
        portrait(generator, request_of(references=references))
        for references in ((first,), (first,) * 4, (first, second), (first, second) * 2)
    ]
    assert len(set(shapes)) == 1
    assert difference(made[0], made[1]) <= 1
    assert difference(made[2], made[3]) <= 1
    assert difference(made[0], made[2]) > 1


def test_a_rolled_selfie_is_the_same_face_to_the_encoder(
    astronaut: Photo, finder: FaceFinder, opened: Opened
) -> None:
    _, networks = opened(LIGHTNING)
    encoder, prepare = networks.encoding.image_encoder, networks.encoding.feature_extractor
    turn = cv2.getRotationMatrix2D((256, 256), 20, 0.9)
    rolled = cv2.warpAffine(astronaut.pixels, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    level, other = (finder.find(Photo(np.ascontiguousarray(one))) for one in (astronaut.pixels, rolled))

    def seen(crop: Pixels) -> torch.Tensor:
        pictures = prepare([Image.fromarray(crop)], return_tensors="pt").pixel_values
        with torch.no_grad():
            return encoder(pictures, output_hidden_states=True).hidden_states[-2]

    x, y = other.landmarks[4, :2].astype(int)
    unaligned = np.ascontiguousarray(rolled[y - 70 : y + 70, x - 70 : x + 70])
    upright, aligned, naive = (
        seen(crop) for crop in (reference_crop(level), reference_crop(other), unaligned)
    )
    assert (aligned - upright).norm() < 0.25 * (naive - upright).norm()


def allocate_at_most(vae: Any, latents: int, sizes: list[tuple[int, ...]]) -> None:
    """Let the decoder run out of memory above so many latent pixels at a time; `sizes` grows by each call."""

    def allocate(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(tuple(inputs[0].shape))
        if inputs[0].numel() // inputs[0].shape[1] > latents:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    vae.decoder.register_forward_pre_hook(allocate)


def test_a_decode_without_memory_goes_one_by_one(opened: Opened, make: Make, request_of: RequestOf) -> None:
    plan = Plan(device="cpu", gigabytes=0, batch=2, decode=2, dtype="float32")
    generator, networks = opened(LIGHTNING, memory=(plan,))
    sizes: list[tuple[int, ...]] = []
    allocate_at_most(networks.drawing.vae, CANVAS[0] * CANVAS[1] // 64, sizes)
    asked = request_of(seeds=(1, 2))
    made, whole = portraits(generator, asked), portraits(make(LIGHTNING), asked)
    assert [size[0] for size in sizes] == [2, 1, 1]
    assert all(difference(a.image, b.image) <= 1 for a, b in zip(made, whole, strict=True))


def test_a_decode_without_memory_for_one_goes_by_tiles_and_the_next_one_whole(
    opened: Opened, make: Make, request_of: RequestOf
) -> None:
    generator, networks = opened(LIGHTNING)
    vae, whole = networks.drawing.vae, portrait(make(LIGHTNING), request_of())
    assert vae.tile_sample_min_size == 8 * vae.tile_latent_min_size < read_model_sets()[LIGHTNING].canvas[0]
    vae.tile_sample_min_size, vae.tile_latent_min_size = 96, 12  # px, as much smaller as this canvas is
    sizes: list[tuple[int, ...]] = []
    allocate_at_most(vae, 12 * 12, sizes)
    tiled = portrait(generator, request_of())
    tiles = [size[2:] for size in sizes if size[2] * size[3] <= 12 * 12]
    assert len(tiles) > 1 and sum(high * wide for high, wide in tiles) >= CANVAS[0] * CANVAS[1] // 64
    assert np.abs(tiled.astype(int) - whole).mean() < 12  # these networks look far beyond a tile's border
    vae.decoder._forward_pre_hooks.clear()
    assert difference(portrait(generator, request_of()), whole) == 0


def test_every_portrait_tells_what_each_stage_took(make: Make, request_of: RequestOf) -> None:
    for one in portraits(make(LIGHTNING, 2), request_of(seeds=(1, 2, 3))):
        assert [cost.stage for cost in one.costs] == ["encode", "denoise", "decode"]
        assert all(cost.seconds > 0 and cost.gigabytes is None for cost in one.costs)
        assert one.costs[0].portraits == 3
        assert one.costs[1].portraits == (2 if one.index < 2 else 1)
        assert one.seconds == pytest.approx(sum(cost.seconds / cost.portraits for cost in one.costs))


@pytest.mark.parametrize("name", [LIGHTNING, "sdxl-quality"])
def test_no_dial_compiles_anew_and_compiled_networks_draw_the_same(
    name: str, graphs: list[int], opened: Opened, make: Make, request_of: RequestOf
) -> None:
    plan = Plan(device="cpu", gigabytes=0, batch=4, compiled=2, dtype="float32")
    short = {"steps": 2, "distilled": None, "strength": 0.5}
    generator, _ = opened(name, memory=(plan,), **short)
    generator.warm()
    assert len(graphs) == 2  # U-Net and ControlNet, each whole
    other = make(name, **short)
    other.load()
    for change in (
        {"identity": 0.31, "pose": 0.4, "prompt": "outdoors", "control": other_pose()},
        {"references": request_of().references[:1]},
        {"references": ()},
        {"start": "noise"},
        {"strength": 1.0},
        {"pose": 0.0},
        {"seeds": (1, 2, 3)},  # the third alone, as it is
    ):
        asked = request_of(**{"seeds": (1, 2)} | change)
        for mine, plain in zip(portraits(generator, asked), portraits(other, asked), strict=True):
            assert difference(mine.image, plain.image) <= 1
    assert len(graphs) == 2


@pytest.mark.parametrize(
    "failure",
    [BackendCompilerFailed(print, RuntimeError("no gcc"), None), RuntimeError("invalid device function")],
    ids=["compiler", "what it made"],
)
def test_a_machine_without_a_compiler_draws_all_the_same(
    failure: RuntimeError,
    opened: Opened,
    make: Make,
    request_of: RequestOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def none_here(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(torch, "compile", lambda *_, **__: none_here)
    plan = Plan(device="cpu", gigabytes=0, batch=2, compiled=2, dtype="float32")
    generator, _ = opened(LIGHTNING, memory=(plan,))
    asked = request_of(seeds=(1, 2))
    for mine, plain in zip(portraits(generator, asked), portraits(make(LIGHTNING), asked), strict=True):
        assert difference(mine.image, plain.image) <= 1
    assert caplog.text.count("No compiled networks on this machine") == 2  # once for each network

"""Our generator against a bare diffusers call on the same networks: `python -m bench.generate --help`.

    python -m bench.generate                                # the set that `auto` takes, on this machine
    python -m bench.generate --set realvis-lightning        # a set whose files are here
    python -m bench.generate --set realvis-lightning --random   # its networks in full size, random weights
    python -m bench.generate --set realvis-lightning --tiny     # toy networks: does the bench run?

The bare call is what a user of diffusers would write: the same prompt, faces, pose map, noise and batch.
Ours does more: a thread and a queue, progress and previews at each step, portraits handed over one by one. It
is checked first that both draw the same. Random weights take as long as trained ones. Goal: 1.03x.
"""

import argparse
import platform
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from pipelines.arrays import Pixels
from pipelines.draw.drawer import Drawer, DrawRequest, wait_for_device
from pipelines.draw.generate import Generator, Rendering, load_drawer
from pipelines.draw.loading import Networks
from pipelines.draw.machine import WEIGHTS, Device, choose, find_device
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.draw.plan import DeviceKind, Plan
from pipelines.draw.preview import to_tensor


def main() -> None:
    """Print seconds by stage, the ratio, its baseline and the machine."""
    asked = _arguments()
    sets = read_model_sets()
    chosen, why = choose(sets, asked.set, asked.device)
    if chosen.family != "sdxl":
        raise SystemExit(f"{chosen.name} is no SDXL: this bench knows the names of its networks only.")
    model_set = _changed(chosen, asked)
    with ExitStack() as stack:
        generator, inside = _generator(model_set, asked, stack)
        generator.load()
        networks, request = inside[0], request_of(model_set, asked.portraits)
        print(f"{why} {_machine(networks)}")
        apart = _apart(portraits(generator, request), bare(networks, model_set, request))
        ours, theirs = _in_turns(
            lambda: portraits(generator, request), lambda: bare(networks, model_set, request), asked.rounds
        )
        each = ours / asked.portraits
        print(
            f"ours {each:.3f} s a portrait, bare diffusers {theirs / asked.portraits:.3f} s "
            f"({asked.portraits} portraits, {_size(model_set)}, median of {asked.rounds} in turns, "
            f"pictures at most {apart}/255 apart): {ours / theirs:.3f}x"
        )
        for stage, seconds in _stages(generator, networks, request).items():
            print(f"  {stage:<14} {seconds / asked.portraits:.3f} s a portrait")
        print(f"  peak memory    {_peak(generator, networks, request):.1f} GB")
        print(f"  {3600 / each:.0f} portraits an hour")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", default="auto", help="a file of presets/model_sets, or auto")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--portraits", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=0, help="canvas width in px, instead of the set's")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--random", action="store_true", help="full-size networks, random weights")
    weights.add_argument("--tiny", action="store_true", help="toy networks, random weights")
    return parser.parse_args()


def _changed(model_set: ModelSet, asked: argparse.Namespace) -> ModelSet:
    """Another canvas; toy networks fit everywhere, whatever the set says.

    What the bare call does not do is left out: nothing is compiled, no plate decoded for a finish.
    """
    memory = tuple(plan.model_copy(update={"compiled": 0}) for plan in model_set.memory)
    changes: dict[str, Any] = {"finish": None, "memory": memory}
    if asked.width or asked.tiny:
        width = asked.width or 256
        changes["canvas"] = (width, width * 5 // 4)
    if asked.tiny:
        kinds: tuple[DeviceKind, ...] = ("cpu", "cuda", "mps")
        changes["memory"] = tuple(Plan(device=kind, gigabytes=0, batch=4, dtype="float32") for kind in kinds)
    return model_set.model_copy(update=changes)


def _generator(
    model_set: ModelSet, asked: argparse.Namespace, stack: ExitStack
) -> tuple[Generator, list[Networks]]:
    """A generator, and a list that holds its networks once they are loaded."""
    inside: list[Networks] = []
    cache, weights = None, WEIGHTS
    if asked.tiny or asked.random:
        from tests.hub import FULL, TINY, build_hub, build_local

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with torch.device(find_device(asked.device).kind):  # a card draws 2.6 billion numbers in a second
            cache = build_hub(folder / "hub", [model_set], FULL if asked.random else TINY)
        weights = build_local(folder / "weights") if asked.tiny else WEIGHTS

    def loader(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> Drawer:
        drawer: Any = load_drawer(model_set, folders, plan, device)
        inside.append(drawer.networks)
        return drawer  # type: ignore[no-any-return]

    return Generator(model_set, asked.device, cache, weights, loader), inside


def request_of(model_set: ModelSet, count: int) -> DrawRequest:
    """An order of a public-domain face, with a pose map's worth of lines."""
    from skimage.data import astronaut

    face, (width, height) = np.ascontiguousarray(astronaut()), model_set.canvas
    pose = np.zeros((height, width, 3), np.uint8)
    cv2.line(pose, (width // 2, height // 3), (width // 2, height), (255, 85, 0), 5)
    plate = cv2.resize(face[:, 51:461], (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    words = ("studio headshot, seamless grey backdrop, soft key light", "blurry, text")
    poses, plates = (pose,) * count, (plate,) * count
    return DrawRequest(*words, poses, (face[:300, 80:380],), plates, tuple(range(count)), 0.7, 0.9)


def renderings(generator: Generator, request: DrawRequest) -> list[Rendering]:
    """Ours, as the booth gets them."""
    return [event for event in generator.draw(request) if isinstance(event, Rendering)]


def portraits(generator: Generator, request: DrawRequest) -> list[Pixels]:
    """Their pictures."""
    return [made.image for made in renderings(generator, request)]


def peak_of(made: list[Rendering]) -> float | None:
    """The most that any stage of these drawings held of the card, GB; None without a card."""
    held = [cost.gigabytes for one in made for cost in one.costs if cost.gigabytes is not None]
    return max(held, default=None)


@torch.no_grad()
def bare(networks: Networks, model_set: ModelSet, request: DrawRequest) -> list[Pixels]:
    """A plain call of diffusers per batch, from the same noise."""
    from diffusers import StableDiffusionXLControlNetPipeline as FromNoise

    pipe, images = networks.encoding, []
    options: dict[str, Any] = {"image": Image.fromarray(request.controls[0])}
    course = model_set.course()
    if course.start == "noise":
        pipe = FromNoise(**pipe.components, add_watermarker=False)
        pipe.set_progress_bar_config(disable=True)
    else:
        options = {"image": Image.fromarray(request.plates[0]), "control_image": options["image"]}
        options["strength"] = course.strength
    if "identity" in model_set.capabilities:
        networks.scale_identity(request.identity)
        options["ip_adapter_image"] = [[Image.fromarray(face) for face in request.references]]
    for first in range(0, len(request.seeds), networks.plan.batch):
        seeds = request.seeds[first : first + networks.plan.batch]
        drawn = pipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            num_inference_steps=model_set.steps,
            guidance_scale=model_set.guidance,
            controlnet_conditioning_scale=request.pose,
            num_images_per_prompt=len(seeds),
            **dict.fromkeys(
                ("original_size", "target_size"), (model_set.size_told or model_set.canvas)[::-1]
            ),
            latents=_noisy(networks, model_set, request, seeds),
            output_type="np",
            **options,
        )
        images += [(image * 255).round().astype(np.uint8) for image in drawn.images]
    return images


def _noisy(networks: Networks, model_set: ModelSet, request: DrawRequest, seeds: tuple[int, ...]) -> Any:
    """The latents that both start from: noise, or the plate's with noise."""
    pipe, (width, height), course = networks.encoding, model_set.canvas, model_set.course()
    shape = (1, pipe.unet.config.in_channels, height // 8, width // 8)
    noise = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    noise = noise.to(networks.device, networks.dtype)
    if course.start == "noise":
        return noise
    pixels = (to_tensor(request.plates[0]) * 2 - 1).to(networks.device, networks.dtype)
    latents = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
    pipe.scheduler.set_timesteps(model_set.steps, device=networks.device)
    timesteps, _ = pipe.get_timesteps(model_set.steps, course.strength, networks.device)
    return pipe.scheduler.add_noise(latents, noise, timesteps[:1].repeat(len(seeds)))


def _apart(ours: list[Pixels], theirs: list[Pixels]) -> int:
    """Largest difference of a channel. Ends the bench where the two do not draw the same."""
    apart = max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(ours, theirs, strict=True))
    mean = float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(ours, theirs, strict=True)]))
    if mean > 1:  # in 16 bits a batch decoded at once may round otherwise here and there
        raise SystemExit(f"not the same pictures: {mean:.2f}/255 apart on average")
    return apart


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of each, measured alternately so that a busy machine hurts both."""
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * rounds):
        began = time.perf_counter()
        (ours, theirs)[turn % 2]()
        spent[turn % 2].append(time.perf_counter() - began)
    return median(spent[0]), median(spent[1])


def _stages(generator: Generator, networks: Networks, request: DrawRequest) -> dict[str, float]:
    """Seconds of one drawing by network. Waiting for the device after each slows it, so it counts apart."""
    pipe = networks.encoding
    modules = {
        "words": [pipe.text_encoder, pipe.text_encoder_2],
        "faces": [pipe.image_encoder],
        "plate": [pipe.vae.encoder],
        "pose": [pipe.controlnet],
        "denoising": [pipe.unet],
        "decoding": [pipe.vae.decoder],
        "previews": [networks.preview and networks.preview.decoder],
    }
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for stage, parts in modules.items():
            for module in filter(None, parts):
                stack.enter_context(_timed(module, stage, spent))
        began = time.perf_counter()
        portraits(generator, request)
        whole = time.perf_counter() - began
    return {**spent, "the rest": whole - sum(spent.values())}


@contextmanager
def _timed(module: torch.nn.Module, stage: str, spent: dict[str, float]) -> Iterator[None]:
    began = [0.0]

    def settle() -> float:
        wait_for_device()
        return time.perf_counter()

    def before(*_: object) -> None:
        began[0] = settle()

    def after(*_: object) -> None:
        spent[stage] += settle() - began[0]

    hooks = (module.register_forward_pre_hook(before), module.register_forward_hook(after))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _machine(networks: Networks) -> str:
    plan = networks.plan
    card = torch.cuda.get_device_name() if networks.device.type == "cuda" else platform.processor()
    how = f"{plan.keep}, batches of {plan.batch}, {str(networks.dtype).removeprefix('torch.')}"
    return f"On {card or platform.machine()}: {how}, {torch.get_num_threads()} threads."


def _size(model_set: ModelSet) -> str:
    return f"{model_set.canvas[0]} x {model_set.canvas[1]} px, {model_set.course().executed_steps} steps"


def _peak(generator: Generator, networks: Networks, request: DrawRequest) -> float:
    """GB of the card while ours draws, whatever the bare call took; elsewhere of this process so far."""
    if networks.device.type == "cuda":
        torch.cuda.empty_cache()
        return peak_of(renderings(generator, request)) or 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()

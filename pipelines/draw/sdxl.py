"""The SDXL family: a ControlNet for the pose and, where the set has one, an identity adapter.

One pipeline serves both starts: from noise it is image to image at strength 1, which gives pixel for pixel
what diffusers' text-to-image pipeline gives (a test holds it to that). torch is imported inside functions.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.arrays import Pixels
from pipelines.draw.conditioning import Conditions, conditions_of, options_for
from pipelines.draw.drawer import DrawRequest, Watch, call
from pipelines.draw.loading import Networks, load_networks
from pipelines.draw.machine import Device
from pipelines.draw.model_set import Course, ModelSet
from pipelines.draw.plan import Plan
from pipelines.draw.preview import Steps, decode_latents

if TYPE_CHECKING:
    from torch import Tensor


def load_sdxl(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> "Sdxl":
    """Read a set's networks. `folders` by role, as `machine.locate` returns them."""
    return Sdxl(model_set, load_networks(model_set, folders, plan, device))


class Sdxl:
    """Draws with the networks of SDXL's family."""

    def __init__(self, model_set: ModelSet, networks: Networks) -> None:
        self.model_set, self.networks, self.plan = model_set, networks, networks.plan

    def encode(self, request: DrawRequest, course: Course) -> Conditions:
        """Words, faces, pose maps and plates, once for all portraits."""
        return conditions_of(request, self.model_set, self.networks, course)

    def denoise(
        self, conditions: Conditions, course: Course, first: int, seeds: tuple[int, ...], watch: Watch
    ) -> "Tensor":
        """Finished latents (n, C, h, w) of some portraits."""
        pipe = self.networks.drawing
        generators, noisy = self._noisy(conditions, course, first, seeds)
        width, height = self.model_set.size_told or self.model_set.canvas
        latents: Tensor = call(
            pipe,
            **options_for(conditions, first, len(seeds)),
            latents=noisy,
            generator=generators,
            num_inference_steps=self.model_set.steps,
            strength=course.strength or 1.0,
            guidance_scale=self.model_set.guidance,
            original_size=(height, width),
            target_size=(height, width),
            callback_on_step_end=Steps(conditions.sketch, noisy, watch),
            output_type="latent",
        ).images
        return latents

    def decode(self, latents: "Tensor", tiled: bool = False) -> list[Pixels]:
        """Pictures from scaled latents."""
        vae = self.networks.drawing.vae
        return decode_latents(vae, latents / vae.config.scaling_factor, tiled)

    def plate_latents(self, conditions: Conditions, index: int) -> "Tensor | None":
        """The encoded plate (1, C, h, w) of a portrait, for a start from it."""
        return None if conditions.latents is None else conditions.latents[index : index + 1]

    def release(self) -> None:
        """Free what the plan does not keep on the card."""
        self.networks.release()

    def _noisy(
        self, conditions: Conditions, course: Course, first: int, seeds: tuple[int, ...]
    ) -> "tuple[list[Any], Tensor]":
        """A generator a seed, and where its portrait starts: noise, or its plate with noise."""
        import torch

        pipe, (width, height) = self.networks.drawing, self.model_set.canvas
        device, factor = self.networks.device, pipe.vae_scale_factor
        shape = (1, pipe.unet.config.in_channels, height // factor, width // factor)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        noise = noise.to(device, self.networks.dtype)
        pipe.scheduler.set_timesteps(self.model_set.steps, device=device)
        if conditions.latents is None:
            return generators, noise * pipe.scheduler.init_noise_sigma
        timesteps, _ = pipe.get_timesteps(self.model_set.steps, course.strength, device)
        clean = conditions.latents[first : first + len(seeds)]
        return generators, pipe.scheduler.add_noise(clean, noise, timesteps[:1].repeat(len(seeds)))

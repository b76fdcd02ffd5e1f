"""The FLUX.2 [klein] family: an edit model, shown pictures of the sitter and told in words what to draw.

Every portrait starts from noise. Its plate goes in as image 1 and brings light, crop, pose and clothes; the
selfies go in after it and bring the face. Nothing reads a pose map, and there is no scale for the face. The
pipeline shows one set of pictures to all that it draws together, and each portrait has its own plate: so they
are drawn one by one. torch is imported inside functions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from errors import ChoiceError
from pipelines.arrays import Pixels
from pipelines.draw.drawer import DrawRequest, Watch, call, number_type, silence_diffusers
from pipelines.draw.loading import in_tiles
from pipelines.draw.machine import Device
from pipelines.draw.model_set import Course, Edit, ModelSet
from pipelines.draw.plan import Plan
from pipelines.draw.preview import Sketch, Steps, decode_latents, fitted_sketch, to_tensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TOKEN_PX = 16  # a token of the transformer is 2 x 2 latents of an f8 autoencoder; pictures are whole tokens
# What klein was trained to, whatever a base's file says: sigmas from 1 down, shifted by how many tokens there
# are (the pipeline says how far), as in black-forest-labs/FLUX.2-klein-4B's own scheduler_config.json.
SCHEDULES: dict[str, dict[str, object]] = {
    "flow-match-euler": {
        "num_train_timesteps": 1000,
        "use_dynamic_shifting": True,
        "time_shift_type": "exponential",
        "shift_terminal": None,
        "invert_sigmas": False,
        "stochastic_sampling": False,
        "use_karras_sigmas": False,
        "use_exponential_sigmas": False,
        "use_beta_sigmas": False,
    }
}


@dataclass(frozen=True, eq=False)
class KleinConditions:
    """A request in the networks' terms."""

    words: "Tensor"  # (1, 512, C): the instruction, as three layers of the text encoder understand it
    pictures: tuple[tuple[Image.Image, ...], ...]  # of each portrait: its plate, then the selfies
    sketch: Sketch  # the transformer's latents (1, tokens, 4C) to pictures (1, 3, h, w) in -1..1


def load_klein(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> "Klein":
    """Read a set's networks. Raises `ChoiceError` for a plan or a canvas that this family cannot do.

    `folders` by role, as `machine.locate` returns them.
    """
    edit = _check_edit(model_set, plan)
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen2TokenizerFast, Qwen3ForCausalLM

    base = folders["base"]
    how: dict[str, Any] = {"dtype": number_type(plan), "local_files_only": True}
    with silence_diffusers():
        config = FlowMatchEulerDiscreteScheduler.load_config(base, subfolder="scheduler")
        pipe: Any = Flux2KleinPipeline(
            tokenizer=Qwen2TokenizerFast.from_pretrained(base / "tokenizer", local_files_only=True),
            text_encoder=Qwen3ForCausalLM.from_pretrained(base / "text_encoder", **how),
            transformer=Flux2Transformer2DModel.from_pretrained(base, subfolder="transformer", **how),
            vae=in_tiles(AutoencoderKLFlux2.from_pretrained(base, subfolder="vae", **how)),
            scheduler=FlowMatchEulerDiscreteScheduler.from_config(config, **SCHEDULES[model_set.scheduler]),
            is_distilled=model_set.distilled is not None,
        )
        pipe.set_progress_bar_config(disable=True)
        if plan.keep == "offload":
            pipe.enable_model_cpu_offload(device=device.kind)
        else:
            pipe.to(device.kind)
    return Klein(model_set, edit, pipe, plan, torch.device(device.kind))


def _check_edit(model_set: ModelSet, plan: Plan) -> Edit:
    """What the set shows and tells its networks. Raises `ChoiceError` for what they cannot do."""
    family, name = model_set.family, model_set.name
    if model_set.edit is None:
        raise ChoiceError(f"{name}: edit is missing. Networks of the family {family} are told what to draw.")
    if plan.batch > 1 or plan.compiled:
        raise ChoiceError(f"{name}: the family {family} draws one by one: batch = 1, compiled = 0.")
    if any(side % TOKEN_PX for side in model_set.canvas):
        raise ChoiceError(f"{name}: canvas = {list(model_set.canvas)}. Sides are multiples of {TOKEN_PX} px.")
    return model_set.edit


class Klein:
    """Draws with the networks of klein's family."""

    def __init__(
        self, model_set: ModelSet, edit: Edit, pipe: Any, plan: Plan, device: "torch.device"
    ) -> None:
        self.model_set, self.edit, self.pipe, self.plan, self.device = model_set, edit, pipe, plan, device

    def encode(self, request: DrawRequest, course: Course) -> KleinConditions:
        """The instruction, encoded once. The pipeline encodes the pictures for each portrait: little work."""
        faces = [Image.fromarray(face) for face in request.references[: self.edit.faces]]
        instruction = self.edit.instruct(request.prompt, has_faces=bool(faces))
        words, _ = self.pipe.encode_prompt(instruction, device=self.device)
        known = {id(plate): self._scale_plate(plate) for plate in request.plates}
        pictures = tuple((Image.fromarray(known[id(plate)]), *faces) for plate in request.plates)
        return KleinConditions(words, pictures, self._sketch(known[id(request.plates[0])]))

    def denoise(
        self, conditions: KleinConditions, course: Course, first: int, seeds: tuple[int, ...], watch: Watch
    ) -> "Tensor":
        """Finished latents (1, C, h, w) of one portrait, as the autoencoder takes them."""
        (seed,) = seeds  # plans of this family have batches of one
        noise, (width, height) = self._noise(seed), self.model_set.canvas
        latents: Tensor = call(
            self.pipe,
            image=list(conditions.pictures[first]),
            prompt_embeds=conditions.words,
            latents=noise,
            width=width,
            height=height,
            num_inference_steps=course.executed_steps,
            guidance_scale=self.model_set.guidance,
            callback_on_step_end=Steps(conditions.sketch, noise.flatten(2).transpose(1, 2), watch),
            output_type="latent",
        ).images
        return latents

    def decode(self, latents: "Tensor", tiled: bool = False) -> list[Pixels]:
        """Pictures from the autoencoder's latents."""
        return decode_latents(self.pipe.vae, latents, tiled)

    def plate_latents(self, conditions: KleinConditions, index: int) -> None:
        """None: nothing starts from a plate here."""

    def release(self) -> None:
        """Free what an offloading plan left on the card."""
        self.pipe.maybe_free_model_hooks()

    def _noise(self, seed: int) -> "Tensor":
        """Where a portrait starts (1, 4C, h / 2, w / 2): drawn on the processor, alike on every machine."""
        import torch

        width, height = self.model_set.canvas
        shape = (1, self.pipe.transformer.config.in_channels, height // TOKEN_PX, width // TOKEN_PX)
        noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))
        return noise.to(self.device, self.pipe.transformer.dtype)

    def _scale_plate(self, plate: Pixels) -> Pixels:
        """A plate as the networks see it: smaller, in whole tokens, uint8 (h, w, 3) sRGB."""
        size = [round(side * self.edit.plate / TOKEN_PX) * TOKEN_PX for side in self.model_set.canvas]
        return np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _sketch(self, plate: Pixels) -> Sketch:
        """Previews by a linear map that is fitted to a plate's latents; it holds for any size of them."""
        import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it

        vae, (width, height) = self.pipe.vae, self.model_set.canvas
        pixels = (to_tensor(plate) * 2 - 1).to(self.device, vae.dtype)
        # The transformer's latents: patches of 2 x 2 as channels, each of mean 0 and variance 1.
        patches = vae.bn(F.pixel_unshuffle(vae.encode(pixels).latent_dist.mode(), 2))
        fitted = fitted_sketch(F.pixel_shuffle(patches, 2), plate)

        def sketch(tokens: "Tensor") -> "Tensor":
            grid = tokens.transpose(1, 2).unflatten(2, (height // TOKEN_PX, width // TOKEN_PX))
            return fitted(F.pixel_shuffle(grid, 2))

        return sketch

"""What the networks are conditioned on: a request's words, faces, pose maps and plates, encoded once.

Pictures are uint8 (H, W, 3) sRGB, at the set's canvas unless said otherwise. torch is imported inside the
functions; its import takes seconds.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.loading import Networks
from pipelines.model_set import Course, ModelSet, Start
from pipelines.preview import Sketch, fitted_sketch, tiny_sketch, to_tensor

if TYPE_CHECKING:
    from torch import Tensor

Pixels = NDArray[np.uint8]
MOST_REFERENCES = 4


@dataclass(frozen=True, eq=False)
class Request:
    """What to draw. Portraits differ by their seed, and by their light and crop: pose map and plate."""

    prompt: str
    negative_prompt: str  # read by sets with guidance only
    controls: tuple[Pixels, ...]  # the pose map of each portrait
    references: tuple[Pixels, ...]  # up to four square face crops of any size; first counts like last
    plates: tuple[Pixels, ...]  # one each
    seeds: tuple[int, ...]  # one each
    identity: float  # IP-Adapter scale, 0..1
    pose: float  # ControlNet scale, 0..1.5
    start: Start | None = None  # None: the set's own
    strength: float | None = None  # share of the schedule, for a start from the plate; None: the set's own

    def only(self, place: int, seed: int) -> "Request":
        """The same for the portrait at one place alone, with another seed."""
        return replace(self, controls=(self.controls[place],), plates=(self.plates[place],), seeds=(seed,))


@dataclass(frozen=True, eq=False)
class Conditions:
    """A request in the networks' terms: made once, used for every batch."""

    options: dict[str, Any]  # for the pipeline's call
    embeds: dict[str, "Tensor | None"]  # what was encoded of words and faces, for one portrait
    controls: "Tensor"  # (n, 3, H, W) 0..1, n for all portraits of the request
    plates: "Tensor"  # likewise
    latents: "Tensor | None"  # the encoded plates (n, C, h, w), for a start from them
    sketch: Sketch | None  # latents to pictures (n, 3, h, w) in -1..1
    bases: dict[int, Pixels] = field(default_factory=dict)  # plates decoded from `latents`, by id


def check_request(request: Request, model_set: ModelSet) -> None:
    """Programming errors, said before a thread starts."""
    width, height = model_set.canvas
    for name, pictures in (("controls", request.controls), ("plates", request.plates)):
        if len(pictures) != len(request.seeds):
            raise ValueError(f"{name}: {len(pictures)} for {len(request.seeds)} seeds")
        for pixels in pictures:
            if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
                raise ValueError(f"{name}: {pixels.dtype} {pixels.shape}, not uint8 {(height, width, 3)}")
    if len(request.references) > MOST_REFERENCES:
        raise ValueError(f"{len(request.references)} references, at most {MOST_REFERENCES}")


def conditions_of(request: Request, model_set: ModelSet, networks: Networks, course: Course) -> Conditions:
    """Encode prompt, faces and plates: once, whatever the number of portraits."""
    import torch

    guided = model_set.guidance > 1
    names = (
        "prompt_embeds",
        "negative_prompt_embeds",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
    )
    embeds = networks.encoding.encode_prompt(
        request.prompt if "prompt" in model_set.capabilities else "",
        device=networks.device,
        do_classifier_free_guidance=guided,
        negative_prompt=request.negative_prompt or None,
    )
    words = {
        name: None if tensor is None else tensor.to(networks.dtype)
        for name, tensor in zip(names, embeds, strict=True)
    }
    if "identity" in model_set.capabilities:
        words["ip_adapter_image_embeds"] = _faces(networks, request, guided)
    options: dict[str, Any] = {
        "controlnet_conditioning_scale": float(request.pose) if "pose" in model_set.capabilities else 0.0
    }
    controls, plates = (
        torch.cat([to_tensor(pixels) for pixels in pictures])
        for pictures in (request.controls, request.plates)
    )
    latents = _all_latents(networks, request.plates) if course.start == "plate" else None
    first = None if latents is None else latents[:1]
    sketch = tiny_sketch(networks) if networks.preview else fitted_sketch(first, request.plates[0])
    return Conditions(options, words, controls, plates, latents, sketch)


def options_for(conditions: Conditions, first: int, count: int) -> dict[str, Any]:
    """The pipeline's options for some portraits together: a prompt each, since each has its own pictures."""
    import torch

    options: dict[str, Any] = dict(conditions.options)
    for name, tensor in conditions.embeds.items():
        if name == "ip_adapter_image_embeds" and tensor is not None:
            # with guidance (2, ...): without a face, with it
            repeated = torch.cat([part.repeat_interleave(count, dim=0) for part in tensor.split(1)])
            options[name] = [repeated]
        else:
            options[name] = None if tensor is None else tensor.repeat_interleave(count, dim=0)
    options["control_image"] = conditions.controls[first : first + count]
    options["image"] = conditions.plates[first : first + count]  # only looked at: its latents come ready made
    return options


def _faces(networks: Networks, request: Request, guided: bool) -> "Tensor":
    """What the image encoder sees in the face crops, and how much of it shall count.

    (1, faces, tokens, width), twice that with guidance. Without a face the adapter is switched off, but
    its U-Net asks for an input all the same.
    """
    pipe = networks.encoding
    pipe.set_ip_adapter_scale(float(request.identity) if request.references else 0.0)
    pictures = [Image.fromarray(face) for face in request.references] or [Image.new("RGB", (224, 224))]
    device = pipe.image_encoder.device  # where an offloading or 8-bit plan keeps it
    embeds: Tensor = pipe.prepare_ip_adapter_image_embeds([pictures], None, device, 1, guided)[0]
    return embeds.to(networks.device, networks.dtype)


def _all_latents(networks: Networks, plates: tuple[Pixels, ...]) -> "Tensor":
    """The latents (n, C, H/8, W/8) of the plates, one by one, which bounds the memory; each plate once."""
    import torch

    known: dict[int, Tensor] = {}
    for plate in plates:
        if id(plate) not in known:
            known[id(plate)] = latents_of(networks, plate)
    return torch.cat([known[id(plate)] for plate in plates])


def latents_of(networks: Networks, plate: Pixels) -> "Tensor":
    """The plate's latents (1, C, H/8, W/8), scaled. The mean, not a sample: the same for every portrait."""
    vae = networks.drawing.vae
    pixels = (to_tensor(plate) * 2 - 1).to(networks.device, networks.dtype)
    latents: Tensor = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
    return latents

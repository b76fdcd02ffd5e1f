"""What the networks are conditioned on: a request's words, faces, pose maps and plates, encoded once.

Pictures are uint8 (H, W, 3) sRGB, at the set's canvas unless said otherwise. torch is imported inside the
functions; its import takes seconds.
"""

from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipelines.arrays import Pixels
from pipelines.draw.drawer import MOST_REFERENCES, DrawRequest
from pipelines.draw.loading import Networks
from pipelines.draw.model_set import Course, ModelSet
from pipelines.draw.preview import Sketch, fitted_sketch, tiny_sketch, to_tensor

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditions:
    """A request in the networks' terms: made once, used for every batch."""

    options: dict[str, Any]  # for the pipeline's call
    embeds: dict[str, "Tensor | None"]  # what was encoded of words and faces, for one portrait
    controls: "Tensor"  # (n, 3, H, W) 0..1, n for all portraits of the request
    plates: "Tensor"  # likewise
    latents: "Tensor | None"  # the encoded plates (n, C, h, w), for a start from them
    sketch: Sketch | None  # latents to pictures (n, 3, h, w) in -1..1


def conditions_of(
    request: DrawRequest, model_set: ModelSet, networks: Networks, course: Course
) -> Conditions:
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
    fitted = None if latents is None else fitted_sketch(latents[:1], request.plates[0])
    sketch = tiny_sketch(networks) if networks.preview else fitted
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


def _faces(networks: Networks, request: DrawRequest, guided: bool) -> "Tensor":
    """What the image encoder sees in the face crops: (1, 4, tokens, width), twice that with guidance.

    Always of four faces, taken in turn where there are fewer: compiled networks then see one shape. A face
    four times weighs as much as once. Without a face the adapter's scale is 0, but its U-Net asks for an
    input all the same.
    """
    import torch

    networks.scale_identity(request.identity if request.references else 0.0)
    crops = [Image.fromarray(face) for face in request.references] or [Image.new("RGB", (224, 224))]
    pipe = networks.encoding
    pictures = pipe.feature_extractor(crops, return_tensors="pt").pixel_values
    pictures = pictures.to(networks.device, next(pipe.image_encoder.parameters()).dtype)
    turns = list(islice(cycle(range(len(crops))), MOST_REFERENCES))
    seen = _hidden_state(pipe.image_encoder, pictures)[turns][None]
    if guided:  # only there a picture without a face is asked about
        blank = _hidden_state(pipe.image_encoder, torch.zeros_like(pictures[:1]))
        seen = torch.cat([blank.expand(MOST_REFERENCES, -1, -1)[None], seen])
    return seen.to(networks.device, networks.dtype)


def _hidden_state(encoder: Any, pictures: "Tensor") -> "Tensor":
    """The last hidden state but one (n, tokens, width): what the "plus" adapters were trained on."""
    seen: Tensor = encoder(pictures, output_hidden_states=True).hidden_states[-2]
    return seen


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

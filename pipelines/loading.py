"""`ModelSet` and its folders to networks that are ready to draw.

Everything is read from local folders that `model_set.locate` has found complete: nothing here knows the
Hub or a network. torch and diffusers are imported inside the functions; their import takes seconds.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.model_set import Device, ModelSet, Plan

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sampler:
    """A scheduler of diffusers and what we change on the one that came with the base."""

    scheduler: str  # name of diffusers' class
    options: dict[str, object]
    unit: bool  # its latents keep variance 1; else they are picture plus sigma times noise


# Trailing spacing: SDXL-Lightning's model card. Karras sigmas: Karras et al. 2022, table 1.
SAMPLERS = {
    "euler-trailing": Sampler("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}, unit=False),
    "dpm++-karras": Sampler("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, unit=True),
}


@dataclass(frozen=True, eq=False)
class Networks:
    """What `load_networks` returns. The pipelines are diffusers' and share their weights."""

    drawing: Any  # StableDiffusionXLControlNetImg2ImgPipeline without encoders
    encoding: Any  # the same with text encoders and, for identity, the image encoder
    preview: Any  # AutoencoderTiny, or None
    device: "torch.device"  # where drawing happens
    dtype: "torch.dtype"  # what drawing computes with
    plan: Plan

    def release(self) -> None:
        """After a drawing, or when one was cut short: free what an offloading plan left on the card."""
        self.encoding.maybe_free_model_hooks()


Loader = Callable[[ModelSet, dict[str, Path], Plan, Device], Networks]


def load_networks(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> Networks:
    """Read, join and lay out the networks of a set. `folders` by role, as `locate` returns them."""
    import torch
    from diffusers import StableDiffusionXLControlNetImg2ImgPipeline as Pipeline

    dtype = _number_type(plan)
    with quiet():
        pipe: Any = Pipeline(
            **_encoders(model_set, folders, torch.float32 if plan.keep == "fp8" else dtype),
            unet=_unet(model_set, folders, dtype),
            vae=_vae(folders, dtype),
            controlnet=_controlnet(folders, dtype),
            scheduler=_scheduler(model_set, folders["base"]),
            add_watermarker=False,  # marks are made in `provenance`, visible ones and signed ones
        )
        pipe.set_progress_bar_config(disable=True)
        if "lora" in folders:
            _fuse_lora(pipe, folders["lora"] / model_set.parts.by_role()["lora"].files[0])
        if "identity" in folders:
            _add_identity(pipe, folders["identity"] / model_set.parts.by_role()["identity"].files[0])
        _skip_when_unscaled(pipe.controlnet)
        _lay_out(pipe, plan, device)
        preview = _preview(folders, dtype, device)
        drawing = _without_encoders(pipe)
    return Networks(drawing, pipe, preview, torch.device(device.kind), dtype, plan)


def _number_type(plan: Plan) -> "torch.dtype":
    """What to compute with. bfloat16 halves the time of the small set where a processor has it built in.

    Measured on an EPYC with avx512_bf16, 256 x 320, four portraits: 1.9 s against 4.3 s, and a portrait of
    four still equals the same drawn alone. Without those instructions bfloat16 is slower than float32.
    """
    import torch

    if plan.dtype != "quick":
        dtype: torch.dtype = getattr(torch, plan.dtype)
        return dtype
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep diffusers and transformers from writing to stderr: advice to programmers, progress bars."""
    import diffusers.utils.logging as of_diffusers
    import transformers.utils.logging as of_transformers

    before = [(log, log.get_verbosity()) for log in (of_diffusers, of_transformers)]
    for log, _ in before:
        log.set_verbosity(logging.CRITICAL)
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, verbosity in before:
            log.set_verbosity(verbosity)


def _encoders(model_set: ModelSet, folders: dict[str, Path], dtype: "torch.dtype") -> dict[str, Any]:
    """Tokenizers, text encoders and, where the set knows identity, the image encoder."""
    from transformers import (
        CLIPImageProcessor,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionModelWithProjection,
    )

    base = folders["base"]
    how: dict[str, Any] = {"dtype": dtype, "variant": model_set.parts.base.variant, "local_files_only": True}
    parts = {
        "tokenizer": CLIPTokenizer.from_pretrained(base / "tokenizer", local_files_only=True),
        "tokenizer_2": CLIPTokenizer.from_pretrained(base / "tokenizer_2", local_files_only=True),
        "text_encoder": CLIPTextModel.from_pretrained(base / "text_encoder", **how),
        "text_encoder_2": CLIPTextModelWithProjection.from_pretrained(base / "text_encoder_2", **how),
    }
    if model_set.parts.image_encoder:
        encoder = CLIPVisionModelWithProjection.from_pretrained(
            folders["image_encoder"], dtype=dtype, local_files_only=True
        )
        size = encoder.config.image_size
        parts["image_encoder"] = encoder
        parts["feature_extractor"] = CLIPImageProcessor(size=size, crop_size=size)
    return parts


def _unet(model_set: ModelSet, folders: dict[str, Path], dtype: "torch.dtype") -> Any:
    """The base's U-Net, or the base's plan of it filled with the weights of another file."""
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel
    from safetensors.torch import load_file

    base, variant = folders["base"], model_set.parts.base.variant
    if model_set.parts.unet is None:
        return UNet2DConditionModel.from_pretrained(base, subfolder="unet", variant=variant, dtype=dtype)
    with init_empty_weights():  # 2.6 billion numbers are not drawn at random first
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(base, subfolder="unet"))
    unet.load_state_dict(load_file(folders["unet"] / model_set.parts.unet.files[0]), assign=True)
    return unet.to(dtype).eval()


def _vae(folders: dict[str, Path], dtype: "torch.dtype") -> Any:
    from diffusers import AutoencoderKL

    if "vae" in folders:
        return AutoencoderKL.from_pretrained(folders["vae"], dtype=dtype)
    return AutoencoderKL.from_pretrained(folders["base"], subfolder="vae", dtype=dtype)


def _controlnet(folders: dict[str, Path], dtype: "torch.dtype") -> Any:
    from diffusers import ControlNetModel

    return ControlNetModel.from_pretrained(folders["controlnet"], dtype=dtype)


def _scheduler(model_set: ModelSet, base: Path) -> Any:
    import diffusers

    sampler = SAMPLERS[model_set.scheduler]
    scheduler = getattr(diffusers, sampler.scheduler)
    return scheduler.from_config(scheduler.load_config(base, subfolder="scheduler"), **sampler.options)


def _preview(folders: dict[str, Path], dtype: "torch.dtype", device: Device) -> Any:
    if "preview" not in folders:
        return None
    from diffusers import AutoencoderTiny

    return AutoencoderTiny.from_pretrained(folders["preview"], dtype=dtype).to(device.kind)


def _fuse_lora(pipe: Any, file: Path) -> None:
    """Add the LoRA to the U-Net's weights: no cost per step, and 8-bit storage needs it done."""
    pipe.load_lora_weights(file.parent, weight_name=file.name, local_files_only=True)
    pipe.fuse_lora(components=["unet"])
    pipe.unload_lora_weights()


def _add_identity(pipe: Any, file: Path) -> None:
    """The IP-Adapter. After the LoRA: unloading one would take the other's processors along."""
    pipe.load_ip_adapter(
        file.parent, subfolder="", weight_name=file.name, image_encoder_folder=None, local_files_only=True
    )


def _skip_when_unscaled(controlnet: Any) -> None:
    """Let the ControlNet answer zeros without computing when its scale is 0.

    Same picture, a third of the work less; diffusers computes and multiplies by 0. The zeros take no memory.
    """
    import torch

    compute = controlnet.forward
    known: dict[object, tuple[list[torch.Tensor], torch.Tensor]] = {}

    def forward(sample: "torch.Tensor", *args: Any, conditioning_scale: float = 1.0, **options: Any) -> Any:
        if conditioning_scale:
            return compute(sample, *args, conditioning_scale=conditioning_scale, **options)
        key = (sample.shape, sample.dtype, sample.device)
        if key not in known:  # the shapes are only known to the network itself
            down, mid = compute(sample, *args, conditioning_scale=0.0, **options)
            zero = torch.zeros((), dtype=mid.dtype, device=mid.device)
            known[key] = ([zero.expand(one.shape) for one in down], zero.expand(mid.shape))
        return known[key]

    controlnet.forward = forward


def _lay_out(pipe: Any, plan: Plan, device: Device) -> None:
    """Put the networks where the plan says. After LoRA and adapter: both change modules."""
    import torch

    if plan.keep == "offload":
        pipe.enable_model_cpu_offload(device=device.kind)
        return
    if plan.keep == "fp8":
        for network in (pipe.unet, pipe.controlnet):
            network.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=_number_type(plan)
            )
        for network in (pipe.unet, pipe.controlnet, pipe.vae):
            network.to(device.kind)
        return
    pipe.to(device.kind)


def _without_encoders(pipe: Any) -> Any:
    """The same networks without the encoders.

    Prompts and faces are encoded once, wherever the encoders lie; a pipeline that holds them would cast
    what they said to their number type, and count their device as its own.
    """
    names = (
        "tokenizer",
        "tokenizer_2",
        "text_encoder",
        "text_encoder_2",
        "image_encoder",
        "feature_extractor",
    )
    without = type(pipe)(**{**pipe.components, **dict.fromkeys(names)}, add_watermarker=False)
    without.set_progress_bar_config(disable=True)
    return without

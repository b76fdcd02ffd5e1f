"""An SDXL set and its folders to networks that are ready to draw.

Everything is read from local folders that `machine.locate` has found complete: nothing here knows the
Hub or a network. torch and diffusers are imported inside the functions; their import takes seconds.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.draw.drawer import number_type, out_of_memory, silence_diffusers
from pipelines.draw.machine import Device
from pipelines.draw.model_set import ModelSet
from pipelines.draw.plan import Plan

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


# What a set's networks were trained to, whatever the scheduler's file of a base says: a base is somebody's
# upload, and its file tells how its maker liked to sample. Noise of SDXL's training (Podell et al. 2023,
# section 2.1), trailing spacing as on SDXL-Lightning's model card, and no other way to space the sigmas.
SCHEDULES: dict[str, dict[str, object]] = {
    "euler-trailing": {
        "timestep_spacing": "trailing",
        "prediction_type": "epsilon",
        "num_train_timesteps": 1000,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "trained_betas": None,
        "rescale_betas_zero_snr": False,
        "use_karras_sigmas": False,
        "use_exponential_sigmas": False,
        "use_beta_sigmas": False,
        "timestep_type": "discrete",
        "final_sigmas_type": "zero",
        "sigma_min": None,
        "sigma_max": None,
    }
}
# A tile of the autoencoder, px: an SDXL decode of one takes a quarter of that of a 896 x 1120 canvas.
TILE_PX = 512


@dataclass(frozen=True, eq=False)
class Networks:
    """What `load_networks` returns. The pipelines are diffusers' and share their weights."""

    drawing: Any  # StableDiffusionXLControlNetImg2ImgPipeline without encoders
    encoding: Any  # the same with text encoders and, for identity, the image encoder
    preview: Any  # AutoencoderTiny, or None
    device: "torch.device"  # where drawing happens
    dtype: "torch.dtype"  # what drawing computes with
    plan: Plan
    visitors: tuple[Any, ...] = ()  # encoders that are on the card for their turn only
    identity_scale: "torch.Tensor | None" = None  # what the adapter's values are multiplied by; no dimensions

    def scale_identity(self, scale: float) -> None:
        """Set the adapter's scale, 0..1. In a tensor, so that compiled networks stay what they are."""
        if self.identity_scale is not None:
            self.identity_scale.fill_(scale)

    def release(self) -> None:
        """After a drawing, or when one was cut short: send encoders away that failed in their turn."""
        for encoder in self.visitors:
            if next(encoder.parameters()).device.type != "cpu":
                encoder.to("cpu")


def load_networks(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> Networks:
    """Read, join and lay out the networks of a set. `folders` by role, as `machine.locate` returns them."""
    import torch
    from diffusers import StableDiffusionXLControlNetImg2ImgPipeline as Pipeline

    dtype = number_type(plan)
    with silence_diffusers():
        pipe: Any = Pipeline(
            **_encoders(model_set, folders, dtype),
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
        visitors = _lay_out(pipe, plan, device)
        scale = _identity_scale(pipe, torch.device(device.kind), dtype) if "identity" in folders else None
        if plan.compiled:
            _compile(pipe, plan.compiled * (2 if model_set.guidance > 1 else 1))
        _scale_outside(pipe.controlnet)
        preview = _preview(folders, dtype, device)
        drawing = _without_encoders(pipe)
    return Networks(drawing, pipe, preview, torch.device(device.kind), dtype, plan, visitors, scale)


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
        vae = AutoencoderKL.from_pretrained(folders["vae"], dtype=dtype)
    else:
        vae = AutoencoderKL.from_pretrained(folders["base"], subfolder="vae", dtype=dtype)
    return in_tiles(vae)


def in_tiles(vae: Any) -> Any:
    """The autoencoder, whose tiles are `TILE_PX` wide where memory is short; its file's may be the canvas."""
    vae.tile_sample_min_size = TILE_PX
    vae.tile_latent_min_size = TILE_PX // 2 ** (len(vae.config.block_out_channels) - 1)
    return vae


def _controlnet(folders: dict[str, Path], dtype: "torch.dtype") -> Any:
    from diffusers import ControlNetModel

    return ControlNetModel.from_pretrained(folders["controlnet"], dtype=dtype)


def _scheduler(model_set: ModelSet, base: Path) -> Any:
    from diffusers import EulerDiscreteScheduler

    config = EulerDiscreteScheduler.load_config(base, subfolder="scheduler")
    return EulerDiscreteScheduler.from_config(config, **SCHEDULES[model_set.scheduler])


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


def _identity_scale(pipe: Any, device: "torch.device", dtype: "torch.dtype") -> "torch.Tensor":
    """One number for all layers of the adapter, in a tensor: diffusers keeps Python's, which compiles anew.

    Attention is linear in its values, so it may scale them instead of what comes out.
    """
    import torch

    class Scaled(torch.nn.Module):
        def __init__(self, values: torch.nn.Module) -> None:
            super().__init__()
            self.values = values

        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = self.values(faces) * scale
            return scaled

    scale = torch.ones((), device=device, dtype=dtype)
    pipe.set_ip_adapter_scale(1.0)
    for processor in pipe.unet.attn_processors.values():
        if hasattr(processor, "to_v_ip"):
            processor.to_v_ip = torch.nn.ModuleList([Scaled(values) for values in processor.to_v_ip])
    return scale


def _compile(pipe: Any, batch: int) -> None:
    """Compile U-Net and ControlNet for batches of that size: the first takes minutes. Others run as before.

    Shapes are fixed: with moving ones the compiler gives half of the gain away.
    """
    import torch

    for network in (pipe.unet, pipe.controlnet):
        compiled = torch.compile(network.forward, fullgraph=True, dynamic=False)
        network.forward = _for_batch(batch, compiled, network.forward)


def _for_batch(batch: int, compiled: Any, plain: Any) -> Any:
    """The compiled network for a batch of that size, until it turns out that none can be made here."""
    import torch
    from torch._dynamo.exc import FailOnRecompileLimitHit

    def forward(sample: "torch.Tensor", *args: Any, **options: Any) -> Any:
        nonlocal compiled
        if len(sample) == batch and compiled is not plain:
            try:
                # plates and noise lie in memory in two ways, each of which would be compiled for
                one_order = sample.contiguous(memory_format=torch.channels_last)
                return compiled(one_order, *args, **options)
            except (RuntimeError, FailOnRecompileLimitHit) as error:  # of the compiler, or of what it made
                if isinstance(error, RuntimeError) and out_of_memory(error):
                    raise
                log.warning("No compiled networks on this machine (%s): slower.", type(error).__name__)
                compiled = plain
        return plain(sample, *args, **options)

    return forward


def _scale_outside(controlnet: Any) -> None:
    """Let the ControlNet's scale be applied to what it answers, and nothing be computed where it is 0.

    Same picture. diffusers hands the scale in as a number, for each of which a compiler starts anew; and it
    computes and multiplies by 0, a third of all work.
    """
    import torch

    compute = controlnet.forward
    known: dict[object, tuple[list[torch.Tensor], torch.Tensor]] = {}

    def forward(sample: "torch.Tensor", *args: Any, conditioning_scale: float = 1.0, **options: Any) -> Any:
        if conditioning_scale:
            down, mid = compute(sample, *args, **options)
            return [residual * conditioning_scale for residual in down], mid * conditioning_scale
        key = (sample.shape, sample.dtype, sample.device)
        if key not in known:  # the shapes are only known to the network itself
            down, mid = compute(sample, *args, **options)
            # in the same order in memory too, for which networks are compiled
            known[key] = [torch.zeros_like(residual) for residual in down], torch.zeros_like(mid)
        return known[key]

    controlnet.forward = forward


def _lay_out(pipe: Any, plan: Plan, device: Device) -> tuple[Any, ...]:
    """Put the networks where the plan says; those that visit. After LoRA and adapter: both change modules."""
    import torch

    networks = (pipe.unet, pipe.controlnet, pipe.vae)
    if device.kind == "cuda" or plan.compiled:  # what 16-bit convolutions of a card run fastest in
        for network in networks:
            network.to(memory_format=torch.channels_last)
    if plan.keep == "fp8":
        for network in (pipe.unet, pipe.controlnet):
            network.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=number_type(plan)
            )
    if plan.keep in ("fp8", "visiting"):
        for network in networks:
            network.to(device.kind)
        encoders = (pipe.text_encoder, pipe.text_encoder_2, pipe.image_encoder)
        visitors = tuple(encoder for encoder in encoders if encoder is not None)
        for encoder in visitors:
            _let_visit(encoder, torch.device(device.kind))
        return visitors
    pipe.to(device.kind)
    return ()


def _let_visit(encoder: Any, device: "torch.device") -> None:
    """Bring an encoder to the card when it is called and back to main memory after."""
    from accelerate.hooks import ModelHook, add_hook_to_module, send_to_device

    class EncoderStay(ModelHook):  # type: ignore[misc]
        def pre_forward(self, module: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
            module.to(device)
            return send_to_device(args, device), send_to_device(options, device)

        def post_forward(self, module: Any, output: Any) -> Any:
            module.to("cpu")
            return output

    add_hook_to_module(encoder, EncoderStay())


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

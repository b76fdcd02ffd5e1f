"""Tiny networks with random weights, laid out as the real ones are.

`build_hub` writes a Hub cache (`models--owner--name/snapshots/<commit>/...`) that holds every file the
shipped model sets name, under their real names; `build_local` writes a folder like `weights/mini`. The
production code loads both unchanged. Weights are noise: pictures mean nothing, but every input matters.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderTiny,
    ControlNetModel,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Qwen2TokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pipelines.draw.drawer import silence_diffusers
from pipelines.draw.model_set import ModelSet, Part


@dataclass(frozen=True)
class Sizes:
    """Configurations of all networks; what they do not name is the class's default."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    text_2: dict[str, Any]
    vision: dict[str, Any]
    preview: dict[str, Any]
    faces: dict[str, int]  # resampler of the adapter: width, and tokens a face becomes
    klein: "Klein"


@dataclass(frozen=True)
class Klein:
    """Configurations of the FLUX.2 [klein] networks."""

    text: dict[str, Any]
    transformer: dict[str, Any]
    vae: dict[str, Any]


_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 32,
}

TINY = Sizes(
    unet={
        "sample_size": 16,
        "block_out_channels": (32, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": (2, 4),
        "cross_attention_dim": 64,  # what both text encoders say together
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 32,  # SDXL's six numbers, and the pooled text
        "norm_num_groups": 8,
    },
    vae={
        "block_out_channels": (8, 8, 8, 8),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "mid_block_add_attention": False,
    },
    text=_TEXT,
    text_2=_TEXT,
    vision={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
        "projection_dim": 32,
    },
    preview={
        "encoder_block_out_channels": (8,) * 4,
        "decoder_block_out_channels": (8,) * 4,
        "num_encoder_blocks": (1,) * 4,
        "num_decoder_blocks": (1,) * 4,
    },
    faces={"width": 64, "tokens": 4},
    klein=Klein(
        # layers 9, 18 and 27 are what the pipeline reads
        text={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 28,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
        },
        transformer={
            "in_channels": 16,
            "num_layers": 1,
            "num_single_layers": 2,
            "attention_head_dim": 32,
            "num_attention_heads": 2,
            "joint_attention_dim": 3 * 32,
            "axes_dims_rope": (8, 8, 8, 8),
        },
        vae={
            "block_out_channels": (8, 8, 8, 8),
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "latent_channels": 4,
            "mid_block_add_attention": False,
        },
    ),
)

# The config.json of stabilityai/stable-diffusion-xl-base-1.0, h94/IP-Adapter and madebyollin/taesdxl
FULL = Sizes(
    unet={
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    vae={"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 1024},
    text={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    text_2={
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "projection_dim": 1280,
        "hidden_act": "gelu",
    },
    vision={
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
        "projection_dim": 1024,
        "hidden_act": "gelu",
    },
    preview={},
    faces={"width": 1280, "tokens": 16},
    # The config.json files of black-forest-labs/FLUX.2-klein-4B; its text encoder is Qwen3-4B
    klein=Klein(
        text={
            "hidden_size": 2560,
            "intermediate_size": 9728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
        },
        transformer={
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 3 * 2560,
        },
        vae={},
    ),
)


def build_hub(cache: Path, sets: Iterable[ModelSet], sizes: Sizes = TINY) -> Path:
    """Write the repositories of the sets into a cache folder."""
    torch.manual_seed(0)
    parts = [part for model_set in sets for part in model_set.parts.by_role().items() if part[1].repo]
    with silence_diffusers():
        for role, part in parts:
            folder = cache / f"models--{part.repo.replace('/', '--')}" / "snapshots" / part.revision
            _write_part(role, part, folder, sizes)
    return cache


def build_local(weights: Path, name: str = "mini") -> Path:
    """Write a folder with networks like the bundled set's: 8 latent channels, an f8 autoencoder."""
    torch.manual_seed(1)
    folder = weights / name
    unet = new_unet(TINY, channels=8)
    with silence_diffusers():
        write_encoders(folder, None, TINY)
        for name in ("tokenizer", "tokenizer_2"):  # stored as today's transformers does
            CLIPTokenizer.from_pretrained(folder / name).save_pretrained(folder / name)
        unet.save_pretrained(folder / "unet")
        new_vae(TINY, channels=8).save_pretrained(folder / "vae")
        new_controlnet(unet).save_pretrained(folder / "controlnet")
    return weights


def new_unet(sizes: Sizes, channels: int = 4) -> UNet2DConditionModel:
    """A U-Net with all of SDXL's inputs."""
    return UNet2DConditionModel(
        in_channels=channels,
        out_channels=channels,
        use_linear_projection=True,
        addition_embed_type="text_time",
        **sizes.unet,
    )


def new_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """Untrained zero convolutions would hide the pose: they are filled with noise."""
    controlnet = ControlNetModel.from_unet(unet, conditioning_channels=3)
    zero_convolutions = [
        controlnet.controlnet_mid_block,
        controlnet.controlnet_cond_embedding.conv_out,
        *controlnet.controlnet_down_blocks,
    ]
    for convolution in zero_convolutions:
        for weight in convolution.parameters():
            torch.nn.init.normal_(weight, std=2 / unet.config.block_out_channels[-1] ** 0.5)
    return controlnet


def new_vae(sizes: Sizes, channels: int = 4) -> AutoencoderKL:
    """An f8 autoencoder."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        scaling_factor=0.13025 if channels == 4 else 1.0,
        force_upcast=False,
        **sizes.vae,
    )


def write_encoders(folder: Path, variant: str | None, sizes: Sizes) -> None:
    """Scheduler, two tokenizers as SDXL's repositories store them, two text encoders.

    The scheduler's file wants everything otherwise than our sets do, as the file of somebody's base may.
    """
    EulerDiscreteScheduler(
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        prediction_type="v_prediction",
        timestep_spacing="leading",
        use_karras_sigmas=True,
        steps_offset=1,
        sigma_min=0.5,
        sigma_max=9.0,
    ).save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer", "<|endoftext|>")
    _write_tokenizer(folder / "tokenizer_2", "!")
    ids = {
        "vocab_size": len(_vocabulary()),
        "bos_token_id": len(_vocabulary()) - 2,
        "eos_token_id": len(_vocabulary()) - 1,
    }
    first = CLIPTextModel(CLIPTextConfig(**sizes.text, **ids))
    first.half().save_pretrained(folder / "text_encoder", variant=variant)
    second = CLIPTextModelWithProjection(CLIPTextConfig(**sizes.text_2, **ids))
    second.half().save_pretrained(folder / "text_encoder_2", variant=variant)


def write_klein(folder: Path, sizes: Klein) -> None:
    """FLUX.2 [klein] as its repository stores it: the text encoder in two files, every number in bfloat16.

    The scheduler's file wants everything otherwise than our sets do.
    """
    tokenizer = _write_chat_tokenizer(folder / "tokenizer")
    text = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), tie_word_embeddings=True, **sizes.text))
    vae = AutoencoderKLFlux2(**sizes.vae)
    with torch.no_grad():  # its statistics are those of its latents, as the real ones are
        noise = torch.rand(8, 3, 8, 8) * 2 - 1
        pictures = torch.nn.functional.interpolate(noise, scale_factor=16, mode="bicubic")
        patches = torch.nn.functional.pixel_unshuffle(vae.encode(pictures).latent_dist.mode(), 2)
        vae.bn.running_var, vae.bn.running_mean = torch.var_mean(patches, dim=(0, 2, 3))
    pipe = Flux2KleinPipeline(
        tokenizer=tokenizer,
        text_encoder=text.bfloat16(),
        transformer=Flux2Transformer2DModel(guidance_embeds=False, **sizes.transformer).bfloat16(),
        vae=vae.bfloat16(),
        scheduler=FlowMatchEulerDiscreteScheduler(
            shift=5.0, use_dynamic_shifting=False, shift_terminal=0.2, use_karras_sigmas=True
        ),
        is_distilled=True,
    )
    pipe.save_pretrained(folder)
    (folder / "text_encoder" / "model.safetensors").unlink()
    half = sum(weight.nbytes for weight in text.state_dict().values()) * 6 // 10
    text.save_pretrained(folder / "text_encoder", max_shard_size=half)
    config = folder / "vae" / "config.json"  # the real one has a key that its class does not know
    config.write_text(json.dumps(json.loads(config.read_text()) | {"force_upcast": True}))
    (folder / "LICENSE.md").write_text("Apache License, Version 2.0\n")


def _write_chat_tokenizer(folder: Path) -> Qwen2TokenizerFast:
    """The seven files of Qwen's tokenizer, with a small vocabulary and the start of its chat template."""
    folder.mkdir(parents=True)
    alphabet = [token for token in _vocabulary() if len(token) == 1]
    merges = ["t h", "th e", "i n", "e r"]
    words = [*alphabet, *(merge.replace(" ", "") for merge in merges)]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2TokenizerFast(
        vocab={word: index for index, word in enumerate(words)},
        merges=[tuple(merge.split()) for merge in merges],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=special,
        model_max_length=131072,
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    added = {token: tokenizer.convert_tokens_to_ids(token) for token in special}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": special}
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    return tokenizer


def _vocabulary() -> list[str]:
    """CLIP's byte alphabet, alone and at a word's end, four merges, start and end: 518 tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    merged = [a + b for a, b in (merge.split() for merge in _merges())]
    return [*alphabet, *(c + "</w>" for c in alphabet), *merged, "<|startoftext|>", "<|endoftext|>"]


def _merges() -> list[str]:
    return ["t h", "th e</w>", "i n", "e r</w>"]


def _write_tokenizer(folder: Path, pad: str) -> None:
    """The four files of SDXL's repositories, with a small vocabulary."""
    folder.mkdir(parents=True)
    vocabulary = {token: index for index, token in enumerate(_vocabulary())}
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special["pad_token"] = pad
    settings = {**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_merges()]) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_part(role: str, part: Part, folder: Path, sizes: Sizes) -> None:
    """Write a part's files, and see that they are those that the set names."""
    if all((folder / name).is_file() for name in part.files):
        return  # another set has the same part
    folder.mkdir(parents=True, exist_ok=True)
    if role == "base":
        _write_base(part, folder, sizes)
    elif role in ("unet", "lora", "identity"):
        (folder / part.files[0]).parent.mkdir(exist_ok=True)
        save_file(_single_file(role, sizes), folder / part.files[0])
    else:
        _folder_network(role, sizes).half().save_pretrained(folder / part.folder)
    assert all((folder / name).is_file() for name in part.files), f"{role}: {part.files}"


def _write_base(part: Part, folder: Path, sizes: Sizes) -> None:
    if any(name.startswith("transformer/") for name in part.files):
        write_klein(folder, sizes.klein)
        return
    if not (folder / "tokenizer").exists():
        write_encoders(folder, part.variant, sizes)
    if any(name.startswith("unet/diffusion") for name in part.files):
        new_unet(sizes).half().save_pretrained(folder / "unet", variant=part.variant)
    else:
        with init_empty_weights():
            new_unet(sizes).save_config(folder / "unet")


def _folder_network(role: str, sizes: Sizes) -> Any:
    if role == "image_encoder":
        return CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes.vision))
    if role == "controlnet":
        return new_controlnet(new_unet(sizes))
    return new_vae(sizes) if role == "vae" else AutoencoderTiny(**sizes.preview)


def _single_file(role: str, sizes: Sizes) -> dict[str, torch.Tensor]:
    """float16, as the real ones are."""
    unet = new_unet(sizes)
    weights = {
        "unet": unet.state_dict,
        "lora": lambda: _lora_weights(unet),
        "identity": lambda: _adapter_weights(unet, sizes.vision["hidden_size"], **sizes.faces),
    }[role]()
    return {key: value.half() for key, value in weights.items()}


def _lora_weights(unet: UNet2DConditionModel, rank: int = 4) -> dict[str, torch.Tensor]:
    """kohya's names, which SDXL-Lightning's file has."""
    weights = {}
    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Linear) and ".attn" in name:
            stem = "lora_unet_" + name.replace(".", "_")
            weights[f"{stem}.lora_down.weight"] = _matrix(rank, module.in_features)
            weights[f"{stem}.lora_up.weight"] = _matrix(module.out_features, rank)
            weights[f"{stem}.alpha"] = torch.tensor(float(rank))
    return weights


def _adapter_weights(
    unet: UNet2DConditionModel, vision: int, width: int, tokens: int
) -> dict[str, torch.Tensor]:
    """The keys of ip-adapter-plus-face: a resampler of four layers, then two matrices per cross-attention.

    `width` of the resampler is a multiple of 64: the loader takes 64 per head.
    """
    cross = unet.config.cross_attention_dim
    weights = {
        "latents": torch.randn(1, tokens, width),
        **_linear("proj_in", vision, width),
        **_linear("proj_out", width, cross),
        **_norm("norm_out", cross),
    }
    for layer in range(4):
        attention, feed = f"layers.{layer}.0", f"layers.{layer}.1"
        weights |= {**_norm(f"{attention}.norm1", width), **_norm(f"{attention}.norm2", width)}
        weights[f"{attention}.to_q.weight"] = _matrix(width, width)
        weights[f"{attention}.to_kv.weight"] = _matrix(2 * width, width)
        weights[f"{attention}.to_out.weight"] = _matrix(width, width)
        weights |= _norm(f"{feed}.0", width)
        weights[f"{feed}.1.weight"] = _matrix(4 * width, width)
        weights[f"{feed}.3.weight"] = _matrix(width, 4 * width)
    weights = {f"image_proj.{key}": value for key, value in weights.items()}
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(crossing):
        wide = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for matrix in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{2 * index + 1}.{matrix}.weight"] = 3 * _matrix(wide, cross)
    return weights


def _matrix(out: int, wide: int) -> torch.Tensor:
    return torch.randn(out, wide).div(wide**0.5)


def _linear(name: str, wide: int, out: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": _matrix(out, wide), f"{name}.bias": torch.zeros(out)}


def _norm(name: str, wide: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.ones(wide), f"{name}.bias": torch.zeros(wide)}

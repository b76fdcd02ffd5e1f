"""The mini set's networks, from random weights: SDXL's classes, SDXL's wiring, 15 million parameters.

`MiniNetworks` holds all of them; `training.export` writes it as a diffusers folder, which the product
loads as it loads any other SDXL-family set.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

CANVAS = (256, 320)  # width, height in px
CHANNELS = 8  # of the latents; with 4, eyes were lost
TEXT_WIDTH, TEXT_LAYERS, TOKENS = 64, 3, 77
TIME_WIDTH = 32
# SDXL's six size numbers (original, crop, target); ours never vary
TIME_IDS = (float(CANVAS[1]), float(CANVAS[0]), 0.0, 0.0, float(CANVAS[1]), float(CANVAS[0]))
BLOCKS = (64, 128, 192)


def new_scheduler() -> EulerDiscreteScheduler:
    """SDXL's noise, and the steps that the set is drawn in."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing"
    )


def new_autoencoder() -> AutoencoderKL:
    """3.1 M parameters, f8."""
    return AutoencoderKL(
        block_out_channels=(24, 48, 96, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=CANVAS[1],
        scaling_factor=1.0,
        force_upcast=False,
    )


def new_tokenizer(captions: list[str], pad_token: str) -> CLIPTokenizer:
    """Byte-level BPE in which every word of `captions` is one token; other words are spelt out.

    `<|endoftext|>` has the highest id: CLIP's pooling looks for the highest.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    spelling = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    spelling.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{L}+|[^\s\p{L}]"), "removed", invert=True),
            pre_tokenizers.ByteLevel(False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        min_frequency=1,
        end_of_word_suffix="</w>",
        initial_alphabet=letters,
        show_progress=False,
    )
    spelling.train_from_iterator(sorted(set(captions)), trainer)
    merges = [tuple(pair) for pair in json.loads(spelling.to_str())["model"]["merges"]]
    pieces = letters + [letter + "</w>" for letter in letters] + [left + right for left, right in merges]
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    vocab |= {"<|startoftext|>": len(vocab), "<|endoftext|>": len(vocab) + 1}
    return CLIPTokenizer(vocab=vocab, merges=merges, pad_token=pad_token, model_max_length=TOKENS)


def _text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


# What U-Net and ControlNet must agree on
SHARED: dict[str, Any] = {
    "in_channels": CHANNELS,
    "block_out_channels": BLOCKS,
    "down_block_types": ("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
    "layers_per_block": 1,
    "norm_num_groups": 16,
    "cross_attention_dim": 2 * TEXT_WIDTH,
    "attention_head_dim": tuple(width // 32 for width in BLOCKS),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": TIME_WIDTH,
    "projection_class_embeddings_input_dim": TEXT_WIDTH + 6 * TIME_WIDTH,
}


@dataclass
class MiniNetworks:
    """All that is trained but the autoencoder."""

    tokenizer: CLIPTokenizer
    tokenizer_2: CLIPTokenizer
    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection
    unet: UNet2DConditionModel
    controlnet: ControlNetModel

    def modules(self) -> dict[str, nn.Module]:
        """The trained parts by their folder's name."""
        names = ("text_encoder", "text_encoder_2", "unet", "controlnet")
        return {name: getattr(self, name) for name in names}

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """SDXL's text conditioning: (n, 77, 128) token states and (n, 64) pooled."""
        states, pooled = [], torch.empty(0)
        for tokenizer, encoder in (
            (self.tokenizer, self.text_encoder),
            (self.tokenizer_2, self.text_encoder_2),
        ):
            ids = tokenizer(
                captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
            ).input_ids
            out = encoder(ids.to(next(encoder.parameters()).device), output_hidden_states=True)
            states.append(out.hidden_states[-2])
            pooled = out[0]
        return torch.cat(states, dim=-1), pooled

    def guess(self, noisy: Tensor, level: Tensor, states: Tensor, pooled: Tensor, maps: Tensor) -> Tensor:
        """The noise in (n, 8, h, w), by the U-Net with the ControlNet; `maps` (n, 3, 8h, 8w) in 0..1."""
        time_ids = torch.tensor(TIME_IDS, device=noisy.device).expand(len(noisy), 6)
        added = {"text_embeds": pooled, "time_ids": time_ids}
        down, mid = self.controlnet(noisy, level, states, maps, added_cond_kwargs=added, return_dict=False)
        guessed: Tensor = self.unet(
            noisy,
            level,
            states,
            added_cond_kwargs=added,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        ).sample
        return guessed


def kept_tokenizers(captions: list[str], runs: Path) -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """The tokenizers of the run in `runs`, made and stored there at the first call.

    Their training breaks ties by chance: two makings gave the same pieces with two numbers swapped, so that
    weights of one mean nothing to the other.
    """
    found = []
    for name, pad_token in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        if not (runs / name).exists():
            new_tokenizer(captions, pad_token).save_pretrained(runs / name)
        found.append(CLIPTokenizer.from_pretrained(runs / name, local_files_only=True))
    return found[0], found[1]


def new_networks(tokenizer: CLIPTokenizer, tokenizer_2: CLIPTokenizer) -> MiniNetworks:
    """Random weights for these tokenizers."""
    return MiniNetworks(
        tokenizer,
        tokenizer_2,
        CLIPTextModel(_text_config(tokenizer)),
        CLIPTextModelWithProjection(_text_config(tokenizer_2)),
        UNet2DConditionModel(
            sample_size=CANVAS[1] // 8,
            out_channels=CHANNELS,
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            **SHARED,
        ),
        ControlNetModel(conditioning_embedding_out_channels=(4, 8, 24, 64), **SHARED),
    )


def start_pose_from_unet(networks: MiniNetworks) -> None:
    """Give the ControlNet the U-Net's encoder, as Zhang et al. 2023 do; its zero convolutions stay."""
    for part in ("conv_in", "time_embedding", "add_embedding", "down_blocks", "mid_block"):
        getattr(networks.controlnet, part).load_state_dict(getattr(networks.unet, part).state_dict())

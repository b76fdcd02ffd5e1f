"""Tiny networks with random weights, laid out as the real ones are.

`build_hub` writes a Hub cache (`models--owner--name/snapshots/<commit>/...`) that holds every file the
shipped model sets name, under their real names; `build_local` writes a folder like `weights/mini`. The
production code loads both unchanged. Weights are noise: pictures mean nothing, but every input matters.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    ControlNetModel,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from pipelines.loading import quiet
from pipelines.model_set import ModelSet, Part

TEXT, POOLED, VISION, TOKENS = 32, 32, 32, 4  # widths of the encoders; tokens of one face
CROSS = 2 * TEXT  # what both text encoders say together


def build_hub(cache: Path, sets: Iterable[ModelSet]) -> Path:
    """Write the repositories of the sets into a cache folder."""
    torch.manual_seed(0)
    parts = [part for model_set in sets for part in model_set.parts.by_role().items() if part[1].repo]
    with quiet():
        for role, part in parts:
            folder = cache / f"models--{part.repo.replace('/', '--')}" / "snapshots" / part.revision
            _write_part(role, part, folder)
    return cache


def build_local(weights: Path, name: str = "mini") -> Path:
    """Write a folder with networks like the bundled set's: 8 latent channels, an f8 autoencoder."""
    torch.manual_seed(1)
    folder = weights / name
    unet = tiny_unet(channels=8)
    with quiet():
        write_encoders(folder, variant=None)
        unet.save_pretrained(folder / "unet")
        tiny_vae(channels=8).save_pretrained(folder / "vae")
        tiny_controlnet(unet).save_pretrained(folder / "controlnet")
    return weights


def tiny_unet(channels: int = 4) -> UNet2DConditionModel:
    """A U-Net with all of SDXL's inputs."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 1),
        cross_attention_dim=CROSS,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + POOLED,
        norm_num_groups=8,
    )


def tiny_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """Untrained zero convolutions would hide the pose: they are filled with noise."""
    controlnet = ControlNetModel.from_unet(unet, conditioning_channels=3)
    zero_convolutions = [
        controlnet.controlnet_mid_block,
        controlnet.controlnet_cond_embedding.conv_out,
        *controlnet.controlnet_down_blocks,
    ]
    for convolution in zero_convolutions:
        for weight in convolution.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return controlnet


def tiny_vae(channels: int = 4) -> AutoencoderKL:
    """An f8 autoencoder."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=4,
        mid_block_add_attention=False,
        scaling_factor=0.13025 if channels == 4 else 1.0,
        force_upcast=False,
    )


def write_encoders(folder: Path, variant: str | None) -> None:
    """Scheduler, two tokenizers as SDXL's repositories store them, two text encoders."""
    EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
    ).save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer", "<|endoftext|>")
    _write_tokenizer(folder / "tokenizer_2", "!")
    shape: dict[str, Any] = {
        "vocab_size": len(_vocabulary()),
        "hidden_size": TEXT,
        "intermediate_size": 2 * TEXT,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": POOLED,
        "bos_token_id": len(_vocabulary()) - 2,
        "eos_token_id": len(_vocabulary()) - 1,
    }
    CLIPTextModel(CLIPTextConfig(**shape)).save_pretrained(folder / "text_encoder", variant=variant)
    CLIPTextModelWithProjection(CLIPTextConfig(**shape)).save_pretrained(
        folder / "text_encoder_2", variant=variant
    )


def _vocabulary() -> list[str]:
    """CLIP's byte alphabet, alone and at a word's end, four merges, start and end: 518 tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    merged = [a + b for a, b in (merge.split() for merge in _merges())]
    return [*alphabet, *(c + "</w>" for c in alphabet), *merged, "<|startoftext|>", "<|endoftext|>"]


def _merges() -> list[str]:
    return ["t h", "th e</w>", "i n", "e r</w>"]


def _write_tokenizer(folder: Path, pad: str) -> None:
    folder.mkdir(parents=True)
    vocabulary = {token: index for index, token in enumerate(_vocabulary())}
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special["pad_token"] = pad
    settings = {**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_merges()]) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_part(role: str, part: Part, folder: Path) -> None:
    """Write a part's files, and see that they are those that the set names."""
    if all((folder / name).is_file() for name in part.files):
        return  # another set has the same part
    writers: dict[str, Callable[[Part, Path], None]] = {
        "base": _write_base,
        "unet": _write_unet,
        "lora": _write_lora,
        "vae": lambda _, place: tiny_vae().save_pretrained(place),
        "controlnet": lambda _, place: tiny_controlnet(tiny_unet()).save_pretrained(place),
        "identity": _write_adapter,
        "image_encoder": _write_image_encoder,
        "preview": _write_preview,
    }
    writers[role](part, folder)
    assert all((folder / name).is_file() for name in part.files), f"{role}: {part.files}"


def _write_base(part: Part, folder: Path) -> None:
    if not (folder / "tokenizer").exists():
        write_encoders(folder, part.variant)
    tiny_unet().save_pretrained(folder / "unet", variant=part.variant)


def _write_unet(part: Part, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half() for k, v in tiny_unet().state_dict().items()}, folder / part.files[0])


def _write_lora(part: Part, folder: Path) -> None:
    """kohya's names, which SDXL-Lightning's file has."""
    folder.mkdir(parents=True, exist_ok=True)
    rank, weights = 4, {}
    for name, module in tiny_unet().named_modules():
        if isinstance(module, torch.nn.Linear) and ".attn" in name:
            stem = "lora_unet_" + name.replace(".", "_")
            weights[f"{stem}.lora_down.weight"] = torch.randn(rank, module.in_features) * 0.2
            weights[f"{stem}.lora_up.weight"] = torch.randn(module.out_features, rank) * 0.2
            weights[f"{stem}.alpha"] = torch.tensor(float(rank))
    save_file(weights, folder / part.files[0])


def _write_image_encoder(part: Part, folder: Path) -> None:
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=VISION,
            intermediate_size=2 * VISION,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
            projection_dim=VISION,
        )
    ).save_pretrained(folder / part.folder)


def _write_adapter(part: Part, folder: Path) -> None:
    """The keys of ip-adapter-plus-face: a resampler of four layers, then two matrices per attention."""
    width = 64  # the loader takes 64 per head
    weights = {
        "latents": torch.randn(1, TOKENS, width),
        **_linear("proj_in", VISION, width),
        **_linear("proj_out", width, CROSS),
        **_norm("norm_out", CROSS),
    }
    for layer in range(4):
        attention, feed = f"layers.{layer}.0", f"layers.{layer}.1"
        weights |= {**_norm(f"{attention}.norm1", width), **_norm(f"{attention}.norm2", width)}
        weights[f"{attention}.to_q.weight"] = torch.randn(width, width) * 0.1
        weights[f"{attention}.to_kv.weight"] = torch.randn(2 * width, width) * 0.1
        weights[f"{attention}.to_out.weight"] = torch.randn(width, width) * 0.1
        weights |= _norm(f"{feed}.0", width)
        weights[f"{feed}.1.weight"] = torch.randn(4 * width, width) * 0.1
        weights[f"{feed}.3.weight"] = torch.randn(width, 4 * width) * 0.1
    weights = {f"image_proj.{key}": value for key, value in weights.items()}
    unet = tiny_unet()
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(crossing):
        wide = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for matrix in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{2 * index + 1}.{matrix}.weight"] = torch.randn(wide, CROSS) * 0.3
    file = folder / part.files[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, file)


def _linear(name: str, wide: int, out: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(out, wide) * 0.1, f"{name}.bias": torch.zeros(out)}


def _norm(name: str, wide: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.ones(wide), f"{name}.bias": torch.zeros(wide)}


def _write_preview(_: Part, folder: Path) -> None:
    AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    ).save_pretrained(folder)


@dataclass
class FakeHub:
    """What the Hub's protocol serves from a cache folder, and how it misbehaves."""

    cache: Path
    endpoint: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)  # (repo, file), in order
    fail_after: int | None = None  # files that are sent before every answer is an error
    gone: str = ""  # a file that it does not know
    weight: int = 0  # bytes that each file pretends to have more than it has

    def file(self, repo: str, revision: str, name: str) -> Path | None:
        path = self.cache / f"models--{repo.replace('/', '--')}" / "snapshots" / revision / name
        return path if path.is_file() and name != self.gone else None


@contextlib.contextmanager
def serve(cache: Path) -> Iterator[FakeHub]:
    """Serve a cache folder over HTTP on this machine, as the Hub would."""
    hub = FakeHub(cache)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quietly."""

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_POST(self) -> None:
            """`/api/models/<owner>/<name>/paths-info/<revision>`: sizes of the files asked for."""
            _, _, _, owner, name, _, revision = self.path.split("/")
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            found = [(path, hub.file(f"{owner}/{name}", revision, path)) for path in form["paths"]]
            told = [
                {"type": "file", "path": path, "size": file.stat().st_size + hub.weight, "oid": path}
                for path, file in found
                if file
            ]
            self.answer(200, json.dumps(told).encode(), Content_Type="application/json")

        def do_HEAD(self) -> None:
            """`/<owner>/<name>/resolve/<revision>/<file>`: commit, tag and size."""
            _, owner, name, _, revision, *path = self.path.split("/")
            file = hub.file(f"{owner}/{name}", revision, "/".join(path))
            if file is None:
                return self.answer(404)
            body = file.read_bytes()
            tag = hashlib.sha256(body).hexdigest()
            return self.answer(200, body, ETag=f'"{tag}"', X_Repo_Commit=revision)

        def do_GET(self) -> None:
            if hub.fail_after is not None and len(hub.sent) >= hub.fail_after:
                return self.answer(500)
            _, owner, name, _, _, *path = self.path.split("/")
            hub.sent.append((f"{owner}/{name}", "/".join(path)))
            return self.do_HEAD()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Train the mini set's U-Net and text encoders, then its ControlNet.

    python -m training.denoiser --data runs/mini/plates --steps 6000            # U-Net and text
    python -m training.denoiser --data runs/mini/plates --steps 8000 --pose     # and the pose map

Resumes from `runs/mini/denoiser.pt`, which holds the step, the weights, their moving average and the
optimiser; `python -m training.restart` makes a first one of shipped weights. The first run with `--pose`
starts the ControlNet from the U-Net's encoder. Noise is SDXL's (scaled-linear, epsilon); levels below 450 of
1000 come most often, since portraits start from the plate. The learning rate falls to nothing at `--steps`.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.arrays import Floats, Mask, Pixels
from training.data import all_captions
from training.networks import (
    TIME_IDS,
    MiniNetworks,
    kept_tokenizers,
    new_autoencoder,
    new_networks,
    new_scheduler,
    start_pose_from_unet,
)

RUNS = Path("runs/mini")
BATCH, RATE, POSE_RATE, WARM_STEPS, AVERAGE = 16, 6e-4, 3e-4, 20, 0.999
USUAL_LEVELS, USUAL_SHARE = 450, 0.75
SOFT_FROM = 200  # the least noise put on enlarged pictures: they teach shape and light, not detail
NO_CAPTION, NO_POSE = 0.1, 0.1  # shares of a batch trained without
UNPOSED = 0.5  # of the batches; without the ControlNet at all, as a scale of 0 draws, and a fourth faster


@dataclass(frozen=True, eq=False)
class Lessons:
    """What there is to learn from, in the autoencoder's standardised latents."""

    latents: Tensor  # float16 (n, 8, 40, 32)
    captions: list[str]  # the different ones
    caption_of: NDArray[np.int64]  # int (n,), index into `captions`
    weights: Floats  # (n,), how often each is drawn; sums to 1
    soft: Mask  # (n,), whether the picture was enlarged too far to show detail
    poses: Pixels | None  # uint8 (n, 320, 256, 3)


@torch.no_grad()
def read_lessons(folder: Path, device: str) -> Lessons:
    """Encode the folder's pictures once; later runs read what the first one wrote."""
    index = json.loads((folder / "captions.json").read_text())
    captions = index["captions"]
    different = sorted(set(captions))
    caption_of = np.array([different.index(caption) for caption in captions])
    poses = folder / "poses.npy"
    return Lessons(
        _latents(folder, device),
        different,
        caption_of,
        np.array(index["weights"]),
        np.array(index["soft"]),
        np.load(poses, mmap_mode="r") if poses.exists() else None,
    )


def _latents(folder: Path, device: str) -> Tensor:
    stored = folder / "latents.pt"
    if not stored.exists():
        pictures = np.load(folder / "pictures.npy", mmap_mode="r")
        model = new_autoencoder().to(device).eval()
        model.load_state_dict(
            torch.load(RUNS / "autoencoder.pt", map_location=device, weights_only=True)["model"]
        )
        encoded = []
        for first in range(0, len(pictures), 16):
            pixels = torch.from_numpy(np.array(pictures[first : first + 16])).to(device)
            encoded.append(
                model.encode(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).latent_dist.mean.cpu()
            )
        torch.save(torch.cat(encoded).half(), stored)
    latents: Tensor = torch.load(stored, weights_only=True)
    centre, spread = latent_scale(latents)
    return ((latents.float() - centre) / spread).half()


def latent_scale(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel, (1, 8, 1, 1); fixed by the first data that is seen."""
    stored = RUNS / "latent_scale.pt"
    if not stored.exists():
        x = latents.float()
        torch.save((x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)), stored)
    centre, spread = torch.load(stored, weights_only=True)
    return centre, spread


def noise_levels(rng: torch.Generator, soft: Tensor) -> Tensor:
    """int64 (BATCH,), 0..999: usual start strengths often, all levels sometimes, no low ones where `soft`."""
    usual = torch.rand(BATCH, generator=rng) < USUAL_SHARE
    drawn = torch.rand(BATCH, generator=rng) * torch.where(usual, USUAL_LEVELS, 1000)
    return torch.where(soft, SOFT_FROM + drawn * (1 - SOFT_FROM / 1000), drawn).long()


def guess_noise(
    networks: MiniNetworks, lessons: Lessons, chosen: NDArray[np.int64], rng: torch.Generator, pose: bool
) -> Tensor:
    """The loss of one batch: squared error of the predicted noise."""
    device = next(networks.unet.parameters()).device
    x = lessons.latents[chosen].float().to(device)
    level = noise_levels(rng, torch.from_numpy(lessons.soft[chosen])).to(device)
    noise = torch.randn(x.shape, generator=rng).to(device)
    kept = ALPHAS.to(device)[level].view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1 - kept).sqrt() * noise
    states, pooled = networks.encode(lessons.captions)
    said = (torch.rand(BATCH, generator=rng) >= NO_CAPTION).float().to(device)
    which = torch.from_numpy(lessons.caption_of[chosen]).to(device)
    states, pooled = states[which] * said.view(-1, 1, 1), pooled[which] * said.view(-1, 1)
    added = {"text_embeds": pooled, "time_ids": torch.tensor(TIME_IDS, device=device).expand(BATCH, 6)}
    residuals: dict[str, object] = {}
    if pose and lessons.poses is not None and torch.rand(1, generator=rng) >= UNPOSED:
        maps = torch.from_numpy(np.array(lessons.poses[chosen])).permute(0, 3, 1, 2).float().to(device) / 255
        shown = (torch.rand(BATCH, generator=rng) >= NO_POSE).float().to(device)
        down, mid = networks.controlnet(
            noisy, level, states, maps * shown.view(-1, 1, 1, 1), added_cond_kwargs=added, return_dict=False
        )
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    drawn = networks.unet(noisy, level, states, added_cond_kwargs=added, **residuals).sample
    return F.mse_loss(drawn.float(), noise)


ALPHAS = new_scheduler().alphas_cumprod


def learning_rate(step: int, began: int, steps: int, highest: float) -> float:
    """Warm up from where this stage `began`, then fall as half a cosine, to nothing at `steps`."""
    share = min(1.0, (step - began) / max(1, steps - began))
    return highest * min(1.0, (step - began + 1) / WARM_STEPS) * (0.5 + 0.5 * math.cos(math.pi * share))


def number_type(device: str) -> torch.dtype:
    """bfloat16 where it is built in; where a processor imitates it, a step takes ninety seconds, not six."""
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    built_in = device != "cpu" or able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.bfloat16 if built_in else torch.float32


class Run:
    """Weights, their moving average and the optimiser: what a checkpoint holds."""

    def __init__(self, networks: MiniNetworks, device: str, pose: bool) -> None:
        self.networks, self.device, self.pose, self.step, self.began = networks, device, pose, 0, 0
        self.trained: dict[str, nn.Module] = networks.modules()
        for part in self.trained.values():
            part.to(device).to(memory_format=torch.channels_last).train()
        parameters = [p for part in self.trained.values() for p in part.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-2)
        self.average: dict[str, Tensor] = {}
        path = RUNS / "denoiser.pt"
        if path.exists():
            self._resume(torch.load(path, map_location=device, weights_only=True))
        else:
            self.average = {key: value.detach().clone() for key, value in self._state().items()}

    def _state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, part in self.trained.items()
            for key, value in part.state_dict().items()
        }

    def _resume(self, saved: dict[str, Any]) -> None:
        for name, part in self.trained.items():
            part.load_state_dict(_of(saved["weights"], name))
        self.step, self.average, self.began = saved["step"], saved["average"], saved["step"]
        if self.pose and not saved["pose"]:
            start_pose_from_unet(self.networks)
            self.average |= _of_controlnet(self._state())
        elif self.pose == saved["pose"] and "optimizer" in saved:
            self.began = saved["began"]
            self.optimizer.load_state_dict(saved["optimizer"])

    def learn(self, loss: Tensor, steps: int) -> None:
        """One step of the optimiser and of the moving average; `steps` is where the rate reaches nothing."""
        rate = learning_rate(self.step, self.began, steps, POSE_RATE if self.pose else RATE)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0)
        self.optimizer.step()
        self.step += 1
        since = self.step - self.began
        keep = min(AVERAGE, (1 + since) / (10 + since))
        for key, value in self._state().items():
            if value.dtype.is_floating_point:
                self.average[key].lerp_(value.detach(), 1 - keep)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {"step": self.step, "pose": self.pose, "began": self.began, "average": self.average}
        state |= {"weights": self._state(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, RUNS / "denoiser.new")
        (RUNS / "denoiser.new").replace(RUNS / "denoiser.pt")


def _of(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in weights.items() if key.startswith(f"{name}.")}


def _of_controlnet(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in weights.items() if key.startswith("controlnet.")}


def train(folder: Path, steps: int, pose: bool, device: str) -> None:
    """Run up to `steps` in all, from the last checkpoint."""
    lessons = read_lessons(folder, device)
    run = Run(new_networks(*kept_tokenizers(all_captions(), RUNS)), device, pose)
    began, started, losses = time.monotonic(), run.step, list[float]()
    while run.step < steps:
        rng = torch.Generator().manual_seed(run.step)
        draw = np.random.default_rng((11, run.step))
        chosen = draw.choice(len(lessons.weights), BATCH, p=lessons.weights)
        with torch.autocast(device, torch.bfloat16, number_type(device) == torch.bfloat16):
            loss = guess_noise(run.networks, lessons, chosen, rng, pose)
        run.learn(loss, steps)
        losses.append(loss.item())
        if run.step % 50 == 0:
            pace = (time.monotonic() - began) / (run.step - started)
            print(f"step {run.step} loss {np.mean(losses[-50:]):.4f} {pace:.2f} s/step", flush=True)
        if run.step % 100 == 0 or run.step == steps:
            run.save()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RUNS / "plates")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--pose", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    wanted = parser.parse_args()
    train(wanted.data, wanted.steps, wanted.pose, wanted.device)

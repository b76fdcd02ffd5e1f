"""Train the mini set's U-Net and text encoders, then its ControlNet.

    python -m training.denoiser --data runs/mini/plates --steps 6000            # U-Net and text
    python -m training.denoiser --data runs/mini/plates --steps 8000 --pose     # and the pose map

Resumes from `runs/mini/denoiser.pt`, which holds the step, the weights and their moving average. The
first run with `--pose` starts the ControlNet from the U-Net's encoder. Noise is SDXL's (scaled-linear,
epsilon); levels below 620 of 1000 come most often, since portraits start from the plate.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from diffusers import EulerDiscreteScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data import all_captions
from training.networks import TIME_IDS, MiniNetworks, new_autoencoder, new_networks, start_pose_from_unet

RUNS = Path("runs/mini")
BATCH, RATE, POSE_RATE, WARM_STEPS, AVERAGE = 16, 6e-4, 3e-4, 100, 0.999
USUAL_LEVELS, USUAL_SHARE = 620, 0.85
NO_CAPTION, NO_POSE = 0.1, 0.15  # shares of a batch trained without


@dataclass(frozen=True, eq=False)
class Lessons:
    """What there is to learn from, in the autoencoder's standardised latents."""

    latents: Tensor  # float16 (n, 8, 40, 32)
    captions: list[str]  # the different ones
    caption_of: NDArray[np.int64]  # int (n,), index into `captions`
    weights: NDArray[np.float64]  # (n,), how often each is drawn; sums to 1
    poses: NDArray[np.uint8] | None  # uint8 (n, 320, 256, 3)


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


def noise_levels(rng: torch.Generator) -> Tensor:
    """int64 (BATCH,), 0..999: usual start strengths often, all levels sometimes."""
    usual = torch.rand(BATCH, generator=rng) < USUAL_SHARE
    drawn = torch.rand(BATCH, generator=rng)
    return (drawn * torch.where(usual, USUAL_LEVELS, 1000)).long()


def guess_noise(
    networks: MiniNetworks, lessons: Lessons, chosen: NDArray[np.int64], rng: torch.Generator, pose: bool
) -> Tensor:
    """The loss of one batch: squared error of the predicted noise."""
    device = next(networks.unet.parameters()).device
    x = lessons.latents[chosen].float().to(device)
    level, noise = noise_levels(rng).to(device), torch.randn(x.shape, generator=rng).to(device)
    kept = _ALPHAS.to(device)[level].view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1 - kept).sqrt() * noise
    states, pooled = networks.encode(lessons.captions)
    said = (torch.rand(BATCH, generator=rng) >= NO_CAPTION).float().to(device)
    which = torch.from_numpy(lessons.caption_of[chosen]).to(device)
    states, pooled = states[which] * said.view(-1, 1, 1), pooled[which] * said.view(-1, 1)
    added = {"text_embeds": pooled, "time_ids": torch.tensor(TIME_IDS, device=device).expand(BATCH, 6)}
    residuals: dict[str, object] = {}
    if pose and lessons.poses is not None:
        maps = torch.from_numpy(np.array(lessons.poses[chosen])).permute(0, 3, 1, 2).float().to(device) / 255
        shown = (torch.rand(BATCH, generator=rng) >= NO_POSE).float().to(device)
        down, mid = networks.controlnet(
            noisy, level, states, maps * shown.view(-1, 1, 1, 1), added_cond_kwargs=added, return_dict=False
        )
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    drawn = networks.unet(noisy, level, states, added_cond_kwargs=added, **residuals).sample
    return F.mse_loss(drawn.float(), noise)


_ALPHAS = EulerDiscreteScheduler(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
).alphas_cumprod


class Run:
    """Weights, their moving average and the optimiser: what a checkpoint holds."""

    def __init__(self, networks: MiniNetworks, device: str, pose: bool) -> None:
        self.networks, self.device, self.pose, self.step, self.started = networks, device, pose, 0, 0
        self.trained: dict[str, nn.Module] = networks.modules()
        for part in self.trained.values():
            part.to(device).train()
        self._resume()
        parameters = [p for part in self.trained.values() for p in part.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-2)

    def _state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, part in self.trained.items()
            for key, value in part.state_dict().items()
        }

    def _resume(self) -> None:
        path = RUNS / "denoiser.pt"
        posed = False
        if path.exists():
            saved = torch.load(path, map_location=self.device, weights_only=True)
            for name, part in self.trained.items():
                part.load_state_dict(_of(saved["weights"], name))
            self.step, posed = saved["step"], saved["pose"]
            self.average = saved["average"]
        self.started = self.step
        if self.pose and not posed:
            start_pose_from_unet(self.networks)
            self.average = {} if not path.exists() else self.average | _of_controlnet(self._state())
        if not path.exists():
            self.average = {key: value.detach().clone() for key, value in self._state().items()}

    def learn(self, loss: Tensor) -> None:
        """One step of the optimiser and of the moving average."""
        since = self.step - self.started
        self.optimizer.param_groups[0]["lr"] = (POSE_RATE if self.pose else RATE) * min(
            1.0, (since + 1) / WARM_STEPS
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        for key, value in self._state().items():
            if value.dtype.is_floating_point:
                self.average[key].lerp_(value.detach(), 1 - keep)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {"step": self.step, "pose": self.pose, "weights": self._state(), "average": self.average}
        torch.save(state, RUNS / "denoiser.new")
        (RUNS / "denoiser.new").replace(RUNS / "denoiser.pt")


def _of(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in weights.items() if key.startswith(f"{name}.")}


def _of_controlnet(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in weights.items() if key.startswith("controlnet.")}


def train(folder: Path, steps: int, pose: bool, device: str) -> None:
    """Run up to `steps` in all, from the last checkpoint."""
    lessons = read_lessons(folder, device)
    run = Run(new_networks(all_captions()), device, pose)
    began, losses = time.monotonic(), []
    while run.step < steps:
        rng = torch.Generator().manual_seed(run.step)
        draw = np.random.default_rng((11, run.step))
        chosen = draw.choice(len(lessons.weights), BATCH, p=lessons.weights)
        with torch.autocast(device, torch.bfloat16):
            loss = guess_noise(run.networks, lessons, chosen, rng, pose)
        run.learn(loss)
        losses.append(loss.item())
        if run.step % 50 == 0:
            pace = (time.monotonic() - began) / (run.step - run.started)
            print(f"step {run.step} loss {np.mean(losses[-50:]):.4f} {pace:.2f} s/step", flush=True)
        if run.step % 200 == 0 or run.step == steps:
            run.save()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RUNS / "plates")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--pose", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    wanted = parser.parse_args()
    train(wanted.data, wanted.steps, wanted.pose, wanted.device)

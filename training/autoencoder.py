"""Train the mini set's autoencoder: 256 x 320 sRGB to 8 latent channels at 1/8 of the size.

    python -m training.autoencoder --steps 4000      # resumes from the last checkpoint

Reads `runs/mini/pictures.npy` (`training.data`), writes `runs/mini/autoencoder.pt` and a log line every
50 steps. On a shared machine run it with `OMP_NUM_THREADS=1`: two threads wait for each other.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor

from pipelines.arrays import Pixels
from training.networks import new_autoencoder

RUNS = Path("runs/mini")
CHECKPOINT = RUNS / "autoencoder.pt"
CROP, BATCH, RATE, WARM_STEPS = 128, 6, 8e-4, 100
KL_WEIGHT = 3e-4  # 2e-3 blurred faces in a trial
RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)
COLOUR_WEIGHT = 4.0  # without it colours lag thousands of steps behind structure


def crops(pictures: Pixels, rng: np.random.Generator, batch: int = BATCH) -> Tensor:
    """Random square crops, half of them flipped: float32 (batch, 3, 128, 128) in -1..1."""
    height, width = pictures.shape[1:3]
    cut = []
    for index in rng.integers(len(pictures), size=batch):
        y, x = rng.integers(height - CROP + 1), rng.integers(width - CROP + 1)
        crop = pictures[index, y : y + CROP, x : x + CROP]
        cut.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    pixels = torch.from_numpy(np.ascontiguousarray(np.stack(cut)))
    return recoloured(pixels.permute(0, 3, 1, 2).float() / 255, rng) * 2 - 1


def recoloured(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn the hue and stretch the chroma of half of the crops: float32 (batch, 3, h, w) in 0..1.

    The portraits hold skin, suits and flags; without this the latents forgot green altogether.
    """
    turned = []
    for crop in pixels:
        angle, chroma = (
            (rng.uniform(-math.pi, math.pi), rng.uniform(0.5, 2)) if rng.random() < 0.5 else (0, 1)
        )
        c, s = chroma * math.cos(angle), chroma * math.sin(angle)
        turn = torch.from_numpy(
            YIQ_TO_RGB @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ RGB_TO_YIQ
        ).float()
        turned.append(torch.einsum("ij,jhw->ihw", turn, crop))
    return torch.stack(turned).clamp(0, 1)


def picture_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """L1 and gradients over a three-level pyramid, squared error, and colour at low frequency."""
    loss = F.mse_loss(drawn, wanted) * 2
    for level in range(3):
        a, b = (F.avg_pool2d(x, 2**level) if level else x for x in (drawn, wanted))
        loss = loss + F.l1_loss(a, b)
        loss = loss + F.l1_loss(a.diff(dim=2), b.diff(dim=2)) + F.l1_loss(a.diff(dim=3), b.diff(dim=3))
    return loss + COLOUR_WEIGHT * F.l1_loss(F.avg_pool2d(drawn, 4), F.avg_pool2d(wanted, 4))


def learning_rate(step: int, steps: int) -> float:
    """Warm up, hold, and fall to nothing over the last third (so a run can be prolonged)."""
    fall = min(1.0, (steps - step) / (steps / 3))
    return RATE * min(1.0, (step + 1) / WARM_STEPS) * (0.02 + 0.98 * math.sin(fall * math.pi / 2))


class Run:
    """Weights and optimiser: what a checkpoint holds."""

    def __init__(self, device: str) -> None:
        self.device, self.step = device, 0
        self.model = new_autoencoder().to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4
        )
        if CHECKPOINT.exists():
            saved = torch.load(CHECKPOINT, map_location=device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.step = saved["step"]
            if "optimizer" in saved:
                self.optimizer.load_state_dict(saved["optimizer"])

    def learn(self, wanted: Tensor, rate: float) -> tuple[float, float]:
        """One step; returns the loss and the PSNR in dB."""
        self.optimizer.param_groups[0]["lr"] = rate
        with torch.autocast(self.device, torch.bfloat16):
            latents = self.model.encode(wanted).latent_dist
            drawn = self.model.decode(latents.sample()).sample
        drawn = drawn.float()
        loss = picture_loss(drawn, wanted) + KL_WEIGHT * latents.kl().mean() / latents.mean[0].numel()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return loss.item(), -10 * math.log10(F.mse_loss(drawn.detach(), wanted).item() / 4)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"step": self.step}
        unfinished = CHECKPOINT.with_suffix(".new")
        torch.save(state, unfinished)
        unfinished.replace(CHECKPOINT)


def train(steps: int, device: str, pictures_file: Path) -> None:
    """Run up to `steps` in all, from the last checkpoint."""
    pictures = np.load(pictures_file, mmap_mode="r")
    run = Run(device)
    began, started = time.monotonic(), run.step
    while run.step < steps:
        rng = np.random.default_rng((7, run.step))
        torch.manual_seed(run.step)
        loss, psnr = run.learn(crops(pictures, rng).to(device), learning_rate(run.step, steps))
        if run.step % 50 == 0:
            pace = (time.monotonic() - began) / (run.step - started)
            print(f"step {run.step} loss {loss:.4f} psnr {psnr:.2f} dB {pace:.2f} s/step", flush=True)
        if run.step % 200 == 0 or run.step == steps:
            run.save()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pictures", type=Path, default=RUNS / "pictures.npy")
    wanted = parser.parse_args()
    train(wanted.steps, wanted.device, wanted.pictures)

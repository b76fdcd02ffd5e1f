"""Teach the decoder alone texture and detail; the latents, and so the denoiser, stay what they were.

    python -m training.polish --steps 4600            # after `training.redrawn`; goes on after a stop

Two crops of a batch come fresh from the encoder, half of them recoloured; four are of plates that the
denoiser redrew (`redrawn.pt`), mostly of faces. A redrawn plate differs a little from its photograph, and a
decoder paid by the pixel would answer with blur: those crops count a quarter by the pixel, and in full by how
*much* fine detail there is and by the patch discriminator.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor

from pipelines.arrays import Pixels
from training.autoencoder import CROP, RUNS, crops, picture_loss
from training.networks import new_autoencoder
from training.texture import Texture

CHECKPOINT = RUNS / "polish.pt"
FRESH, REDRAWN = 2, 4  # crops of a batch
RATE, WARM_STEPS, AVERAGE = 2e-4, 50, 0.99  # a longer average is softer than what it averages
FINE_WEIGHT, REDRAWN_WEIGHT, DETAIL_WEIGHT, GRID_WEIGHT = 0.25, 0.25, 4.0, 120.0
FACES = 0.7  # of the redrawn crops; the others lie anywhere
FACE_AT = ((5, 18), (4, 13))  # rows and columns, in latents, where a crop with most of a face begins
NEAR = (4, 2)  # detail of each scale is compared over squares of 8 px


def structure_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """The autoencoder's loss at half the size, little at full size: an edge off by a pixel may stay sharp."""
    halved = (F.avg_pool2d(one, 2) for one in (drawn, wanted))
    return picture_loss(*halved) + FINE_WEIGHT * F.l1_loss(drawn, wanted)


def luma(pictures: Tensor) -> Tensor:
    """(n, 3, h, w) to (n, 1, h, w)."""
    return (pictures * pictures.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def detail(pictures: Tensor) -> list[Tensor]:
    """How much there is across, down and diagonally at two scales (Haar): log of the power over squares.

    Of the luma; below a grey value or so it counts as none. It says how much, not where: the same grain
    shifted by two pixels counts as the same.
    """
    found, rest = [], luma(pictures)
    for side in NEAR:
        a, b = rest[..., ::2, ::2], rest[..., ::2, 1::2]
        c, d = rest[..., 1::2, ::2], rest[..., 1::2, 1::2]
        for band in (a - b + c - d, a + b - c - d, a - b - c + d):
            found.append((F.avg_pool2d((band / 4) ** 2, side) + 5e-5).log() / 2)
        rest = (a + b + c + d) / 4
    return found


def grid(pictures: Tensor) -> Tensor:
    """What repeats with the latents, every 8 px, in each square of 64: (n, h/64, 8, w/64, 8), 0 in nature."""
    grey = luma(pictures)
    fine = (grey - F.avg_pool2d(F.pad(grey, (1,) * 4, mode="reflect"), 3, stride=1)).squeeze(1)
    n, h, w = fine.shape
    return fine.reshape(n, h // 64, 8, 8, w // 64, 8, 8).mean(dim=(2, 5))


def detail_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """L1 between the amounts of detail, and between what repeats: a grid is the cheapest detail of all."""
    pairs = zip(detail(drawn), detail(wanted), strict=True)
    amount = torch.stack([F.l1_loss(a, b) for a, b in pairs]).mean()
    return DETAIL_WEIGHT * amount + GRID_WEIGHT * F.l1_loss(grid(drawn), grid(wanted))


class Plates:
    """Pictures, and what the denoiser made of their latents."""

    def __init__(self, folder: Path) -> None:
        self.pictures: Pixels = np.load(folder / "pictures.npy", mmap_mode="r")
        self.redrawn: Tensor = torch.load(folder / "redrawn.pt", weights_only=True)
        self.weights = np.array(json.loads((folder / "captions.json").read_text())["weights"])
        self.weights /= self.weights.sum()

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Redrawn latents (4, 8, 16, 16) and their photographs (4, 3, 128, 128) in -1..1."""
        rows, columns = (side - CROP // 8 for side in self.redrawn.shape[2:])
        latents, pixels = [], []
        for index in rng.choice(len(self.weights), REDRAWN, p=self.weights):
            within = FACE_AT if rng.random() < FACES else ((0, rows + 1), (0, columns + 1))
            y, x = (int(rng.integers(*bounds)) for bounds in within)
            latents.append(self.redrawn[index, :, y : y + CROP // 8, x : x + CROP // 8].float())
            cut = self.pictures[index, y * 8 : y * 8 + CROP, x * 8 : x * 8 + CROP]
            pixels.append(torch.from_numpy(np.array(cut)).permute(2, 0, 1).float() / 127.5 - 1)
        return torch.stack(latents), torch.stack(pixels)


class Run:
    """The decoder, its moving average, the discriminator and both optimisers."""

    def __init__(self, device: str) -> None:
        self.device, self.step = device, 0
        self.model = new_autoencoder().to(device).to(memory_format=torch.channels_last)
        trained = torch.load(RUNS / "autoencoder.pt", map_location=device, weights_only=True)["model"]
        self.model.load_state_dict(trained)
        self.trained = [*self.model.decoder.parameters(), *self.model.post_quant_conv.parameters()]
        self.optimizer = torch.optim.AdamW(self.trained, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
        self.texture = Texture(device)
        self.average = [p.detach().clone() for p in self.trained]
        if CHECKPOINT.exists():
            self._resume(torch.load(CHECKPOINT, map_location=device, weights_only=True))

    def _resume(self, saved: dict[str, Any]) -> None:
        self.step = saved["step"]
        self.average = list(saved["average"])
        with torch.no_grad():
            for parameter, value in zip(self.trained, saved["trained"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.texture.load_state_dict(saved["texture"])

    def learn(self, fresh: Tensor, latents: Tensor, photographs: Tensor) -> dict[str, float]:
        """One step on `fresh` crops and on redrawn latents; the losses by name."""
        with torch.no_grad():
            encoded = self.model.encode(fresh).latent_dist.sample()
        drawn = self.model.decode(torch.cat([encoded, latents])).sample
        first, second = drawn.split([len(fresh), len(latents)])
        wanted = torch.cat([fresh, photographs])
        pixels = structure_loss(first, fresh) + REDRAWN_WEIGHT * structure_loss(second, photographs)
        amount = detail_loss(drawn, wanted)
        loss = pixels + amount + self.texture.loss(drawn, wanted)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.texture.learn(drawn, wanted)
        self.step += 1
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, parameter in zip(self.average, self.trained, strict=True):
                kept.lerp_(parameter, 1 - keep)
        psnr = -10 * math.log10(F.mse_loss(first.detach(), fresh).item() / 4)
        return {"pixels": pixels.item(), "detail": amount.item(), "psnr": psnr}

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {"step": self.step, "average": self.average, "trained": [p.detach() for p in self.trained]}
        state |= {"optimizer": self.optimizer.state_dict(), "texture": self.texture.state_dict()}
        torch.save(state, CHECKPOINT.with_suffix(".new"))
        CHECKPOINT.with_suffix(".new").replace(CHECKPOINT)


def learning_rate(step: int, steps: int) -> float:
    """Warm up, hold, and fall to nothing over the last third."""
    fall = min(1.0, (steps - step) / (steps / 3))
    return RATE * min(1.0, (step + 1) / WARM_STEPS) * math.sin(fall * math.pi / 2)


def train(steps: int, device: str, folder: Path) -> None:
    """Run up to `steps` in all, from the last checkpoint."""
    plates, run, told = Plates(folder), Run(device), list[dict[str, float]]()
    began, started = time.monotonic(), run.step
    while run.step < steps:
        rng = np.random.default_rng((13, run.step))
        torch.manual_seed(run.step)
        fresh = crops(plates.pictures, rng, FRESH).to(device)
        latents, photographs = plates.draw(rng)
        run.optimizer.param_groups[0]["lr"] = learning_rate(run.step, steps)
        told.append(run.learn(fresh, latents.to(device), photographs.to(device)))
        if run.step % 50 == 0:
            pace = (time.monotonic() - began) / (run.step - started)
            last = {name: float(np.mean([one[name] for one in told[-50:]])) for name in told[0]}
            said = " ".join(f"{name} {value:.3f}" for name, value in last.items())
            print(f"step {run.step} {said} {pace:.2f} s/step", flush=True)
        if run.step % 200 == 0 or run.step == steps:
            run.save()


@torch.no_grad()
def polished(model: Any) -> Any:
    """The autoencoder with the polished decoder, where there is one; the same object."""
    if CHECKPOINT.exists():
        kept = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)["average"]
        trained = [*model.decoder.parameters(), *model.post_quant_conv.parameters()]
        for parameter, value in zip(trained, kept, strict=True):
            parameter.copy_(value)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    wanted = parser.parse_args()
    train(wanted.steps, wanted.device, RUNS / "plates")

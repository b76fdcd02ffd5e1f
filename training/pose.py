"""Train the ControlNet alone, at the noise at which a plate no longer tells the pose.

    python -m training.pose --steps 1500            # after the U-Net; goes on after a stop

Beside the U-Net, at the levels that portraits usually start from, it learnt next to nothing: the plate's
latents say where the eyes are. So here the U-Net is frozen, noise is heavy, and what lies along the pose
map's lines counts more. Its zero convolutions, which let nothing through at first, learn faster.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from numpy.typing import NDArray
from torch import Tensor

from training.denoiser import ALPHAS, RUNS, Lessons, learning_rate, read_lessons
from training.export import trained_networks
from training.networks import TIME_IDS, MiniNetworks

CHECKPOINT = RUNS / "pose.pt"
BATCH, RATE, GATE_RATE, AVERAGE = 8, 4e-4, 2e-3, 0.995
LEVELS = (400, 1000)
ALONG = 4.0  # how much more a latent counts that a line of the pose map touches
GATES = ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding")


def weights_along(maps: Tensor) -> Tensor:
    """What counts more: (n, 3, H, W) pose maps to (n, 1, H/8, W/8), mean 1 a map."""
    touched = F.max_pool2d(maps.amax(dim=1, keepdim=True), 24, stride=8, padding=8) > 0.2
    weights = 1 + ALONG * touched.float()
    return weights / weights.mean(dim=(1, 2, 3), keepdim=True)


def loss_of(
    networks: MiniNetworks, lessons: Lessons, chosen: NDArray[np.int64], rng: torch.Generator
) -> Tensor:
    """Squared error of the guessed noise, more of it along the lines."""
    if lessons.poses is None:
        raise FileNotFoundError("poses.npy is missing. Run python -m training.data.")
    device = next(networks.unet.parameters()).device
    x = lessons.latents[chosen].float().to(device)
    level = torch.randint(*LEVELS, (BATCH,), generator=rng).to(device)
    noise = torch.randn(x.shape, generator=rng).to(device)
    kept = ALPHAS.to(device)[level].view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1 - kept).sqrt() * noise
    with torch.no_grad():
        states, pooled = networks.encode([lessons.captions[index] for index in lessons.caption_of[chosen]])
    added = {"text_embeds": pooled, "time_ids": torch.tensor(TIME_IDS, device=device).expand(BATCH, 6)}
    maps = torch.from_numpy(np.array(lessons.poses[chosen])).permute(0, 3, 1, 2).float().to(device) / 255
    down, mid = networks.controlnet(noisy, level, states, maps, added_cond_kwargs=added, return_dict=False)
    guessed = networks.unet(
        noisy,
        level,
        states,
        added_cond_kwargs=added,
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample
    loss: Tensor = (weights_along(maps) * (guessed - noise) ** 2).mean()
    return loss


class Run:
    """The ControlNet, its moving average and the optimiser: what a checkpoint holds."""

    def __init__(self, device: str) -> None:
        self.networks, self.step = trained_networks(), 0
        for part in self.networks.modules().values():
            part.to(device).to(memory_format=torch.channels_last).requires_grad_(False)
        self.model = self.networks.controlnet.requires_grad_(True).train()
        named = list(self.model.named_parameters())
        gates = [parameter for name, parameter in named if name.startswith(GATES)]
        others = [parameter for name, parameter in named if not name.startswith(GATES)]
        self.optimizer = torch.optim.AdamW(
            [{"params": gates}, {"params": others}], lr=RATE, betas=(0.9, 0.99), weight_decay=1e-3
        )
        self.average = {key: value.detach().clone() for key, value in self.model.state_dict().items()}
        if CHECKPOINT.exists():
            self._resume(torch.load(CHECKPOINT, map_location=device, weights_only=True))

    def _resume(self, saved: dict[str, Any]) -> None:
        self.step, self.average = saved["step"], saved["average"]
        self.model.load_state_dict(saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])

    def learn(self, loss: Tensor, steps: int) -> None:
        """One step of the optimiser and of the moving average."""
        for group, highest in zip(self.optimizer.param_groups, (GATE_RATE, RATE), strict=True):
            group["lr"] = learning_rate(self.step, 0, steps, highest)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        for key, value in self.model.state_dict().items():
            self.average[key].lerp_(value.detach(), 1 - keep)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {"step": self.step, "average": self.average, "weights": self.model.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict()}
        torch.save(state, CHECKPOINT.with_suffix(".new"))
        CHECKPOINT.with_suffix(".new").replace(CHECKPOINT)


def train(folder: Path, steps: int, device: str) -> None:
    """Run up to `steps` in all, from the last checkpoint."""
    lessons, run = read_lessons(folder, device), Run(device)
    began, started, losses = time.monotonic(), run.step, list[float]()
    while run.step < steps:
        rng = torch.Generator().manual_seed(run.step)
        draw = np.random.default_rng((17, run.step))
        chosen = draw.choice(len(lessons.weights), BATCH, p=lessons.weights)
        loss = loss_of(run.networks, lessons, chosen, rng)
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
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    wanted = parser.parse_args()
    train(wanted.data, wanted.steps, wanted.device)

"""Redraw every plate as the product will, so that the decoder learns from what the denoiser leaves behind.

    python -m training.redrawn            # after the denoiser; writes runs/mini/plates/redrawn.pt

A denoiser's last step goes to the mean of what it thinks possible: fine detail is gone before the decoder
sees it, and a decoder that learnt from clean latents alone passes the blur on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.denoiser import RUNS, latent_scale, read_lessons
from training.export import trained_networks
from training.networks import MiniNetworks, new_scheduler

STRENGTHS = (0.15, 0.15, 0.3, 0.15, 0.15, 0.45)  # in turn: mostly the set's own, some further up the ladder
STEPS, BATCH = 20, 16


@torch.no_grad()
def redrawn(
    networks: MiniNetworks, latents: Tensor, captions: list[str], poses: Tensor, strength: float, seed: int
) -> Tensor:
    """Latents (n, 8, h, w) of mean 0 and spread 1 after the last `strength` of 20 Euler steps."""
    device = next(networks.unet.parameters()).device
    scheduler = new_scheduler()
    scheduler.set_timesteps(STEPS, device=device)
    timesteps = scheduler.timesteps[-round(STEPS * strength) :]
    scheduler.set_begin_index(STEPS - len(timesteps))
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(device)
    x = scheduler.add_noise(latents.to(device), noise, timesteps[:1].repeat(len(latents)))
    states, pooled = networks.encode(captions)
    maps = poses.permute(0, 3, 1, 2).float().to(device) / 255
    for timestep in timesteps:
        seen = scheduler.scale_model_input(x, timestep)
        guessed = networks.guess(seen, timestep, states, pooled, maps)
        x = scheduler.step(guessed, timestep, x).prev_sample
    done: Tensor = x.cpu()
    return done


def write(folder: Path, device: str) -> None:
    """Redraw each plate of the folder once, in the autoencoder's own latents, as float16 (n, 8, 40, 32)."""
    if (folder / "redrawn.pt").exists():
        return
    lessons = read_lessons(folder, device)
    captions = json.loads((folder / "captions.json").read_text())["captions"]
    networks = trained_networks()
    for part in networks.modules().values():
        part.to(device).to(memory_format=torch.channels_last).eval()
    if lessons.poses is None:
        raise FileNotFoundError(f"{folder / 'poses.npy'} is missing. Run python -m training.data.")
    centre, spread = latent_scale(lessons.latents)
    made = torch.empty_like(lessons.latents)
    for turn, strength in enumerate(STRENGTHS):
        mine = np.arange(turn, len(made), len(STRENGTHS))
        for first in range(0, len(mine), BATCH):
            these = mine[first : first + BATCH]
            poses = torch.from_numpy(np.array(lessons.poses[these]))
            said = [captions[index] for index in these]
            drawn = redrawn(networks, lessons.latents[these].float(), said, poses, strength, int(these[0]))
            made[these] = (drawn * spread + centre).half()
        print(f"every {len(STRENGTHS)}th plate redrawn at {strength}", flush=True)
    torch.save(made, folder / "redrawn.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    write(RUNS / "plates", parser.parse_args().device)

"""How the small set is made: what must be exact before hours are spent on it."""

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Rendering
from pipelines.draw.machine import WEIGHTS
from pipelines.draw.model_set import read_model_sets
from pipelines.draw.preview import to_tensor
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from training.autoencoder import picture_loss, recoloured
from training.data import SHARP_SCALE, all_captions, band_weights, bands, scales, split
from training.denoiser import BATCH, SOFT_FROM, learning_rate, noise_levels
from training.export import standardised
from training.networks import (
    TOKENS,
    kept_tokenizers,
    new_autoencoder,
    new_networks,
    new_tokenizer,
    start_pose_from_unet,
)
from training.polish import detail, detail_loss, grid
from training.redrawn import redrawn
from training.restart import restart, shipped_networks
from training.selection import FRAMED, another_face, framed

pytestmark = pytest.mark.draws


def tokenizers() -> tuple[CLIPTokenizer, CLIPTokenizer]:
    captions = all_captions()
    return new_tokenizer(captions, "<|endoftext|>"), new_tokenizer(captions, "!")


def test_standardised_latents_have_mean_0_and_spread_1_and_decode_to_the_same_picture() -> None:
    torch.manual_seed(0)
    model = new_autoencoder().eval()
    pictures = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = model.encode(pictures).latent_dist
        drawn = model.decode(before.mean).sample
        centre, spread = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        after = standardised(model, centre, spread).encode(pictures).latent_dist
        again = model.decode(after.mean).sample
    assert torch.allclose(after.mean.mean((0, 2, 3)), torch.zeros(8), atol=1e-4)
    assert torch.allclose(after.mean.std((0, 2, 3)), torch.ones(8), atol=1e-4)
    assert torch.allclose(after.std, before.std / spread.view(1, -1, 1, 1), rtol=1e-3)
    assert torch.allclose(again, drawn, atol=1e-4)


def test_each_word_of_a_caption_is_one_token() -> None:
    captions = all_captions()
    tokenizer = new_tokenizer(captions, "<|endoftext|>")
    for caption in captions:
        assert tokenizer.tokenize(caption) == [
            f"{piece}</w>" for piece in caption.replace(",", " ,").split()
        ], caption


def test_unknown_words_are_spelt_out_and_the_end_has_the_highest_id() -> None:
    tokenizer = new_tokenizer(all_captions(), "!")
    ids = tokenizer("a zebra").input_ids
    assert len(ids) > 4 and ids[-1] == max(ids) == len(tokenizer) - 1


def test_captions_become_states_and_a_pooled_vector_that_differ_by_caption() -> None:
    torch.manual_seed(0)
    networks = new_networks(*tokenizers())
    with torch.no_grad():
        states, pooled = networks.encode(all_captions()[:2])
    assert states.shape == (2, TOKENS, 128) and pooled.shape == (2, 64)
    assert not torch.allclose(states[0], states[1]) and not torch.allclose(pooled[0], pooled[1])


def test_the_pose_network_starts_as_the_unets_encoder_and_changes_nothing() -> None:
    torch.manual_seed(0)
    networks = new_networks(*tokenizers())
    start_pose_from_unet(networks)
    assert torch.equal(networks.controlnet.conv_in.weight, networks.unet.conv_in.weight)
    states = torch.rand(1, TOKENS, 128)
    added = {"text_embeds": torch.rand(1, 64), "time_ids": torch.zeros(1, 6)}
    with torch.no_grad():
        down, middle = networks.controlnet(
            torch.rand(1, 8, 40, 32),
            10,
            states,
            torch.rand(1, 3, 320, 256),
            added_cond_kwargs=added,
            return_dict=False,
        )
    assert not middle.any() and not any(part.any() for part in down)


def test_recolouring_keeps_the_brightness_of_what_it_turns() -> None:
    crops = torch.rand(40, 3, 16, 16) * 0.2 + 0.4
    turned = recoloured(crops, np.random.default_rng(0))
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert torch.allclose((turned * luma).sum(1), (crops * luma).sum(1), atol=2e-3)
    assert (turned - crops).abs().amax((1, 2, 3)).gt(0.01).sum() in range(10, 31)


def test_the_picture_loss_is_0_for_the_same_picture_and_notices_a_colour_cast() -> None:
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    assert picture_loss(picture, picture).item() == 0
    warm = picture + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)
    assert picture_loss(warm, picture).item() > 0.3


def test_no_sitter_is_both_learnt_from_and_held_out(portraits: Path) -> None:
    learn, held = split(portraits)
    assert not set(learn) & set(held) and len(held) >= 60
    with (portraits / "pairs.csv").open() as rows:
        pairs = [row.split(",")[:2] for row in rows]
    assert not [
        pair
        for pair in pairs
        if (pair[0] in learn and pair[1] in held) or (pair[1] in learn and pair[0] in held)
    ]


def test_each_band_of_skin_tone_weighs_alike_and_soft_pictures_half_as_much(portraits: Path) -> None:
    learn, _ = split(portraits)
    weights, of, scale = np.array(band_weights(portraits, learn)), bands(portraits, learn), scales(portraits)
    assert np.allclose(np.bincount(of, weights), 1 / 3)
    soft = np.array([scale[file] < SHARP_SCALE for file in learn])
    for band in range(3):
        assert np.allclose(weights[(of == band) & ~soft].max(), 2 * weights[(of == band) & soft].max())


def test_the_held_out_sitters_stay_those_of_the_first_training(portraits: Path) -> None:
    _, held = split(portraits)
    assert hashlib.sha256(" ".join(held).encode()).hexdigest()[:16] == "ff307987c3694ea0"


def test_a_print_in_a_frame_is_seen_and_a_plain_backdrop_is_none() -> None:
    plain = np.full((320, 256, 3), 90, np.uint8)
    printed = plain.copy()
    cv2.polylines(printed, [np.array([[20, 12], [236, 18], [230, 310], [14, 304]])], True, (230, 230, 230), 4)
    assert framed(plain) == 0 and framed(printed) > FRAMED


def test_somebody_beside_the_sitter_is_seen(astronaut: Photo, finder: FaceFinder) -> None:
    face = finder.find(astronaut)
    assert not another_face(face, finder)
    beside = np.hstack([astronaut.pixels, cv2.resize(astronaut.pixels, (300, 512))])
    assert another_face(replace(face, photo=Photo(beside)), finder)


def test_the_learning_rate_warms_up_and_falls_to_nothing_at_the_last_step() -> None:
    rates = [learning_rate(step, 3800, 4800, 3e-4) for step in range(3800, 4801)]
    assert rates[0] < 2e-5 and max(rates) > 2.8e-4 and rates[-1] == 0
    assert all(later <= earlier for earlier, later in pairwise(rates[200:]))


def test_soft_pictures_never_teach_detail() -> None:
    rng = torch.Generator().manual_seed(0)
    soft = torch.arange(BATCH) % 2 == 0
    levels = torch.stack([noise_levels(rng, soft) for _ in range(200)])
    assert levels[:, soft].min() >= SOFT_FROM and levels[:, ~soft].min() < 10
    assert levels.max() <= 999


def test_detail_is_counted_by_how_much_there_is_not_where() -> None:
    grain = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moved = grain.roll((2, 2), (2, 3))
    blurred = F.avg_pool2d(F.pad(grain, (1,) * 4, mode="reflect"), 3, stride=1)
    assert detail_loss(grain, grain).item() == 0
    finest, its_own = torch.stack(detail(blurred)[:3]), torch.stack(detail(grain)[:3])
    assert (finest - its_own).max() < -0.2  # in each square, by a fifth or more
    assert torch.allclose(torch.stack(detail(moved)[:3]).mean(), its_own.mean(), atol=0.02)
    assert F.l1_loss(moved, grain) > F.l1_loss(blurred, grain)  # by the pixel it is the other way round


def test_a_grid_is_no_detail() -> None:
    flat = torch.zeros(1, 3, 64, 64)
    squares = flat.clone()
    squares[..., ::2, ::2], squares[..., 1::2, 1::2] = 0.1, 0.1
    grain = 0.05 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    assert grid(squares).abs().mean() > 5 * grid(grain).abs().mean()


def test_a_plate_is_redrawn_as_the_product_draws_it(astronaut: Photo) -> None:
    generator = Generator(read_model_sets()["mini"], "cpu")
    pixels = np.asarray(cv2.resize(astronaut.pixels[:, 51:461], (256, 320)), np.uint8)
    control = np.zeros_like(pixels)
    cv2.circle(control, (128, 120), 20, (255, 0, 0), -1)
    request = DrawRequest(all_captions()[0], "", (control,), (), (pixels,), (7,), 0.0, 1.0)
    (drawn,) = [one.image for one in generator.draw(request) if isinstance(one, Rendering)]
    autoencoder = AutoencoderKL.from_pretrained(WEIGHTS / "mini" / "vae").float().eval()
    with torch.no_grad():
        latents = autoencoder.encode(to_tensor(pixels) * 2 - 1).latent_dist.mode()
        maps, strength = torch.from_numpy(control)[None], generator.model_set.strength or 0
        again = redrawn(shipped_networks(WEIGHTS / "mini"), latents, [request.prompt], maps, strength, 7)
        picture = (autoencoder.decode(again).sample[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(picture.clip(0, 255) - drawn).mean() < 1


def test_a_training_goes_on_from_the_shipped_weights(tmp_path: Path) -> None:
    restart(WEIGHTS / "mini", tmp_path, 3800)
    saved = torch.load(tmp_path / "denoiser.pt", weights_only=True)
    shipped = load_file(WEIGHTS / "mini" / "unet" / "diffusion_pytorch_model.safetensors")
    assert saved["step"] == 3800 and all(
        torch.equal(saved["average"][f"unet.{key}"].half(), value) for key, value in shipped.items()
    )
    kept = kept_tokenizers([], tmp_path)[0].get_vocab()
    assert kept == json.loads((WEIGHTS / "mini/tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    with pytest.raises(FileExistsError):
        restart(WEIGHTS / "mini", tmp_path, 3800)

"""Distorts glyphs while training, in the ways that real drawings differ from EMNIST's images.

Batched tensor code on the device of the images. All randomness comes from torch's global generator, which the
training loop seeds for each epoch.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate, max_pool2d, pad

# Control points of the smooth displacement, on each side of the plane.
_CONTROL = 5


def augment(glyphs: Tensor, untouched_share: float = 0.0) -> Tensor:
    """Distorts glyphs: place and shape, then width of the stroke, softness, contrast, damage.

    The shape of each image is changed with a strength of its own, evenly between none and full: a hundredth of a turn
    or a tenth of the width is what tells some look-alikes.

    Args:
        glyphs: uint8 (N, 28, 28), ink 255 on 0.
        untouched_share: The part of the images, chosen at random, that is given back as it is.

    Returns:
        As many glyphs, float32 (N, 28, 28), 0 to 255.
    """
    planes = glyphs.unsqueeze(1).to(torch.float32) / 255
    distorted = _damage(_tone(_soften(_stroke_width(_warp(planes)))))
    if untouched_share:
        distorted = torch.where(_chosen(planes, untouched_share), planes, distorted)
    return distorted.squeeze(1) * 255


def _uniform(like: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """Draws numbers for each image: float (N, *shape)."""
    return torch.empty(len(like), *shape, device=like.device).uniform_(low, high)


def _chosen(like: Tensor, share: float) -> Tensor:
    """Chooses a share of the images at random: bool (N, 1, 1, 1)."""
    return _uniform(like, 0, 1, 1, 1, 1) < share


def _warp(planes: Tensor) -> Tensor:
    """Rotates, slants, stretches, shifts, tilts and bends, in one resampling."""
    strength = _uniform(planes, 0, 1)
    # The plane is 2 units wide, so one pixel is 1/14.
    angle = _uniform(planes, -math.radians(16), math.radians(16)) * strength
    slant = _uniform(planes, -0.35, 0.35) * strength
    width = (_uniform(planes, -0.22, 0.22) * strength).exp()
    height = (_uniform(planes, -0.22, 0.22) * strength).exp()
    shift = _uniform(planes, -2.5 / 14, 2.5 / 14, 2) * strength[:, None]
    tilt = _uniform(planes, -0.12, 0.12, 2) * strength[:, None]
    bend = torch.randn(len(planes), 2, _CONTROL**2, device=planes.device) * (1.0 / 14) * strength[:, None, None]

    cos, sin = angle.cos(), angle.sin()
    to_source = torch.stack(
        [cos * width, (cos * slant - sin) * height, sin * width, (sin * slant + cos) * height], 1
    ).view(-1, 2, 2)
    plane, basis = _grid(planes.device)
    source = to_source @ plane + shift[:, :, None] + bend @ basis
    source = source / (1 + tilt[:, None, :] @ plane)
    grid = source.transpose(1, 2).view(-1, 28, 28, 2)
    return grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@functools.cache
def _grid(device: torch.device) -> tuple[Tensor, Tensor]:
    """Gives the places of the pixels, (2, 784), and what each control point adds to each pixel, (25, 784)."""
    centres = (torch.arange(28, device=device) + 0.5) / 14 - 1
    plane = torch.stack([centres.repeat(28), centres.repeat_interleave(28)])
    points = torch.eye(_CONTROL**2, device=device).view(-1, 1, _CONTROL, _CONTROL)
    basis = interpolate(points, size=(28, 28), mode="bicubic", align_corners=True).flatten(1)
    return plane, basis


def _stroke_width(planes: Tensor) -> Tensor:
    """Makes strokes up to about a pixel and a half thicker, or up to one thinner."""
    amount = _uniform(planes, -1, 1.0, 1, 1, 1) * _uniform(planes, 0, 1, 1, 1, 1).sqrt()
    grown = max_pool2d(planes, 3, 1, 1)
    # Thinning takes less: a stroke that is two pixels wide must not vanish.
    shrunk = -max_pool2d(-planes, 3, 1, 1)
    shrunk = torch.maximum(shrunk, 0.45 * planes)
    changed = torch.where(amount > 0, grown, shrunk)
    return torch.lerp(planes, changed, amount.abs())


def _soften(planes: Tensor) -> Tensor:
    """Blurs half of the images, some of them much."""
    amount = _uniform(planes, -1, 1, 1, 1, 1).clamp(min=0)
    blurred = avg_pool2d(pad(planes, (1, 1, 1, 1)), 3, 1)
    return torch.lerp(planes, blurred, amount)


def _tone(planes: Tensor) -> Tensor:
    """Changes contrast: steeper or flatter edges, paler ink."""
    gain = (_uniform(planes, -0.25, 0.6, 1, 1, 1)).exp()
    middle = _uniform(planes, 0.35, 0.6, 1, 1, 1)
    steeper = ((planes - middle) * gain + middle).clamp(0, 1) * (planes > 0.02)
    changed = torch.where(_chosen(planes, 0.5), steeper, planes)
    return changed * _uniform(planes, 0.85, 1.0, 1, 1, 1)


def _damage(planes: Tensor) -> Tensor:
    """Cuts a side off, wipes a patch out, adds noise: each in a few images."""
    rows = torch.arange(28, device=planes.device).view(1, 1, 28, 1)
    columns = rows.transpose(2, 3)
    # A strip as deep as the margin of a glyph and up to five pixels of ink.
    depth = _uniform(planes, 2, 7, 1, 1, 1) * _chosen(planes, 0.08)
    side = torch.randint(4, (len(planes), 1, 1, 1), device=planes.device)
    distance = torch.where(side < 2, rows, columns)
    distance = torch.where(side % 2 == 0, distance, 27 - distance)
    kept = distance >= depth
    top, left = _uniform(planes, 0, 22, 1, 1, 1), _uniform(planes, 0, 22, 1, 1, 1)
    size = _uniform(planes, 2, 7, 1, 1, 1) * _chosen(planes, 0.15)
    hole = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
    noise = torch.randn_like(planes) * (_uniform(planes, 0, 0.12, 1, 1, 1) * _chosen(planes, 0.15))
    return (planes * (kept & ~hole) + noise).clamp(0, 1)

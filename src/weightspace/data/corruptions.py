"""Fifteen common corruptions of small images at five severities, after Hendrycks and Dietterich (2019).

Written anew from the description, with the strengths that the authors give for CIFAR-10-C, so numbers compare within
this book and not digit by digit with those on their files. Where ours differs: frost is a drawn texture instead of
photographs, and blurs are cut off at the edge of the image by reflection.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTION_STREAM = 7

Floats = NDArray[np.floating]
"""Images ``[n, height, width, 3]`` with values from 0 to 1."""


def gaussian_noise(x: Floats, severity: int, rng: Generator) -> Floats:
    return x + rng.normal(0, (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1], x.shape)


def shot_noise(x: Floats, severity: int, rng: Generator) -> Floats:
    """Photons counted: Poisson(x c) / c."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    return rng.poisson(x * photons) / photons


def impulse_noise(x: Floats, severity: int, rng: Generator) -> Floats:
    """A share of the values is set to 0 or 1 with equal chance."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    u = rng.random(x.shape)
    return np.where(u < share / 2, 0, np.where(u < share, 1, x))


def defocus_blur(x: Floats, severity: int, rng: Generator) -> Floats:
    """A disk of the given radius with a softened edge, both in pixels."""
    radius, softening = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    reach = np.arange(-3, 4)
    disk = (np.hypot(*np.meshgrid(reach, reach)) <= radius).astype(float)
    disk = ndimage.gaussian_filter(disk / disk.sum(), softening, mode="constant")
    return _filtered(x, disk / disk.sum())


def glass_blur(x: Floats, severity: int, rng: Generator) -> Floats:
    """Pixels change places with a neighbour above, to the left or both, between two slight Gaussian blurs."""
    sigma, rounds = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[severity - 1]
    x = _gaussian_blur(x, sigma)
    n, height, width, _ = x.shape
    image = np.arange(n)
    for _ in range(rounds):
        for row in range(height - 2, 0, -1):
            for column in range(width - 2, 0, -1):
                up, left = rng.integers(0, 2, (2, n))
                neighbour = image, row - up, column - left
                x[neighbour], x[:, row, column] = x[:, row, column], x[neighbour]
    return _gaussian_blur(x, sigma)


def motion_blur(x: Floats, severity: int, rng: Generator) -> Floats:
    """A line of the given length, fading with the given sigma (pixels), at an angle of its own for each image."""
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    return np.stack([_filtered(image[None], _line(radius, sigma, rng.uniform(-45, 45)))[0] for image in x])


def zoom_blur(x: Floats, severity: int, rng: Generator) -> Floats:
    """The mean of the image and of its enlargements by up to 5, 10, 15, 20, 25 percent."""
    factors = np.arange(1, 1 + 0.05 * severity + 0.005, 0.01)
    return (x + sum(_enlarged(x, factor) for factor in factors)) / (1 + len(factors))


def snow(x: Floats, severity: int, rng: Generator) -> Floats:
    """Blown flakes before a whitened image."""
    mean, std, zoom, threshold, radius, sigma, kept = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    layers = rng.normal(mean, std, x.shape[:3])[..., None]
    layers = _enlarged(layers, zoom)
    layers = np.where(layers < threshold, 0, layers).clip(0, 1)
    flakes = np.stack([_filtered(layer[None], _line(radius, sigma, rng.uniform(-135, -45)))[0] for layer in layers])
    white = np.maximum(x, x.mean(axis=3, keepdims=True) * 1.5 + 0.5)
    return kept * x + (1 - kept) * white + flakes + flakes[:, ::-1, ::-1]


def frost(x: Floats, severity: int, rng: Generator) -> Floats:
    """A weighted sum of the image and of icy crystals: ridges of fractal noise, drawn here instead of photographs."""
    kept, ice = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity - 1]
    ridges = 1 - 2 * np.abs(_plasma(len(x), x.shape[1], 1.7, rng) - 0.5)
    tint = np.array([0.82, 0.92, 1.0])
    return kept * x + ice * ridges[..., None] * tint


def fog(x: Floats, severity: int, rng: Generator) -> Floats:
    """A cloud of fractal noise over the image, which keeps its brightest value."""
    thickness, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    cloud = _plasma(len(x), x.shape[1], decay, rng)[..., None]
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    return (x + thickness * cloud) * brightest / (brightest + thickness)


def brightness(x: Floats, severity: int, rng: Generator) -> Floats:
    """The value of HSV, the largest of the three colours, raised by a constant; hue and saturation stay."""
    value = x.max(axis=3, keepdims=True)
    raised = np.minimum(value + (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1], 1)
    return np.where(value > 0, x * raised / np.maximum(value, 1e-6), raised)


def contrast(x: Floats, severity: int, rng: Generator) -> Floats:
    """Differences from the mean of each colour, made smaller."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    return mean + (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1] * (x - mean)


def elastic_transform(x: Floats, severity: int, rng: Generator) -> Floats:
    """A random affine map of three points (shift in shares of the side), then smooth random displacements."""
    alpha, sigma, affine = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))[
        severity - 1
    ]
    side = x.shape[1]
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij")).astype(float)
    result = np.empty_like(x)
    corners = side / 2 + side / 3 * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    for k, image in enumerate(x):
        moved = corners + rng.uniform(-affine * side, affine * side, (3, 2))
        matrix = np.linalg.solve(np.c_[moved, np.ones(3)], corners)  # from the place seen to the place it comes from
        places = np.einsum("ab,bij->aij", matrix[:2].T, grid) + matrix[2][:, None, None]
        if alpha:
            shift = rng.uniform(-1, 1, (2, side, side))
            places += alpha * side * np.stack([ndimage.gaussian_filter(s, sigma * side, mode="reflect") for s in shift])
        for colour in range(3):
            result[k, ..., colour] = ndimage.map_coordinates(image[..., colour], places, order=1, mode="reflect")
    return result


def pixelate(x: Floats, severity: int, rng: Generator) -> Floats:
    """Made smaller and larger again, pixel by pixel."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]

    def squeezed(image: Image.Image) -> Image.Image:
        small = image.resize((int(image.width * share), int(image.height * share)), Image.Resampling.BOX)
        return small.resize(image.size, Image.Resampling.NEAREST)

    return _through_pillow(x, squeezed)


def jpeg_compression(x: Floats, severity: int, rng: Generator) -> Floats:
    quality = (80, 65, 58, 50, 40)[severity - 1]

    def stored(image: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        return Image.open(stream)

    return _through_pillow(x, stored)


CORRUPTIONS: dict[str, Callable[[Floats, int, Generator], Floats]] = {
    function.__name__: function
    for function in (
        gaussian_noise,
        shot_noise,
        impulse_noise,
        defocus_blur,
        glass_blur,
        motion_blur,
        zoom_blur,
        snow,
        frost,
        fog,
        brightness,
        contrast,
        elastic_transform,
        pixelate,
        jpeg_compression,
    )
}
"""By name, in the order of Hendrycks and Dietterich: noise, blur, weather, digital."""


def corrupt(images: NDArray[np.uint8], kind: str, severity: int, seed: int = 0) -> NDArray[np.uint8]:
    """The images ``[n, height, width, 3]`` corrupted, as bytes again; the same for the same seed.

    Hendrycks and Dietterich 2019, section 4. ``ValueError`` for an unknown kind, a severity that is not one of 1 to 5,
    or images of another type or shape (they must be square).
    """
    if kind not in CORRUPTIONS:
        raise ValueError(f"unknown corruption {kind!r}: use one of {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be one of 1 to 5, got {severity!r}")
    square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if images.dtype != np.uint8 or not square:
        raise ValueError(f"images must be uint8 [n, side, side, 3], got {images.dtype} {images.shape}")
    # The draws are the same for all severities of a kind, so that only the strength differs between them.
    rng = np.random.default_rng([seed, CORRUPTION_STREAM, list(CORRUPTIONS).index(kind)])
    corrupted = CORRUPTIONS[kind](images.astype(np.float32) / 255, severity, rng)
    return np.rint(255 * corrupted.clip(0, 1)).astype(np.uint8)


def _filtered(x: NDArray, kernel: NDArray) -> NDArray:
    return ndimage.convolve(x, kernel[None, :, :, None].astype(x.dtype), mode="reflect")


def _gaussian_blur(x: Floats, sigma: float) -> Floats:
    return ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="reflect")


def _line(radius: int, sigma: float, degrees: float) -> NDArray[np.float64]:
    """Weights exp(-t^2 / 2 sigma^2), t = 0 .. radius, along a ray from the middle, each shared by four pixels."""
    t = np.linspace(0, radius, 4 * radius + 1)
    weights = np.exp(-(t**2) / (2 * sigma**2))
    rows, columns = radius + t * np.sin(np.radians(degrees)), radius + t * np.cos(np.radians(degrees))
    kernel = np.zeros((2 * radius + 2, 2 * radius + 2))
    for down in (0, 1):
        for right in (0, 1):
            r, c = np.floor(rows).astype(int) + down, np.floor(columns).astype(int) + right
            np.add.at(kernel, (r, c), weights * (1 - np.abs(rows - r)) * (1 - np.abs(columns - c)))
    return kernel[:-1, :-1] / kernel[:-1, :-1].sum()


def _enlarged(x: NDArray, factor: float) -> NDArray:
    """The middle of the images enlarged to their size, linearly interpolated."""
    side = x.shape[1]
    places = (side - 1) / 2 + (np.arange(side) - (side - 1) / 2) / factor
    low = np.minimum(np.floor(places).astype(int), side - 2)
    share = (places - low).astype(x.dtype)
    rows = x[:, low] * (1 - share)[:, None, None] + x[:, low + 1] * share[:, None, None]
    return rows[:, :, low] * (1 - share)[:, None] + rows[:, :, low + 1] * share[:, None]


def _plasma(n: int, side: int, decay: float, rng: Generator) -> NDArray[np.float64]:
    """Fractal noise ``[n, side, side]`` from 0 to 1: octaves, each ``decay`` times weaker than the last."""
    result = np.zeros((n, side, side))
    cells, weight = 1, 1.0
    while cells <= side:
        corners = rng.uniform(-1, 1, (n, cells + 1, cells + 1))
        places = np.linspace(0, cells, side)
        low = np.minimum(np.floor(places).astype(int), cells - 1)
        share = places - low
        rows = corners[:, low] * (1 - share)[:, None] + corners[:, low + 1] * share[:, None]
        result += weight * (rows[:, :, low] * (1 - share) + rows[:, :, low + 1] * share)
        cells, weight = 2 * cells, weight / decay
    result -= result.min(axis=(1, 2), keepdims=True)
    return result / result.max(axis=(1, 2), keepdims=True)


def _through_pillow(x: Floats, change: Callable[[Image.Image], Image.Image]) -> Floats:
    pixels = np.rint(255 * x).astype(np.uint8)
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in pixels]).astype(np.float32) / 255

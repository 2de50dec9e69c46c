"""torchvision's elastic transform for many images at once, with the same random numbers.

Most of its time goes into blurring two fields of random displacements per image. Here one convolution has the fields
of many images as its channels, each with a filter of its own: then the processor's vector units take several fields at
a time, and every value is still the sum of the same products in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional as F
from torchvision.transforms import Compose, ElasticTransform, functional

AT_ONCE = 64

Transform = Callable[[Image.Image], Image.Image]


def parts(change: Transform) -> tuple[list[Transform], ElasticTransform, list[Transform]] | None:
    """What a composition does before its elastic transform, that transform, and what it does after; None if none."""
    steps = change.transforms if isinstance(change, Compose) else [change]
    for k, step in enumerate(steps):
        if isinstance(step, ElasticTransform):
            return steps[:k], step, steps[k + 1 :]
    return None


def changed(
    images: NDArray[np.uint8],
    seeds: Sequence[int],
    before: Sequence[Transform],
    elastic: ElasticTransform,
    after: Sequence[Transform],
    generator: Generator,
) -> Iterator[Image.Image]:
    """Each image of ``[n, height, width, 3]`` before, transformed and after, with the draws of its seed."""
    for begin in range(0, len(images), AT_ONCE):
        pictures, fields, states = [], [], []
        for image, seed in zip(images[begin : begin + AT_ONCE], seeds[begin : begin + AT_ONCE], strict=True):
            generator.manual_seed(seed)
            pictures.append(_applied(before, Image.fromarray(image)))
            fields.append(torch.rand(2, *image.shape[:2]) * 2 - 1)
            states.append(generator.get_state())
        for picture, field, state in zip(pictures, _displacements(torch.stack(fields), elastic), states, strict=True):
            moved = functional.elastic_transform(picture, field[None], elastic.interpolation, elastic.fill)
            generator.set_state(state)
            yield _applied(after, moved)


def _applied(steps: Sequence[Transform], image: Image.Image) -> Image.Image:
    return reduce(lambda x, step: step(x), steps, image)


def _displacements(fields: Tensor, elastic: ElasticTransform) -> Tensor:
    """Horizontal and vertical displacement per pixel, ``[n, height, width, 2]``, of draws ``[n, 2, height, width]``.

    In shares of the image's width and height. As ``ElasticTransform.get_params``; sigma is the same in both directions.
    """
    sigma = elastic.sigma[0]
    half = int(8 * sigma + 1) // 2
    kernel = torch.exp(-0.5 * (torch.linspace(-half, half, 2 * half + 1) / sigma).pow(2))
    kernel /= kernel.sum()
    channels = F.pad(fields, [half] * 4, mode="reflect").flatten(0, 1)[None]
    kernels = torch.outer(kernel, kernel).expand(channels.shape[1], 1, -1, -1)
    blurred = F.conv2d(channels, kernels, groups=channels.shape[1])[0].unflatten(0, (-1, 2)).permute(0, 2, 3, 1)
    return blurred * torch.tensor(elastic.alpha) / torch.tensor([fields.shape[3], fields.shape[2]])

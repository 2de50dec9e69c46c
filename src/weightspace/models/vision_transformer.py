"""A small vision transformer for images of 32x32, from scratch, with every matrix a layer of its own.

PyTorch's and timm's keep query, key and value in one matrix, of which the spectrum is that of three maps at once, and
apply dropout in more places than paper A's networks have it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weightspace.models.resnet import check_dropout

SIDE, COLOURS = 32, 3
WIDENING = 4
"""Hidden units of the perceptron of a block over its width."""
INITIAL_STD = 0.02


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V for each head, its outputs side by side, then a linear map; d = width / heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """x + dropout(attention(norm(x))), then the same with a perceptron of one hidden layer (GELU).

    The norms come first (Dosovitskiy et al. 2021, figure 1). Dropout acts on what is added to the residual stream, as
    in our fine-tuned transformers; attention weights and hidden units are not dropped.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, WIDENING * width), nn.Linear(WIDENING * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))


class VisionTransformer(nn.Module):
    """Logits ``[batch, classes]`` from images ``[batch, 3, 32, 32]`` (Dosovitskiy et al. 2021, without a class token).

    The image is cut into squares of ``patch`` pixels; the linear layer ``patches`` maps each to ``width`` numbers, to
    which a learned position is added; ``blocks`` blocks with ``heads`` heads follow, a last norm, the mean over the
    squares, and the linear layer ``fc``. dropout: of what each block adds, twice, and of what ``fc`` sees.

    Its weight matrices are those of the linear layers: ``patches``; query, key, value, out, up and down of every block;
    ``fc``. The positions, which multiply nothing, are no matrix in this sense. No batch norm stands behind a matrix, so
    that its scale belongs to the function. Initial values: N(0, 0.02^2), biases 0.

    ``ValueError`` for a patch that does not divide 32, heads that do not divide the width, or a dropout outside [0, 1).
    """

    def __init__(
        self, dropout: float = 0.0, width: int = 96, blocks: int = 6, heads: int = 3, patch: int = 4, classes: int = 10
    ) -> None:
        check_dropout(dropout)
        if SIDE % patch:
            raise ValueError(f"patch must divide the side of the image, {SIDE}, got {patch}")
        if width % heads:
            raise ValueError(f"heads must divide the width, {width}, got {heads}")
        super().__init__()
        self.patch = patch
        self.patches = nn.Linear(COLOURS * patch**2, width)
        self.positions = nn.Parameter(torch.zeros((SIDE // patch) ** 2, width))
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, classes)
        nn.init.normal_(self.positions, std=INITIAL_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INITIAL_STD)
                nn.init.zeros_(module.bias)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, ``[batch, width]``: the mean over the squares of the image."""
        squares = F.unfold(x.contiguous(), self.patch, stride=self.patch).transpose(1, 2)
        return self.norm(self.blocks(self.patches(squares) + self.positions)).mean(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.features(x)))

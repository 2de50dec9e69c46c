"""The network of paper A's from-scratch experiment: a ResNet-18 for small images, with dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = 4
BLOCKS_PER_STAGE = 2


def check_dropout(dropout: float) -> None:
    """``ValueError`` for a share outside [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")


class ResidualBlock(nn.Module):
    """y = dropout(relu(F(x) + shortcut(x))), F = two 3x3 convolutions with batch norm (He et al. 2016, figure 5 left).

    The shortcut is a 1x1 convolution with batch norm where the shape changes. Dropout follows the addition, as in
    paper A; before or after the ReLU is the same, because its factors are not negative.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        # In place: batch norm keeps its input, not its output, so the ReLU may overwrite what it gets.
        h = torch.relu_(self.bn1(self.conv1(x)))
        return self.dropout(torch.relu_(self.bn2(self.conv2(h)) + self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18 for images of 32x32: logits ``[batch, classes]`` from images ``[batch, 3, height, width]``.

    As in paper A's from-scratch experiment: a 3x3 stem of stride 1 with a 3x3 max pool of stride 2 behind it, dropout
    after each residual addition and before ``fc``. width: channels of the first stage, 64 in the paper, doubled by
    each later stage; a multiple of 8, because oneDNN's kernels for AVX2 write beyond their buffers where 1x1
    convolutions have fewer channels (PyTorch 2.12, channels_last). Layers are named as in torchvision, initial values
    are drawn as there: N(0, 2 / (outputs k^2)) for convolutions, PyTorch's default for ``fc``. ``ValueError`` for a
    dropout outside [0, 1) or another width.
    """

    def __init__(self, dropout: float = 0.0, width: int = 64, classes: int = 10) -> None:
        check_dropout(dropout)
        if width < 8 or width % 8:
            raise ValueError(f"width must be a multiple of 8, got {width}")
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = width
        for stage in range(STAGES):
            outputs = width * 2**stage
            blocks = []
            for block in range(BLOCKS_PER_STAGE):
                blocks.append(ResidualBlock(channels, outputs, 2 if stage and not block else 1, dropout))
                channels = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, ``[batch, 8 width]``: the mean over the places of the last stage."""
        x = self.maxpool(torch.relu_(self.bn1(self.conv1(x))))
        for stage in range(STAGES):
            x = getattr(self, f"layer{stage + 1}")(x)
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.features(x)))

"""The vision transformer: against PyTorch's own blocks, where it drops, and which matrices it has."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from weightspace.models import VisionTransformer
from weightspace.models.vision_transformer import Block


def test_a_block_is_pytorchs_with_its_matrices_apart():
    """The same output as ``TransformerEncoderLayer`` of which query, key and value lie in one matrix."""
    ours = Block(12, 3, 0.0).eval()
    theirs = nn.TransformerEncoderLayer(12, 3, 48, 0.0, F.gelu, batch_first=True, norm_first=True).eval()
    attention = ours.attention
    qkv = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        for name in ("weight", "bias"):
            stacked = torch.cat([getattr(layer, name) for layer in qkv])
            getattr(theirs.self_attn, f"in_proj_{name}").copy_(stacked)
        for mine, other in (
            (attention.out, theirs.self_attn.out_proj),
            (ours.up, theirs.linear1),
            (ours.down, theirs.linear2),
        ):
            other.load_state_dict(mine.state_dict())
        for norm in (ours.norm1, ours.norm2):
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
        theirs.norm1.load_state_dict(ours.norm1.state_dict())
        theirs.norm2.load_state_dict(ours.norm2.state_dict())
        x = torch.randn(2, 5, 12)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_a_patch_is_a_square_of_the_image():
    """Against a convolution of the same stride, which is what the layer of the patches is."""
    model = VisionTransformer(width=12, blocks=1, heads=3, patch=8)
    seen = []
    model.patches.register_forward_hook(lambda *args: seen.append(args[2]))
    x = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    model(x)
    kernel = model.patches.weight.unflatten(1, (3, 8, 8))
    expected = F.conv2d(x, kernel, model.patches.bias, stride=8).flatten(2).transpose(1, 2)
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-5)


def test_without_positions_the_order_of_the_squares_is_nothing():
    model = VisionTransformer(width=12, blocks=2, heads=3, patch=16).eval()
    x = torch.randn(2, 3, 32, 32)
    swapped = x.roll(16, dims=3)
    assert not torch.allclose(model(x), model(swapped), atol=1e-6)
    nn.init.zeros_(model.positions)
    torch.testing.assert_close(model(x), model(swapped), rtol=1e-4, atol=1e-6)


def test_its_matrices_are_six_a_block_the_patches_and_the_classifier():
    model = VisionTransformer()
    names = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    block = {"attention.query", "attention.key", "attention.value", "attention.out", "up", "down"}
    assert names == {"patches", "fc"} | {f"blocks.{k}.{name}" for k in range(6) for name in block}
    # What is no matrix of a linear layer is a vector, or the table of positions.
    others = [p for name, p in model.named_parameters() if name.rpartition(".")[0] not in names]
    assert [p.shape for p in others if p.dim() > 1] == [(64, 96)]


def test_dropout_acts_on_what_is_added_and_before_the_last_layer():
    """With nearly everything dropped, what a block adds is nearly always nothing."""
    model = VisionTransformer(0.3, width=24, blocks=2, heads=3, patch=8).train()
    fractions = []
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda *args: fractions.append((args[2] == 0).float().mean().item()))
    torch.manual_seed(0)
    model(torch.randn(64, 3, 32, 32))
    assert len(fractions) == 2 * 2 + 1 and fractions == pytest.approx([0.3] * 5, abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"patch": 5}, "patch must divide"),
        ({"heads": 5}, "heads must divide"),
        ({"dropout": 1.0}, "dropout must be in"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(**sizes)

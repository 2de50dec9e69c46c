"""DualConv2d against the written-out rule, against DualLinear, and its limits."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weightspace import DualConv2d, DualLinear


def padded(x, layer):
    """The padded input, in numpy, from the arguments of the layer."""
    pads = layer.padding
    if pads == "valid":
        pads = (0, 0)
    if pads == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size)]
        pads = [(total // 2, total - total // 2) for total in totals]
    else:
        pads = [(p, p) for p in pads]
    mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.padding_mode]
    return np.pad(x, [(0, 0), (0, 0), *pads], mode=mode)


def written_out_gradients(layer, x, g):
    """The definition, patch by patch in numpy: sums of rate * (w - patch); with the stabilizer a mean per sample."""
    w1, w2 = layer.w1.detach().numpy(), layer.w2.detach().numpy()
    m = None if layer.m is None else layer.m.detach().numpy()
    grads = {"w1": np.zeros_like(w1), "w2": np.zeros_like(w2), "bias": g.sum((0, 2, 3))}
    if m is not None:
        grads["m"] = np.zeros_like(m)
    x = padded(x, layer)
    out_per_group, in_per_group = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
    for n, k in np.ndindex(g.shape[:2]):
        start = (k // out_per_group) * in_per_group
        addressed = np.count_nonzero(g[n, k])
        for i, j in np.ndindex(g.shape[2:]):
            gain = abs(g[n, k, i, j])
            if not gain:
                continue
            rows = slice(i * sh, i * sh + dh * (kh - 1) + 1, dh)
            columns = slice(j * sw, j * sw + dw * (kw - 1) + 1, dw)
            patch = x[n, start : start + in_per_group, rows, columns]
            rate = gain
            if m is not None:
                rate = min(1.0, 0.1 * gain / m[k]) / addressed
                grads["m"][k] += (m[k] - gain) / addressed
            name, w = ("w1", w1) if g[n, k, i, j] < 0 else ("w2", w2)
            grads[name][k] += rate * (w[k] - patch)
    return grads


def make_layer(*arguments, stabilizer=False, **options):
    torch.manual_seed(0)
    layer = DualConv2d(*arguments, stabilizer=stabilizer, dtype=torch.float64, **options)
    with torch.no_grad():
        layer.w2.normal_()
        if layer.bias is not None:
            layer.bias.normal_()
        if stabilizer:
            layer.m.uniform_(0.01, 2)
    return layer


CASES = {
    "plain": ((2, 3, 3), {}),
    "stride": ((2, 3, (3, 2)), {"stride": (2, 1), "padding": (1, 0)}),
    "stride leaves a rest": ((2, 2, 3), {"stride": 3, "padding": 1}),
    "dilation": ((2, 3, 3), {"dilation": (2, 1), "padding": 2}),
    "groups": ((4, 6, 3), {"groups": 2, "padding": 1, "stride": 2}),
    "depthwise": ((3, 6, 2), {"groups": 3, "dilation": 2}),
    "reflect": ((2, 3, 3), {"padding": (1, 2), "padding_mode": "reflect", "stride": 2}),
    "replicate": ((2, 3, 3), {"padding": 2, "padding_mode": "replicate", "dilation": 2}),
    "circular": ((2, 4, 3), {"padding": (2, 1), "padding_mode": "circular", "groups": 2}),
    "same": ((2, 3, (3, 4)), {"padding": "same", "dilation": (1, 1)}),
    "same, circular": ((2, 3, (2, 3)), {"padding": "same", "padding_mode": "circular", "bias": False}),
    "valid": ((2, 3, 2), {"padding": "valid"}),
}


UNEVEN = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
"""Raised by the plain layer."""


@UNEVEN
@pytest.mark.parametrize("stabilizer", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_the_definition(case, stabilizer):
    arguments, options = CASES[case]
    layer = make_layer(*arguments, stabilizer=stabilizer, **options)
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(2, layer.in_channels, 6, 7))).requires_grad_()
    plain, x_plain = layer.fold(), x.detach().clone().requires_grad_()
    z = layer(x)
    torch.testing.assert_close(z, plain(x_plain), rtol=0, atol=1e-13)
    g = rng.normal(size=tuple(z.shape))
    g[rng.random(g.shape) < 0.3] = 0
    g[0, 0] = 0  # a neuron that a sample does not address at all
    z.backward(torch.from_numpy(g))
    plain(x_plain).backward(torch.from_numpy(g))
    torch.testing.assert_close(x.grad, x_plain.grad, rtol=0, atol=1e-12)
    expected = written_out_gradients(layer, x.detach().numpy(), g)
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(parameter.grad, expected[name], rtol=0, atol=1e-12, err_msg=name)


def test_the_step_is_that_of_the_plain_layer_plus_a_decay():
    layer = make_layer(3, 4, 3, padding=1, groups=1)
    plain = layer.fold()
    x, upper = torch.randn(2, 3, 5, 5, dtype=torch.float64), torch.randn(2, 4, 5, 5, dtype=torch.float64)
    layer(x).backward(upper)
    plain(x).backward(upper)
    p, q = ((sign * upper).clamp_min(0).sum((0, 2, 3)).view(-1, 1, 1, 1) for sign in (-1, 1))
    decay = p * layer.w1 - q * layer.w2
    torch.testing.assert_close(layer.w1.grad - layer.w2.grad, plain.weight.grad + decay, rtol=0, atol=1e-12)


@pytest.mark.parametrize("stabilizer", [False, True])
def test_one_position_is_the_linear_layer(stabilizer):
    conv = make_layer(3, 4, 2, stabilizer=stabilizer)
    linear = DualLinear(12, 4, stabilizer=stabilizer, dtype=torch.float64)
    linear.load_state_dict({name: p.reshape(linear.state_dict()[name].shape) for name, p in conv.state_dict().items()})
    x = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    upper = torch.randn(5, 4, dtype=torch.float64)
    upper[upper.abs() < 0.3] = 0
    conv(x).backward(upper[:, :, None, None])
    linear(x.flatten(1)).backward(upper)
    for a, b in zip(conv.parameters(), linear.parameters()):
        torch.testing.assert_close(a.grad.reshape(b.shape), b.grad, rtol=0, atol=1e-13)


def test_without_stabilizer_it_is_the_linear_layer_on_unfolded_patches():
    conv = make_layer(2, 4, 3, padding=1, stride=2)
    linear = DualLinear(18, 4, dtype=torch.float64)
    linear.load_state_dict({name: p.reshape(linear.state_dict()[name].shape) for name, p in conv.state_dict().items()})
    x = torch.randn(3, 2, 6, 5, dtype=torch.float64)
    z = conv(x)
    upper = torch.randn_like(z)
    z.backward(upper)
    patches = F.unfold(x, 3, padding=1, stride=2).transpose(1, 2)  # [batch, positions, patch]
    linear(patches).backward(upper.flatten(2).transpose(1, 2))
    for a, b in zip(conv.parameters(), linear.parameters()):
        torch.testing.assert_close(a.grad.reshape(b.shape), b.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_stabilized_sample_moves_weights_and_statistic_by_no_more_than_the_learning_rate(scale):
    # However many positions and however large the gradients: a convex combination of the old value and the inputs.
    layer = make_layer(2, 3, 3, padding=1, stabilizer=True)
    w1, m = layer.w1.detach().clone(), layer.m.detach().clone()
    x = torch.randn(1, 2, 20, 20, dtype=torch.float64)
    g = scale * torch.randn(1, 3, 20, 20, dtype=torch.float64)
    lr = 0.5
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    layer(x).backward(g)
    optimizer.step()
    patches = F.unfold(x, 3, padding=1)[0].T.reshape(-1, 1, 2, 3, 3)
    reach = (patches - w1).abs().amax(0)
    assert ((layer.w1 - w1).abs() <= lr * reach * (1 + 1e-9)).all()
    size = g.abs().mean((0, 2, 3))
    torch.testing.assert_close(layer.m.detach(), (1 - lr) * m + lr * size, rtol=1e-12, atol=0)


def test_the_other_weight_rests():
    layer = make_layer(2, 2, 3, stabilizer=True)
    before = layer.w2.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.randn(3, 2, 6, 6, dtype=torch.float64)).sum().neg().backward()  # every neuron is asked for more
    optimizer.step()
    assert torch.equal(layer.w2, before) and layer.w1.grad.any()


def test_images_without_a_batch_axis():
    layer = make_layer(2, 3, 3, padding=1, padding_mode="circular")
    x = torch.randn(2, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), layer.fold()(x), rtol=0, atol=1e-13)
    layer(x).sum().backward()
    one = copy.deepcopy(layer)
    one.zero_grad()
    one(x[None]).sum().backward()
    torch.testing.assert_close(layer.w2.grad, one.w2.grad, rtol=0, atol=0)


def test_channels_last_gives_the_same_gradients():
    layer = make_layer(4, 6, 3, padding=1, groups=2, stabilizer=True)
    twin = copy.deepcopy(layer).to(memory_format=torch.channels_last)
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    layer(x).pow(2).sum().backward()
    twin(x.to(memory_format=torch.channels_last)).pow(2).sum().backward()
    for p, q in zip(layer.parameters(), twin.parameters()):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-12, atol=1e-12)


@UNEVEN
@pytest.mark.parametrize("case", CASES)
def test_fold_and_back(case):
    arguments, options = CASES[case]
    layer = make_layer(*arguments, **options)
    plain = layer.fold()
    assert type(plain) is nn.Conv2d
    again = DualConv2d.from_conv2d(plain)
    x = torch.randn(2, layer.in_channels, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(again(x), plain(x), rtol=0, atol=0)
    assert torch.equal(again.w1, plain.weight) and not again.w2.any()
    assert again.extra_repr() == layer.extra_repr()


def test_he_draw():
    torch.manual_seed(4)
    layer = DualConv2d(32, 200, 5, groups=2, stabilizer=True)
    assert abs(layer.w1.std().item() / (2 / (16 * 25)) ** 0.5 - 1) < 0.02
    assert not layer.w2.any() and not layer.bias.any() and (layer.m == 1).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 3, 3), {}, "at least 1, got 0 and 3"),
        ((3, 4, 3), {"groups": 2}, "in_channels must be divisible by groups"),
        ((3, 4, 3), {"padding": "same", "stride": 2}, "strided"),
        ((3, 4, 3), {"padding_mode": "mirror"}, "padding_mode must be one of"),
    ],
)
def test_what_cannot_be_is_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        DualConv2d(*arguments, **options)

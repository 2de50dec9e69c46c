"""Flow matching: the exact field of a Gaussian, the solver's order, classes, and a small network that learns."""

import copy
import math

import pytest
import torch
from torch import nn

from weightspace.models.flow_matching import VelocityNetwork, flow_matching_loss, sample

MEAN, STD = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([0.3, 2.0, 1.0])
"""Of the target, independent along the axes; a class adds its number to the mean."""


def exact(x, t, labels):
    """E[x_1 - x_0 | x_t = x] = m + (t s^2 - (1 - t)) (x - t m) / ((1 - t)^2 + t^2 s^2) for data N(m, s^2)."""
    m, t = MEAN + labels[:, None], t[:, None]
    return m + (t * STD**2 - (1 - t)) * (x - t * m) / ((1 - t) ** 2 + t**2 * STD**2)


def target(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    return MEAN + labels[:, None] + STD * torch.randn(n, 3, generator=generator), labels


def test_the_loss_of_the_exact_field_is_what_noise_and_data_leave_open():
    """Var(x_1 - x_0 | x_t) = s^2 / ((1 - t)^2 + t^2 s^2), over t its integral: pi s / 2."""
    x1, labels = target(200_000)
    loss = flow_matching_loss(exact, x1, labels, torch.Generator().manual_seed(1))
    assert loss.item() == pytest.approx((math.pi * STD / 2).mean().item(), rel=0.01)


def test_every_other_field_has_a_larger_loss():
    x1, labels = target(20_000)
    least = flow_matching_loss(exact, x1, labels, torch.Generator().manual_seed(1))
    others = [
        lambda x, t, y: exact(x, t, y) + 0.2,
        lambda x, t, y: 1.2 * exact(x, t, y),
        lambda x, t, y: exact(x, 1 - t, y),
        lambda x, t, y: exact(x, t, torch.zeros_like(y)),
    ]
    for other in others:
        assert flow_matching_loss(other, x1, labels, torch.Generator().manual_seed(1)) > least + 0.02


def test_the_loss_repeats_for_the_same_draws():
    x1, labels = target(100)
    first, again, other = (
        flow_matching_loss(exact, x1, labels, torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_samples_of_the_exact_field_are_the_noise_moved_and_stretched():
    """The flow of this field is x_t = t m + sqrt((1 - t)^2 + t^2 s^2) x_0: at the end m + s x_0, point by point."""
    noise = torch.randn(500, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    labels = torch.arange(500) % 3
    truth = MEAN + labels[:, None] + STD * noise
    errors = [(sample(exact, noise, labels, steps) - truth).abs().max().item() for steps in (20, 40, 80)]
    assert errors[2] < 5e-3
    # Heun's method has order 2: half the step, a quarter of the error.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2) and errors[1] / errors[2] == pytest.approx(4, rel=0.2)


def test_mean_and_covariance_of_a_correlated_gaussian():
    """With the field m + (t S - (1 - t) I) ((1 - t)^2 I + t^2 S)^-1 (x - t m), for S that is not diagonal."""
    S = torch.tensor([[2.0, 0.9], [0.9, 0.5]], dtype=torch.float64)
    m, unit = torch.tensor([1.0, -3.0], dtype=torch.float64), torch.eye(2, dtype=torch.float64)

    def field(x, t, labels):
        t = t[0].double()
        return m + (x - t * m) @ torch.linalg.solve((1 - t) ** 2 * unit + t**2 * S, t * S - (1 - t) * unit)

    noise = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = sample(field, noise, torch.zeros(len(noise), dtype=torch.long), 25)
    torch.testing.assert_close(x.mean(dim=0), m, atol=0.03, rtol=0)
    torch.testing.assert_close(x.T.cov(), S, atol=0.05, rtol=0)


def test_a_straight_field_needs_one_step():
    noise = torch.randn(10, 2)
    labels = torch.arange(10) % 2
    moved = sample(lambda x, t, y: (3.0 + y)[:, None].expand_as(x), noise, labels, 1)
    torch.testing.assert_close(moved, noise + 3 + labels[:, None])


def test_no_step_is_an_error():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        sample(exact, torch.zeros(1, 3), torch.zeros(1), 0)


def trained(model, draw, steps, lr):
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(steps):
        x1, labels = draw(generator)
        optimizer.zero_grad()
        flow_matching_loss(model, x1, labels, generator).backward()
        optimizer.step()
    return model.eval()


def test_a_mixture_is_learned_class_by_class():
    """Two points of spread 0.2 per class: samples of a class lie at its own points, half of them at each."""
    centres = torch.tensor([[[2.0, 2.0], [-2.0, -2.0]], [[2.0, -2.0], [-2.0, 2.0]]])

    def draw(generator, n=256):
        labels, side = torch.randint(0, 2, (2, n), generator=generator)
        return centres[labels, side] + 0.2 * torch.randn(n, 2, generator=generator), labels

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

        def forward(self, x, t, labels):
            return self.layers(torch.cat([x, t[:, None], nn.functional.one_hot(labels, 2)], dim=1))

    torch.manual_seed(0)
    model = trained(Field(), draw, 300, 1e-2)
    labels = torch.arange(400) % 2
    x = sample(model, torch.randn(400, 2, generator=torch.Generator().manual_seed(1)), labels, 20)
    distances = (x[:, None] - centres[labels]).norm(dim=2)
    assert (distances.min(dim=1).values < 0.8).float().mean() > 0.95
    assert 0.35 < distances.argmin(dim=1).float().mean() < 0.65


@pytest.fixture
def network():
    torch.manual_seed(0)
    return VelocityNetwork(1, [8, 16], classes=3)


def test_an_untrained_network_moves_nothing(network):
    noise = torch.randn(2, 1, 8, 8)
    assert torch.equal(sample(network, noise, torch.tensor([0, 2]), 3), noise)


def test_a_network_learns_brightness_and_pattern_of_a_class():
    """Images that are dark, bright, or dark above and bright below, with a little noise."""
    patterns = torch.zeros(3, 1, 8, 8)
    patterns[0], patterns[1], patterns[2, :, :4], patterns[2, :, 4:] = -0.8, 0.8, -0.8, 0.8

    def draw(generator, n=16):
        labels = torch.randint(0, 3, (n,), generator=generator)
        return patterns[labels] + 0.05 * torch.randn(n, 1, 8, 8, generator=generator), labels

    torch.manual_seed(0)
    model = trained(VelocityNetwork(1, [8, 16], classes=3), draw, 120, 1e-2)
    labels = torch.arange(12) % 3
    x = sample(model, torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(1)), labels, 10)
    assert (x - patterns[labels]).abs().mean() < 0.25


def test_time_and_class_reach_the_output(network):
    for parameter in network.parameters():  # away from zero, where nothing reaches it
        nn.init.normal_(parameter, std=0.1)
    x, t, labels = torch.randn(1, 1, 8, 8), torch.tensor([0.3]), torch.tensor([0])
    here = network(x, t, labels)
    assert here.shape == x.shape
    assert not torch.allclose(here, network(x, t + 0.1, labels)) and not torch.allclose(here, network(x, t, labels + 1))


def test_attention_without_preferences_adds_the_mean_over_all_places(network):
    attention, x = copy.deepcopy(network.attention), torch.randn(3, 16, 4, 4)
    nn.init.zeros_(attention.queries_keys_values.weight)
    nn.init.zeros_(attention.queries_keys_values.bias)
    with torch.no_grad():
        attention.queries_keys_values.weight[32:, :, 0, 0] = torch.eye(16)  # the values: what is attended to
        attention.out.weight[:, :, 0, 0] = torch.eye(16)
        expected = x + attention.norm(x).mean(dim=(2, 3), keepdim=True)
        torch.testing.assert_close(attention(x), expected)
        # With strong preferences for what is like itself every place finds its own values.
        attention.queries_keys_values.weight[:16, :, 0, 0] = attention.queries_keys_values.weight[16:32, :, 0, 0] = (
            40 * torch.eye(16)
        )
        found = attention(x) - x
    values = attention.norm(x)
    own = (found[..., None, None] - values[:, :, None, None]).norm(dim=1).flatten(3).argmin(dim=3).flatten(1)
    assert (own == torch.arange(16)).float().mean() > 0.8


def test_bad_sizes_are_named(network):
    with pytest.raises(ValueError, match="multiples of 8, got \\[12\\]"):
        VelocityNetwork(1, [12])
    with pytest.raises(ValueError, match="a side of 7 cannot be halved 1 times"):
        network(torch.zeros(1, 1, 7, 7), torch.zeros(1), torch.zeros(1, dtype=torch.long))

"""Training: each regularizer acts as it should, seeds give the same start and order, runs repeat."""

import numpy as np
import pytest
import torch
from torch import nn

from weightspace.models import ResNet18
from weightspace.training.trainer import Recipe, Trainer, initialized, loss_and_accuracy, reset_batch_norm, to_inputs


@pytest.fixture(scope="module")
def data():
    """Images the class of which is their colour and brightness, so that little training suffices."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 192)
    x = 30 + 20 * y[:, None, None, None] + rng.integers(-15, 16, (192, 32, 32, 3))
    x[..., 1] = 255 - x[..., 1]
    return x.astype(np.uint8), y


def trainer(dropout=0.0, weight_decay=0.0, seed=0, optimizer="adam", lr=3e-3):
    model = initialized(lambda: ResNet18(dropout, width=8), seed)
    return Trainer(model, Recipe(optimizer, lr, 32, weight_decay), seed)


def weights(run):
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def test_it_learns(data):
    run = trainer()
    first = run.train_epoch(*data, epoch=1)
    for epoch in range(2, 7):
        last = run.train_epoch(*data, epoch=epoch)
    assert last[0] < 0.7 * first[0] and last[1] > first[1] + 0.2
    loss, accuracy = loss_and_accuracy(run.logits(data[0]), data[1])
    assert accuracy > 0.3 and np.isfinite(loss)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data):
    runs = [trainer(dropout=0.3, seed=seed) for seed in (0, 0, 1)]
    torch.manual_seed(5)
    for run in runs:
        run.train_epoch(*data, epoch=1)
        torch.rand(3)  # draws of others between and around epochs change nothing
        run.train_epoch(*data, epoch=2)
    assert torch.equal(weights(runs[0]), weights(runs[1]))
    assert not torch.equal(weights(runs[0]), weights(runs[2]))


def test_settings_of_a_seed_start_from_the_same_weights():
    torch.manual_seed(1)
    first = weights(trainer(dropout=0.7))
    torch.manual_seed(2)
    assert torch.equal(first, weights(trainer(weight_decay=0.1, optimizer="sgd")))
    assert not torch.equal(first, weights(trainer(seed=1)))


def test_settings_of_a_seed_see_the_same_images_in_the_same_order(data):
    seen = []
    for run in (trainer(), trainer(dropout=0.5, weight_decay=1e-2), trainer(seed=1)):
        inputs = []
        run.model.conv1.register_forward_pre_hook(lambda _, args, to=inputs: to.append(args[0].clone()))
        run.train_epoch(*data, epoch=1)
        run.train_epoch(*data, epoch=2)
        seen.append(torch.cat(inputs))
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0][:192], seen[0][192:])  # another order in the next epoch
    shown = seen[0][:192].flatten(1).sum(dim=1).sort().values
    every = to_inputs(torch.from_numpy(data[0])).flatten(1).sum(dim=1).sort().values
    torch.testing.assert_close(shown, every)  # each image once


def test_inputs_are_scored_by_the_known_mean_and_spread():
    x = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)
    expected = [(0 - 0.4914) / 0.2470, (128 / 255 - 0.4822) / 0.2435, (1 - 0.4465) / 0.2616]
    np.testing.assert_allclose(to_inputs(x).flatten(), expected, rtol=1e-5)


def test_dropout_raises_the_loss_while_training_and_is_off_in_tests(data):
    losses = [trainer(dropout=p).train_epoch(*data, epoch=1)[0] for p in (0.0, 0.3, 0.7)]
    assert losses[0] < losses[1] < losses[2]
    plain, dropped = trainer(), trainer(dropout=0.7)
    np.testing.assert_array_equal(plain.logits(data[0]), dropped.logits(data[0]))  # same weights, no mask in tests
    np.testing.assert_array_equal(dropped.logits(data[0]), dropped.logits(data[0]))


@pytest.mark.parametrize("decay", [1e-5, 5e-3])
def test_weight_decay_adds_its_share_of_the_weights_to_the_gradient(decay):
    """One step of SGD without momentum yet: w' - w = -lr (g + decay w), so two decays differ by lr decay w."""
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
    after = []
    for strength in (0.0, decay):
        run = trainer(weight_decay=strength, optimizer="sgd", lr=1.0)
        run.model.double()
        before = weights(run)
        nn.functional.cross_entropy(run.model(x.double()), y).backward()
        run.optimizer.step()
        after.append(weights(run))
    torch.testing.assert_close(after[0] - after[1], decay * before, rtol=1e-6, atol=1e-12)


def test_weight_decay_shrinks_the_weights_of_a_trained_network(data):
    norms = []
    for decay in (0.0, 5e-3, 0.1):
        run = trainer(weight_decay=decay)
        for epoch in (1, 2):
            run.train_epoch(*data, epoch=epoch)
        norms.append(weights(run).square().sum().item())
    assert norms[0] > norms[1] > norms[2]


def test_loss_and_accuracy():
    loss, accuracy = loss_and_accuracy(np.log(np.array([[0.5, 0.5], [0.2, 0.8]], np.float32)), np.array([1, 1]))
    assert loss == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2) and accuracy == 0.5


class Bag(nn.Module):
    """The mean of the embeddings of a text's words (0 is padding), and a linear layer."""

    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(20, 8, padding_idx=0), nn.Linear(8, 2)

    def features(self, tokens):
        return self.words(tokens).sum(dim=1) / (tokens > 0).sum(dim=1, keepdim=True)

    def forward(self, tokens):
        return self.head(self.features(tokens))


def test_texts_go_through_the_same_loop():
    """``prepare`` sees the rows as they are stored, in batches; the class is whether word 1 occurs."""
    rng = np.random.default_rng(0)
    texts = rng.integers(2, 20, (320, 6))
    texts[:, 4:] *= rng.integers(0, 2, (320, 1))
    labels = np.arange(320) % 2
    texts[labels == 1, 0] = 1
    seen = []

    def prepare(rows):
        seen.append(rows)
        return rows.long()

    run = Trainer(initialized(Bag, 0), Recipe("adam", 0.05, 32), 0, prepare=prepare)
    for epoch in range(1, 11):
        run.train_epoch(texts.astype(np.int16), labels, epoch)
    assert len(seen) == 100 and seen[0].shape == (32, 6) and seen[0].dtype == torch.int16
    assert loss_and_accuracy(run.logits(texts), labels)[1] > 0.95
    assert run.features(texts).shape == (320, 8)


def test_a_frozen_layer_stays_as_it_is_even_with_weight_decay():
    run = initialized(Bag, 0)
    run.words.requires_grad_(False)
    start = [run.words.weight.clone(), run.head.weight.clone()]
    texts = np.random.default_rng(0).integers(1, 20, (64, 6))
    trained = Trainer(run, Recipe("sgd", 0.1, 32, weight_decay=0.1), 0, prepare=lambda rows: rows)
    trained.train_epoch(texts, texts[:, 0] % 2, epoch=1)
    assert torch.equal(run.words.weight, start[0]) and not torch.equal(run.head.weight, start[1])
    assert sum(len(group["params"]) for group in trained.optimizer.param_groups) == 2


def test_bad_input(data):
    with pytest.raises(ValueError, match="10 samples are less than one batch of 32"):
        trainer().train_epoch(data[0][:10], data[1][:10], 1)
    with pytest.raises(ValueError, match="unknown optimizer 'lion': use sgd, adam or adamw"):
        trainer(optimizer="lion")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_same_seed_gives_the_same_weights(data):
    runs = []
    for _ in range(2):
        model = initialized(lambda: ResNet18(0.3, width=16), 0)
        run = Trainer(model, Recipe("adam", 3e-3, 32), 0, "cuda")
        assert np.isfinite(run.train_epoch(*data, epoch=1)[0])
        runs.append(weights(run))
    assert torch.equal(*runs)


def test_batch_norm_is_reset_to_the_statistics_of_the_samples():
    """One batch: mean and unbiased variance of what the layer sees, and weights untouched."""
    model = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(48, 2)
    )
    run = Trainer(model, Recipe("sgd", 0.1, 8), 0)
    rng = np.random.default_rng(0)
    dark, bright = (rng.integers(low, low + 60, (64, 4, 4, 3), dtype=np.uint8) for low in (0, 190))
    run.train_epoch(dark, rng.integers(0, 2, 64), 1)
    weights = [p.clone() for p in model.parameters()]
    reset_batch_norm(run, bright)
    seen = to_inputs(torch.from_numpy(bright))
    torch.testing.assert_close(model[0].running_mean, seen.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(model[0].running_var, seen.var(dim=(0, 2, 3)))
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters()))
    assert model[0].momentum == 0.1 and not model.training


def test_new_statistics_with_dropout_depend_on_the_seed_alone(data):
    found = []
    for draws in (0, 1):
        torch.manual_seed(draws)  # of the process, which is not the run's
        run = trainer(dropout=0.5)
        reset_batch_norm(run, data[0])
        found.append(run.logits(data[0][:8]))
        assert torch.initial_seed() == draws
    np.testing.assert_array_equal(*found)

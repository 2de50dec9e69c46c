"""The stack of small networks of ``networks`` on a GPU: all runs in lockstep, many updates per launch.

One update is a chain of tiny products, and a GPU that is asked for one operation at a time waits for the asking. The
samples of the next updates are known beforehand, though, so the work is done in blocks of ``BLOCK`` updates. In a
block the first layer, which holds nearly all weights, needs only its products with the samples x_1, x_2, ... of that
block:

    w = kept * w_start + sum_j coefficient_j x_j,      w.x_k = kept * w_start.x_k + sum_j coefficient_j x_j.x_k,

with w_start the weights at the start of the block. A decay by (1 - d) multiplies kept and the coefficients, a step
along x_k is coefficient_k. All w_start.x_k and x_j.x_k of a block come from two batched matrix products, and a third
carries the coefficients back to the weights. What remains is small enough that one kernel takes a run through the
whole block without leaving the processor (``triton_kernel``). It is the same computation, not an
approximation. The numbers stay in the type of the networks: sums over one block do not cancel as those over a whole
training do, and nothing underflows that would not do so in the weights themselves.

``block.train_block`` is that kernel in plain PyTorch: it runs on any device, the tests hold it to the compiled loops of
``networks``, and it is used where layers are too wide for the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weightspace import devices
from weightspace.dual.methods import Method
from weightspace.training.online.block import BLOCK, Block, Rules, State, train_block
from weightspace.training.online.networks import OnlineNetworks

_TEST_CHUNK = 4096


class TorchOnlineNetworks(OnlineNetworks):
    """``OnlineNetworks`` that train and predict on a device of PyTorch.

    The state lies in main memory as that of ``OnlineNetworks`` does, and is on the device during a call. Weights that
    decay are not set to zero before they become subnormal numbers, because a GPU is no slower on those.

    Results agree with ``OnlineNetworks`` up to rounding, so float32 products must not be lowered to TF32; PyTorch does
    that only where it is told to.

    device: ``"cuda"``, or ``"cpu"`` to test the same code without a GPU. Raises ``ValueError`` where there is no such
    device. All else is as for ``OnlineNetworks``.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        methods: Sequence[str | Method],
        seeds: Sequence[int],
        *,
        device: str = "cuda",
        **options: Any,
    ) -> None:
        super().__init__(sizes, methods, seeds, **options)
        devices.device_name(device)  # raises where there is none
        self.device = torch.device(device)

    def train(self, x: np.ndarray, y: np.ndarray, order: np.ndarray) -> None:
        """As ``OnlineNetworks.train``."""
        samples, answers, drawn = map(self._to_device, self._seen(x, y, order))
        first, *upper = self._weights()
        both = first.flatten(1, 2)  # a view: all units of w1, then all of w2
        state = State(upper, self._to_device(self.bias), self._to_device(self.m))
        rules = self._rules()
        weights, shifts = self._to_device(self.class_weights), self._to_device(self.logit_shifts)
        train_block = self._block_trainer()
        for chosen, gain in zip(drawn.split(BLOCK, dim=1), self._gains(drawn.shape[1])):
            inputs, answer = samples[chosen], answers[chosen]
            block = Block(
                start=(inputs @ both.mT).unflatten(2, (2, -1)),
                gram=inputs @ inputs.mT,
                gain=gain,
                answer=answer,
                weight=weights if self.task == "regression" else weights.gather(1, answer),
                shifts=shifts,
                norm_squared=torch.linalg.vector_norm(first[:, 0], dim=(1, 2), dtype=torch.float64) ** 2,
            )
            kept, coefficients = train_block(state, rules, block)
            first *= kept[..., None]
            both.baddbmm_(coefficients.flatten(1, 2), inputs)
        self._keep([first, *upper], state)
        self.updates += drawn.shape[1]

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=self.device)

    def _slices(self) -> Iterator[tuple[slice, int, int]]:
        """Per layer: where its weights lie, its fan_out, its fan_in."""
        begin = 0
        for fan_in, fan_out in zip(self.sizes[:-1].tolist(), self.sizes[1:].tolist()):
            yield slice(begin, begin + fan_in * fan_out), fan_out, fan_in
            begin += fan_in * fan_out

    def _weights(self) -> list[Tensor]:
        """w1 and w2 of every layer on the device, ``[runs, 2, out, in]``."""
        return [
            self._to_device(np.stack([self.w1[:, own], self.w2[:, own]], axis=1)).unflatten(2, (fan_out, fan_in))
            for own, fan_out, fan_in in self._slices()
        ]

    def _keep(self, weights: list[Tensor], state: State) -> None:
        """Back to main memory."""
        for (own, _, _), layer in zip(self._slices(), weights):
            self.w1[:, own], self.w2[:, own] = layer.flatten(2).cpu().numpy().swapaxes(0, 1)
        self.bias[:] = state.bias.cpu()
        self.m[:] = state.m.cpu()

    def _rules(self) -> Rules:
        lr, l2, squared = (self.settings[name].astype(self.dtype) for name in ("lr", "l2", "squared"))
        return Rules(
            *map(
                self._to_device,
                (
                    lr,
                    self.settings["dual"],
                    self.settings["stabilizer"],
                    2 * l2 * lr * squared,
                    l2 * lr * (1 - squared),
                ),
            )
        )

    def _block_trainer(self) -> Callable[[State, Rules, Block], tuple[Tensor, Tensor]]:
        if self.device.type == "cuda":
            from weightspace.training.online import triton_kernel  # Triton comes with PyTorch where that can use a GPU

            if triton_kernel.fits(self.sizes.tolist()):
                return triton_kernel.train_block
        return train_block

    def _gains(self, updates: int) -> Iterator[Tensor]:
        """``Block.gain`` of one block after the other."""
        n_hidden = int(self.sizes[1:-1].sum())
        rate = self._to_device(self.settings["dropout"].astype(self.dtype))[:, None]
        seeds = self._to_device(self.seeds)[:, None]
        for begin in range(0, updates, BLOCK):
            here = min(BLOCK, updates - begin)
            gain = (1 / (1 - rate)).repeat(1, here * n_hidden)
            if self.settings["dropout"].any():
                counter = (self.updates + begin) * n_hidden
                counters = torch.arange(counter, counter + here * n_hidden, device=self.device)
                gain[uniform(seeds, counters) < rate] = 0
            yield gain.unflatten(1, (here, n_hidden))

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        z = np.empty((len(self), len(x), int(self.sizes[-1])), self.dtype)
        for chunk, part in self._chunks_of_outputs(x):
            z[:, chunk] = part.cpu()
        return z

    def sample_scores(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """As ``OnlineNetworks.sample_scores``; the outputs, ten times as many, stay on the device."""
        x, y = self._check(x, y)
        scores = np.empty((len(self), len(x)), self.dtype)
        answer = self._to_device(y)
        for chunk, z in self._chunks_of_outputs(x):
            regression = self.task == "regression"
            scores[:, chunk] = ((z[..., 0] - answer[chunk]) ** 2 if regression else z.argmax(2) == answer[chunk]).cpu()
        return scores

    def _chunks_of_outputs(self, x: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
        first, *upper = [layer[:, 0] - layer[:, 1] for layer in self._weights()]
        first_bias, *biases = self._to_device(self.bias).split(self.sizes[1:].tolist(), dim=1)
        for begin in range(0, len(x), _TEST_CHUNK):
            chunk = slice(begin, begin + _TEST_CHUNK)
            # The first layers of all runs make one wide matrix product: they read the same inputs.
            h = F.linear(self._to_device(x[chunk]), first.flatten(0, 1), first_bias.flatten())
            h = h.unflatten(1, (len(self), -1)).transpose(0, 1)
            for weight, bias in zip(upper, biases):
                h = torch.baddbmm(bias[:, None], h.relu(), weight.mT)
            yield chunk, h


def uniform(seeds: Tensor, counters: Tensor) -> Tensor:
    """``compiled.uniform``, float64, for int64 tensors: products wrap around as those of uint64 do."""
    z = seeds * _signed(0xD1342543DE82EF95) + (counters + 1) * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    z = z ^ _shifted(z, 31)
    return _shifted(z, 11).double() * 2.0**-53


def _signed(number: int) -> int:
    """The int64 of the same bits as a uint64."""
    return number - (number >> 63 << 64)


def _shifted(z: Tensor, by: int) -> Tensor:
    """z >> by of an unsigned number: the copies of the sign that come in at the top are taken away."""
    return (z >> by) & ((1 << (64 - by)) - 1)

"""Fine-tuning pretrained networks of paper A against a plain loop over a DataLoader. A part of `benchmarks/run.py`."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from training import PlainImages, in_turns, plain_epoch

from weightspace import devices
from weightspace.experiments.diversity import text_settings, transfer
from weightspace.experiments.diversity.compute.text_runs import as_they_are
from weightspace.models import image_inputs, pretrained, tokenize
from weightspace.models.pretrained import PADDING, Classifier, vocabulary
from weightspace.training.trainer import Recipe, Trainer, initialized

ROUNDS = 5
SCALE = {"cpu": "laptop", "cuda": "paper"}
NUMBER = {"cpu": 256, "cuda": 4096}
BATCH = 32


class PlainTexts(Dataset):
    """Texts with labels, turned into tokens one by one when they are asked for, all of the full length."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray, length: int) -> None:
        self.texts, self.labels, self.length = texts, labels, length

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, k: int) -> tuple[Tensor, int]:
        return torch.from_numpy(tokenize([self.texts[k]], self.length)[0]), int(self.labels[k])


class PlainTextClassifier(nn.Module):
    """The same network on whole batches, padding included."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, tokens: Tensor) -> Tensor:
        mask = tokens != PADDING
        states = self.classifier.encoder.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        mean = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return self.classifier.fc(self.classifier.dropout(mean))


def texts_of_noise(number: int, rng: np.random.Generator) -> list[str]:
    """Words of the vocabulary at random, 5 to 40 in a text, about as many as in a tweet."""
    words = [word for word in vocabulary() if word.isascii() and word.isalpha()]
    return [" ".join(rng.choice(words, rng.integers(5, 41))) for _ in range(number)]


def plain_loop(model: nn.Module, data: Dataset, device: str) -> Callable[[int], object]:
    """One epoch of the plain loop."""
    model = model.to(device, memory_format=torch.contiguous_format)
    optimizer = Adam(model.parameters(), 1e-5)
    loader = DataLoader(data, BATCH, shuffle=True, drop_last=True)
    return lambda epoch: plain_epoch(model, optimizer, loader, device)


def loops(device: str, number: int, resolution: int, length: int) -> dict[str, dict[str, Callable[[int], object]]]:
    """Network -> loop -> one epoch of it; ours first. The loops of a network start from the same weights."""
    rng = np.random.default_rng(0)
    recipe = Recipe("adam", 1e-5, BATCH)
    images, classes = rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, number)
    plain_images = PlainImages(images, classes)
    plain_images.transform = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize(resolution),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    texts, labels = texts_of_noise(number, rng), rng.integers(0, 2, number)
    tokens = tokenize(texts, length)
    on_images, on_texts = (
        [initialized(lambda: pretrained(name, outputs), 0) for _ in range(2)]
        for name, outputs in (("efficientnet_lite0", 10), ("minilm_l6", 2))
    )
    tuned_images = Trainer(on_images[0], recipe, 0, device, image_inputs("efficientnet_lite0", resolution))
    tuned_texts = Trainer(on_texts[0], recipe, 0, device, as_they_are)
    return {
        f"EfficientNet-Lite0, {resolution} px": {
            "weightspace": lambda epoch: tuned_images.train_epoch(images, classes, epoch),
            "DataLoader": plain_loop(on_images[1], plain_images, device),
        },
        f"MiniLM-L6, up to {length} tokens": {
            "weightspace": lambda epoch: tuned_texts.train_epoch(tokens, labels, epoch),
            "DataLoader": plain_loop(PlainTextClassifier(on_texts[1]), PlainTexts(texts, labels, length), device),
        },
    }


def finetuning(
    device: str = "cpu", number: int | None = None, resolution: int | None = None, rounds: int = ROUNDS
) -> None:
    """Whole epochs of fine-tuning in turns, medians of the rounds after one to warm up and compile."""
    print("\n## Fine-tuning\n")
    if device == "cuda" and not torch.cuda.is_available():
        print("Skipped: no CUDA device.")
        return
    scale, number = SCALE[device], number or NUMBER[device]
    resolution = resolution or int(transfer.SIZES[scale]["resolution"])
    print(
        f"{devices.device_name(device)}, {torch.get_num_threads()} threads of PyTorch; Adam, batches of {BATCH}, "
        f"{number:,} examples of noise per epoch.\n"
    )
    print("| network | loop | examples/s | ours faster by |")
    print("| --- | --- | ---: | ---: |")
    found = loops(device, number, resolution, int(text_settings.SIZES[scale]["length"]))
    for network, calls in found.items():
        for name, (spent, ratio) in in_turns(calls, rounds, device).items():
            speed = number // BATCH * BATCH / spent
            print(f"| {network} | {name} | {speed:,.0f} | {ratio:.2f}x |", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    on_device = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of the GPU" if device == "cuda" else ""
    print(f"\nMost memory used by all of it: {memory:.1f} GiB{on_device}.")

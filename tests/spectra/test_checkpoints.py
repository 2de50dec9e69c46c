"""What people have, opened: every form of checkpoint gives the numbers that were put into it."""

import copy
import json
import pickle
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from weightspace import spectral_report
from weightspace.__main__ import main
from weightspace.spectra.checkpoints import named_weights
from weightspace.spectra.matrices import layer_matrices
from weightspace.spectra.report import layer_spectra


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Names and shapes as in a small transformer."""
    torch.manual_seed(0)
    return {
        "model.embed_tokens.weight": torch.randn(30, 12),
        "model.layers.0.mlp.up_proj.weight": torch.randn(20, 12).bfloat16(),
        "model.layers.0.conv.weight": torch.randn(8, 4, 3, 3),
        "model.norm.weight": torch.ones(12),
        "step": torch.tensor(3),
    }


def same(found, expected) -> None:
    assert {*found} == {*expected}
    for name, tensor in expected.items():
        assert found[name].shape == tuple(tensor.shape), name
        if tensor.dim():
            assert found[name].dtype == tensor.dtype, name
            np.testing.assert_array_equal(found[name], tensor.double(), err_msg=name)
            np.testing.assert_array_equal(found[name].read(slice(2, 5)).double(), tensor[2:5].double(), err_msg=name)


def shards(folder: Path, state, ending: str, save) -> Path:
    """As transformers writes them: two shards and an index."""
    stem = "model" if ending == "safetensors" else "pytorch_model"
    files = [f"{stem}-0000{number}-of-00002.{ending}" for number in (1, 2)]
    names = list(state)
    for number, file in enumerate(files):
        save({name: state[name] for name in names[number::2]}, folder / file)
    index = folder / f"{stem}.{ending}.index.json"
    index.write_text(json.dumps({"weight_map": {name: files[k % 2] for k, name in enumerate(names)}}))
    (folder / "config.json").write_text("{}")
    return index


@pytest.mark.parametrize(("ending", "save"), [("safetensors", save_file), ("bin", torch.save)])
def test_shards_of_hugging_face(tmp_path, state, ending, save):
    index = shards(tmp_path, state, ending, save)
    same(named_weights(index), state)
    same(named_weights(tmp_path), state)
    for found, expected in zip(layer_spectra(tmp_path), layer_spectra(state), strict=True):
        assert found.name == expected.name
        np.testing.assert_array_equal(found.eigenvalues, expected.eigenvalues)
    index.unlink()  # the shards say which they are of how many
    assert {*named_weights(tmp_path)} == {*state}
    shard = next(tmp_path.glob("*-00002-of*"))
    shard.unlink()
    with pytest.raises(FileNotFoundError, match="holds 1 of 00002 shards"):
        named_weights(tmp_path)
    index.write_text(json.dumps({"weight_map": {"x": shard.name}}))
    with pytest.raises(FileNotFoundError, match=f"names a shard that is not there: download .*{shard.name}"):
        named_weights(tmp_path)
    index.write_text(json.dumps({"weight_map": {"x": next(tmp_path.glob("*-00001-of*")).name}}))
    with pytest.raises(ValueError, match="names 'x', which .* does not hold"):
        named_weights(index)
    index.write_text("[]")
    with pytest.raises(ValueError, match="no index of shards"):
        named_weights(index)


def test_the_command_opens_folders_and_adapters_and_goes_on(tmp_path, state, capsys):
    shards(tmp_path, state, "safetensors", save_file)
    shard = next(tmp_path.glob("*-00002-of*"))
    before = shard.read_bytes()
    assert main(["spectra", str(tmp_path), "--out", str(shard)]) == 1
    assert "is the checkpoint itself" in capsys.readouterr().err and shard.read_bytes() == before
    kept = tmp_path / "spectra.jsonl"
    assert main(["spectra", str(tmp_path), "--out", str(tmp_path / "report.csv"), "--resume", str(kept)]) == 0
    printed = capsys.readouterr().out
    assert "model.layers.0.mlp.up_proj" in printed and len(kept.read_text().splitlines()) == 4
    change = {
        "layers.0.mlp.up_proj.lora_A.weight": numbers(4, 12),
        "layers.0.mlp.up_proj.lora_B.weight": numbers(20, 4),
    }
    folder = adapter(tmp_path / "adapter", {}, {f"model.{name}": tensor for name, tensor in change.items()})
    assert main(["spectra", str(folder), "--base", str(tmp_path), "--json"]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out) if "plus B A times 2" in row["unfolding"]]
    assert row["name"] == "model.layers.0.mlp.up_proj"


@pytest.mark.parametrize(("name", "save"), [("model.safetensors", save_file), ("pytorch_model.bin", torch.save)])
def test_a_folder_of_hugging_face(tmp_path, state, name, save):
    save(state, tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "training_args.bin").write_bytes(pickle.dumps(print))
    same(named_weights(tmp_path), state)


def test_folders_that_say_what_they_hold(tmp_path, state):
    with pytest.raises(ValueError, match=r"holds no checkpoint that is known here \(it holds nothing\)"):
        named_weights(tmp_path)
    save_file(state, tmp_path / "unet.safetensors")
    save_file(state, tmp_path / "vae.safetensors")
    with pytest.raises(ValueError, match=r"several checkpoints, unet\.safetensors, vae\.safetensors: give one of them"):
        named_weights(tmp_path)


def test_npz_and_npy(tmp_path):
    arrays = {"a.weight": np.random.default_rng(0).standard_normal((12, 15)), "b": np.ones((3, 4), ">f4"), "s": "text"}
    np.savez(tmp_path / "w.npz", **arrays)
    found = named_weights(tmp_path / "w.npz")
    assert list(found) == ["a.weight", "b"] and found["b"].shape == (3, 4)
    np.testing.assert_array_equal(found["a.weight"], arrays["a.weight"])
    np.testing.assert_array_equal(found["b"].read(slice(1, 3)), arrays["b"][1:3])
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    np.testing.assert_array_equal(named_weights(tmp_path / "w.npz")["a.weight"], arrays["a.weight"])
    np.save(tmp_path / "w.npy", arrays["a.weight"])
    np.testing.assert_array_equal(named_weights(tmp_path / "w.npy")["w"], arrays["a.weight"])
    content = bytearray((tmp_path / "w.npz").read_bytes())
    content[200] ^= 4
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.npz is damaged|w\.npz is no checkpoint"):
        named_weights(tmp_path / "w.npz")


def test_lightning(tmp_path, state):
    """As its Trainer writes it, without objects among the hyperparameters and with them."""
    optimizer = {"state": {0: {"exp_avg": torch.ones(30, 12)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    content = {
        "epoch": 1,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.3), "dirpath": "here"}},
        "optimizer_states": [optimizer],
        "hyper_parameters": {"width": 12},
    }
    torch.save(content, tmp_path / "last.ckpt")
    same(named_weights(tmp_path / "last.ckpt"), state)
    torch.save(content | {"hyper_parameters": {"path": Path("x")}}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"pickled objects \(pathlib.*\), which can run any code"):
        named_weights(tmp_path / "last.ckpt")


@pytest.mark.filterwarnings("ignore:torch.distributed is")
def test_torch_distributed_checkpoints(tmp_path, state):
    from torch.distributed import checkpoint as dcp

    folder = tmp_path / "step3"
    optimizer = {"state": {"w": {"exp_avg": torch.ones(30, 12)}}, "param_groups": [{"lr": 0.1}]}
    dcp.save({"model": state, "optimizer": optimizer, "epoch": 4}, checkpoint_id=folder)
    same(named_weights(folder), state)

    class Evil:
        def __reduce__(self):
            return print, ("code",)

    (folder / ".metadata").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"print is not part of it"):
        named_weights(folder)


def test_other_kinds_of_file_say_what_to_do(tmp_path):
    for name, words in {
        "model.onnx": "a model of ONNX: pass",
        "model.h5": "a file of Keras",
        "model.pt2": r"torch\.export\.load\(path\)\.state_dict",
        "model.tar": "an archive: unpack it",
    }.items():
        (tmp_path / name).write_bytes(b"anything")
        with pytest.raises(ValueError, match=words):
            named_weights(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(nn.Linear(3, 4), torch.ones(1, 3)).save(tmp_path / "script.pt")
    with pytest.raises(ValueError, match=r"a program of TorchScript: pass torch\.jit\.load\(path\)\.state_dict"):
        named_weights(tmp_path / "script.pt")


# The hub


def test_the_hub_is_asked_only_when_one_says_so(tmp_path, state, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def snapshot(name, *, revision, local_files_only, allow_patterns):
        asked.append((name, revision, local_files_only, allow_patterns))
        if local_files_only and not any(tmp_path.iterdir()):
            raise LocalEntryNotFoundError("nothing")
        if "*.bin" in allow_patterns:
            torch.save(state, tmp_path / "pytorch_model.bin")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(FileNotFoundError, match=r"hf://org/m is not in the cache of Hugging Face: pass download=True"):
        spectral_report("hf://org/m")
    assert asked.pop() == ("org/m", None, True, ["*.json", "*.safetensors"]) and not asked
    same(named_weights("hf://org/m@v2", download=True), state)
    assert [entry[1:3] for entry in asked] == [("v2", False)] * 2 and asked[1][3] == ["*.json", "*.bin"]
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match="needs the library huggingface_hub: pip install"):
        named_weights("hf://org/m")


# GGUF


def test_gguf(tmp_path):
    gguf = pytest.importorskip("gguf")
    random = np.random.default_rng(0)
    plain = random.standard_normal((24, 64)).astype(np.float32)
    experts = random.standard_normal((3, 8, 32)).astype(np.float32)
    codes = gguf.quants.quantize(plain, gguf.GGMLQuantizationType.Q4_0)
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("blk.0.attn_q.weight", plain)
    writer.add_tensor("blk.0.attn_k.weight", plain.astype(np.float16))
    writer.add_tensor("blk.0.ffn_up.weight", codes, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.add_tensor("blk.0.ffn_up_exps.weight", experts)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = named_weights(path)
    np.testing.assert_array_equal(found["blk.0.attn_q.weight"], plain)
    np.testing.assert_array_equal(found["blk.0.attn_k.weight"], plain.astype(np.float16))
    meant = gguf.quants.dequantize(codes, gguf.GGMLQuantizationType.Q4_0)
    np.testing.assert_array_equal(found["blk.0.ffn_up.weight"], meant)
    np.testing.assert_array_equal(found["blk.0.ffn_up.weight"].read(slice(5, 9)), meant[5:9])
    assert 0 < np.abs(meant - plain).max() < 0.5
    table = spectral_report(path).set_index("name")
    assert table.loc["blk.0.ffn_up", "unfolding"] == "as stored, dequantized from Q4_0"
    assert table.loc["blk.0.attn_q", "unfolding"] == "as stored"
    assert table.loc["blk.0.ffn_up_exps[2]", "spectral_norm"] == pytest.approx(np.linalg.norm(experts[2], 2) ** 2)


def test_gguf_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match=r"model\.gguf needs the library gguf: pip install gguf"):
        named_weights(tmp_path / "model.gguf")


# Adapters


def adapter(folder: Path, config: dict, factors: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8} | config))
    save_file(
        {f"base_model.model.{name}": tensor for name, tensor in factors.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


def test_lora_is_b_a_times_alpha_by_r_and_is_merged_into_its_base(tmp_path):
    torch.manual_seed(0)
    A, B, W = numbers(4, 15), numbers(20, 4), numbers(20, 15)
    a, b, kernel = numbers(2, 3, 3, 3), numbers(8, 2, 1, 1), numbers(8, 3, 3, 3)
    ea, eb, table = numbers(4, 30), numbers(12, 4), numbers(30, 12)
    head = numbers(3, 12)
    folder = adapter(
        tmp_path / "adapter",
        {"alpha_pattern": {"conv": 6}},
        {
            "model.q_proj.lora_A.weight": A,
            "model.q_proj.lora_B.weight": B,
            "model.conv.lora_A.weight": a,
            "model.conv.lora_B.weight": b,
            "model.embed.lora_embedding_A": ea,
            "model.embed.lora_embedding_B": eb,
            "score.weight": head,
        },
    )
    changes = {
        "model.q_proj.weight": 2 * B @ A,
        "model.conv.weight": 3 * torch.einsum("or,rijk->oijk", b[..., 0, 0], a),
        "model.embed.weight": 2 * (eb @ ea).T,
    }
    found = named_weights(folder)
    assert {*found} == {*changes, "score.weight"}
    for name, change in changes.items():
        np.testing.assert_allclose(found[name], change, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found[name].read(slice(3, 7)), change[3:7], rtol=1e-12, atol=1e-12)
    report = spectral_report(folder).set_index("name")
    assert report.loc["model.q_proj", "matrix_rank"] == 4 and "B A times 2" in report.loc["model.q_proj", "unfolding"]
    for name, weight in named_weights(folder / "adapter_model.safetensors").items():
        np.testing.assert_array_equal(weight, found[name])

    # With the base: a folder without the head, whose names lack the first part.
    base = {"q_proj.weight": W, "conv.weight": kernel, "embed.weight": table, "other.weight": W + 1}
    torch.save(base, tmp_path / "base.pt")
    merged = named_weights(folder, base=tmp_path / "base.pt")
    assert {*merged} == {*base, "score.weight"}
    for name, change in changes.items():
        name = name.removeprefix("model.")
        np.testing.assert_allclose(merged[name], base[name] + change, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(merged["other.weight"], base["other.weight"])
    model = nn.ModuleDict({"q_proj": nn.Linear(15, 20), "conv": nn.Conv2d(3, 8, 3), "embed": nn.Embedding(30, 12)})
    of_module = spectral_report(folder, base=model).set_index("name")
    expected = np.linalg.norm(model["q_proj"].weight.detach() + 2 * B @ A, 2) ** 2
    assert of_module.loc["q_proj", "spectral_norm"] == pytest.approx(expected)


def test_scale_and_direction_of_lora(tmp_path):
    A, B = numbers(4, 15), numbers(20, 4)
    pair = {"c.lora_A.weight": A, "c.lora_B.weight": B}
    found = named_weights(adapter(tmp_path, {"use_rslora": True}, pair))
    np.testing.assert_allclose(found["c.weight"], 4 * B @ A)
    found = named_weights(adapter(tmp_path, {"fan_in_fan_out": True}, pair))
    np.testing.assert_allclose(found["c.weight"].read(slice(2, 6)), 2 * (B @ A).T[2:6])


class Adapted(nn.Module):
    """A layer as PEFT makes it (looked at in 0.21.2), with the attributes that are read."""

    def __init__(self, layer, **adapters):
        super().__init__()
        self.base_layer = layer
        shape = layer.weight.shape
        table = isinstance(layer, nn.Embedding)
        self.lora_A, self.lora_B = nn.ModuleDict(), nn.ModuleDict()
        self.lora_embedding_A, self.lora_embedding_B = nn.ParameterDict(), nn.ParameterDict()
        for name in adapters:
            if table:
                self.lora_embedding_A[name], self.lora_embedding_B[name] = numbers(3, shape[0]), numbers(shape[1], 3)
            elif len(shape) == 4:
                self.lora_A[name] = nn.Conv2d(shape[1], 3, shape[2], bias=False)
                self.lora_B[name] = nn.Conv2d(3, shape[0], 1, bias=False)
            else:
                self.lora_A[name] = nn.Linear(shape[1], 3, bias=False)
                self.lora_B[name] = nn.Linear(3, shape[0], bias=False)
        self.scaling, self.use_dora, self.lora_variant = adapters, dict.fromkeys(adapters, False), {}
        self.active_adapters, self.merged, self.disable_adapters = ["default"], False, False

    def changed(self, name="default"):
        if name in self.lora_embedding_A:
            return self.scaling[name] * (self.lora_embedding_B[name] @ self.lora_embedding_A[name]).T
        A, B = self.lora_A[name].weight, self.lora_B[name].weight
        return self.scaling[name] * (B.flatten(1) @ A.flatten(1)).reshape(self.base_layer.weight.shape)


class TrainedWhole(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.original_module, self.modules_to_save = layer, nn.ModuleDict({"default": copy.deepcopy(layer)})
        nn.init.normal_(self.modules_to_save["default"].weight)
        self.active_adapters, self.disable_adapters = ["default"], False


@pytest.fixture
def tuned():
    """What stands in for a PeftModel: the model in its tuner, and the tuner in it."""
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "q": Adapted(nn.Linear(12, 14), default=2.0, second=0.5),
            "conv": Adapted(nn.Conv2d(4, 6, 3), default=2.0),
            "embed": Adapted(nn.Embedding(30, 12), default=2.0),
            "v": nn.Linear(12, 14),
            "head": TrainedWhole(nn.Linear(12, 15)),
        }
    )
    tuner, outer = nn.Module(), nn.Module()
    tuner.model, tuner.peft_config = model, {}
    outer.base_model, outer.peft_config = tuner, {}
    return outer


def test_a_model_with_adapters_in_memory_has_the_weights_it_computes_with(tuned):
    model = tuned.base_model.model
    plain = {
        "q": model["q"].base_layer.weight + model["q"].changed(),
        "conv": model["conv"].base_layer.weight + model["conv"].changed(),
        "embed": model["embed"].base_layer.weight + model["embed"].changed(),
        "v": model["v"].weight,
        "head": model["head"].modules_to_save["default"].weight,
    }

    def agree():
        found = layer_spectra(tuned)
        expected = layer_spectra({f"{name}.weight": weight.detach() for name, weight in plain.items()})
        assert [each.name for each in found] == list(plain)
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, rtol=1e-5, atol=1e-5)
        return found

    q, conv, embed, *_ = agree()
    assert q.unfolding == "as stored, plus B A times 2" and (conv.layer_type, embed.layer_type) == (
        "conv2d",
        "embedding",
    )
    model["q"].active_adapters = ["default", "second"]
    plain["q"] = plain["q"] + model["q"].changed("second")
    agree()
    for layer in ("q", "conv", "embed"):  # as merge_adapter leaves them
        model[layer].base_layer.weight.data.copy_(plain[layer])
        model[layer].merged = True
    agree()
    for layer in ("q", "conv", "embed"):
        model[layer].merged, model[layer].disable_adapters = False, True
    model["head"].disable_adapters = True
    plain["head"] = model["head"].original_module.weight
    agree()


def test_what_adapters_in_memory_have_no_numbers_for(tuned):
    model = tuned.base_model.model
    model["q"].lora_variant["default"] = "DoRA"
    model["conv"].merged = model["conv"].disable_adapters = True
    del model["embed"].base_layer.weight
    reasons = spectral_report(tuned).set_index("name")["reason"]
    assert "'default' of PEFT is not a plain LoRA: pass merge_and_unload()" in reasons["q"]
    assert "merged and switched off" in reasons["conv"] and "adapted by PEFT as Adapted" in reasons["embed"]


def test_peft_itself():
    peft = pytest.importorskip("peft")
    model = nn.ModuleDict({"q": nn.Linear(12, 14), "embed": nn.Embedding(30, 12), "head": nn.Linear(12, 15)})
    config = peft.LoraConfig(r=3, target_modules=["q", "embed"], modules_to_save=["head"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    found = layer_spectra(adapted)
    for one, other in zip(found, layer_spectra(adapted.merge_and_unload()), strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, atol=1e-5 * other.eigenvalues[-1])


def test_adapters_that_cannot_be_put_together(tmp_path):
    pair = {"c.lora_A.weight": numbers(4, 15), "c.lora_B.weight": numbers(20, 4)}
    for config, word in (({"peft_type": "IA3"}, "kind IA3"), ({"use_dora": True}, "kind DoRA")):
        with pytest.raises(ValueError, match=f"{word}, not LoRA: merge it"):
            named_weights(adapter(tmp_path, config, pair))
    with pytest.raises(ValueError, match="one of lora_A and lora_B of 'c'"):
        named_weights(adapter(tmp_path, {}, {"c.lora_A.weight": numbers(4, 15)}))
    adapter(tmp_path, {}, pair)
    with pytest.raises(ValueError, match="the base has no weight 'c.weight'"):
        named_weights(tmp_path, base={"d.weight": numbers(20, 15)})
    with pytest.raises(ValueError, match=r"\(15, 20\) in the base and \(20, 15\) in the adapter"):
        named_weights(tmp_path, base={"c.weight": numbers(15, 20)})
    with pytest.raises(ValueError, match="base is for adapters of LoRA"):
        named_weights({"c.weight": numbers(15, 20)}, base={"c.weight": numbers(15, 20)})
    (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no adapter_config\.json, which says alpha"):
        named_weights(tmp_path)


# Modules that are wrapped, split or quantized


def test_wrapped_modules_have_the_names_and_numbers_of_their_own():
    model = nn.Sequential(nn.Linear(12, 14), nn.Sequential(nn.Conv2d(3, 8, 3)))
    expected = spectral_report(model)
    compiled, inner = (
        torch.compile(model, backend="eager"),
        nn.Sequential(model[0], nn.Sequential(torch.compile(model[1][0], backend="eager"))),
    )
    for wrapped in (compiled, inner, nn.DataParallel(model), torch.compile(nn.DataParallel(model), backend="eager")):
        found = spectral_report(wrapped)
        assert found.equals(expected)
        guessed = spectral_report(wrapped.state_dict())
        assert list(guessed["name"]) == list(expected["name"]) and guessed["norm"].equals(expected["norm"])


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_distributed_modules(process_group):
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    model = nn.Sequential(nn.Linear(12, 14), nn.Linear(14, 16))
    expected = spectral_report(model)
    assert spectral_report(nn.parallel.DistributedDataParallel(model)).equals(expected)
    fully_shard(model, mesh=torch.distributed.device_mesh.init_device_mesh("cpu", (1,)))
    assert isinstance(model[0].weight, DTensor)
    assert spectral_report(model).equals(expected)
    assert spectral_report(model.state_dict())["norm"].equals(expected["norm"])


@pytest.mark.filterwarnings("ignore")  # of PyTorch's own: FSDP 1 is on its way out
@pytest.mark.parametrize("originals", [False, True])
def test_a_model_that_fsdp_1_has_flattened(process_group, originals):
    from torch.distributed.fsdp import FullyShardedDataParallel

    model = nn.Sequential(nn.Linear(12, 14), nn.Linear(14, 16))
    expected = spectral_report(model)
    sharded = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=originals)
    for outer in (sharded, nn.Sequential(sharded)):
        with pytest.raises(ValueError, match=r"FSDP.*summon_full_params"):
            spectral_report(outer)
    with FullyShardedDataParallel.summon_full_params(sharded):
        assert spectral_report(sharded).equals(expected)
    assert spectral_report(sharded.state_dict())["norm"].equals(expected["norm"])


@pytest.mark.filterwarnings("ignore")  # of PyTorch's own: quantization is to move to torchao
def test_quantized_modules():
    model = nn.Sequential(nn.Linear(12, 14), nn.ReLU(), nn.Linear(14, 16)).eval()
    dynamic = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)
    for layer, spectrum in zip((dynamic[0], dynamic[2]), layer_spectra(dynamic), strict=True):
        expected = torch.linalg.svdvals(layer.weight().dequantize().double()).square().flip(0)
        np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-9)
        assert spectrum.layer_type == "linear" and spectrum.unfolding == "as stored, dequantized from qint8"
    stored = layer_spectra(dynamic.state_dict())
    assert [each.name for each in stored] == ["0", "2"]
    np.testing.assert_array_equal(stored[0].eigenvalues, layer_spectra(dynamic)[0].eigenvalues)
    convolution = torch.ao.nn.quantized.Conv2d(4, 6, 3, groups=2)
    (row,) = layer_spectra(convolution)
    assert row.layer_type == "conv2d" and row.matrices == 2 and (row.N, row.M) == (18, 3)


def test_codes_that_others_must_read():
    codes = torch.randint(0, 255, (90, 9), dtype=torch.uint8)
    model = nn.ModuleDict({"b": nn.Linear(12, 14)})
    model["b"].weight = nn.Parameter(torch.randn(14, 12).to(torch.float8_e4m3fn), requires_grad=False)
    model["b"].weight_scale_inv = nn.Parameter(torch.ones(1, 1))
    reason = spectral_report(model)["reason"][0]
    assert "numbers of 8 bits without their scales, which are in 'weight_scale_inv'" in reason
    table = spectral_report({"q.qweight": codes, "w": torch.ones(3, 4)} | model["b"].state_dict(prefix="b.")).set_index(
        "name"
    )
    assert "codes" in table.loc["q.qweight", "reason"] and "'b.weight_scale_inv'" in table.loc["b", "reason"]


def test_codes_of_bitsandbytes(monkeypatch):
    """As its modules keep them on a CPU (looked at in 0.50.2): codes with a state, or with a scale for each row."""
    levels, codes = torch.linspace(-1, 1, 16), torch.randint(0, 16, (12 * 14,))
    weight = levels[codes].view(12, 14)
    library = types.ModuleType("bitsandbytes.functional")
    library.dequantize_4bit = lambda packed, state: (
        state.scale * levels[torch.stack([packed >> 4, packed & 15], -1).long().flatten()].view(state.shape)
    )
    monkeypatch.setitem(sys.modules, "bitsandbytes", types.ModuleType("bitsandbytes"))
    monkeypatch.setitem(sys.modules, "bitsandbytes.functional", library)
    model = nn.ModuleDict({name: nn.Linear(14, 12) for name in ("four", "eight", "not yet")})
    packed = (codes[::2] * 16 + codes[1::2]).to(torch.uint8)[:, None]
    model["four"].weight = nn.Parameter(packed, requires_grad=False)
    model["four"].weight.quant_state = types.SimpleNamespace(
        shape=torch.Size([12, 14]), dtype=torch.float16, quant_type="nf4", scale=3.0
    )
    bytes_, scales = torch.randint(-127, 128, (12, 14), dtype=torch.int8), torch.rand(12) + 0.5
    model["eight"].weight = nn.Parameter(bytes_, requires_grad=False)
    model["eight"].weight.SCB = scales
    model["not yet"].weight.quant_state = None
    four, eight, plain = layer_spectra(model)
    expected = [3 * weight, bytes_.float() * scales[:, None] / 127, model["not yet"].weight.detach()]
    for found, matrix in zip((four, eight, plain), expected, strict=True):
        assert (found.N, found.M, found.reason) == (14, 12, "")
        np.testing.assert_allclose(found.eigenvalues, torch.linalg.svdvals(matrix.double()).flip(0) ** 2, atol=1e-4)
    assert four.unfolding == "as stored, dequantized from nf4 of bitsandbytes" and plain.unfolding == "as stored"
    assert eight.unfolding == "as stored, dequantized from 8 bits of bitsandbytes"


def test_bitsandbytes_itself():
    bitsandbytes = pytest.importorskip("bitsandbytes")
    plain = nn.Linear(64, 96)
    four = bitsandbytes.nn.Linear4bit(64, 96, quant_type="nf4")
    four.load_state_dict(plain.state_dict())
    (before,), (after,) = layer_spectra(four), layer_spectra(four.to("cpu"))
    np.testing.assert_allclose(before.eigenvalues, layer_spectra(plain)[0].eigenvalues)
    stored = bitsandbytes.functional.dequantize_4bit(four.weight.data, four.weight.quant_state)
    np.testing.assert_allclose(after.eigenvalues, layer_spectra({"w": stored})[0].eigenvalues)


def test_fused_experts_are_a_matrix_each():
    """As in Mixtral: parameters of three axes."""

    class MixtralExperts(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate_up_proj = nn.Parameter(torch.randn(4, 24, 10))
            self.down_proj = nn.Parameter(torch.randn(4, 10, 12))

    model = nn.ModuleDict({"mlp": nn.ModuleDict({"experts": MixtralExperts()})})
    tensor = model["mlp"]["experts"].gate_up_proj.detach()
    for source in (model, model.state_dict()):
        table = spectral_report(source).set_index("name")
        assert len(table) == 8 and "mlp.experts.down_proj[3]" in table.index
        for each in range(4):
            row = table.loc[f"mlp.experts.gate_up_proj[{each}]"]
            assert row["spectral_norm"] == pytest.approx(torch.linalg.matrix_norm(tensor[each], 2).item() ** 2)
            assert row["unfolding"] == f"of expert {each}"
    # A convolution inside a certain expert is a convolution.
    assert layer_matrices({"experts.0.weight": torch.ones(4, 5, 3)})[0].layer_type == "conv1d (guess)"


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_sparse_tensors():
    dense = torch.randn(12, 15) * (torch.rand(12, 15) < 0.3)
    expected = spectral_report({"w": dense}).drop(columns=["layer_id", "name"])
    for sparse in (dense.to_sparse(), dense.to_sparse_csr()):
        table = spectral_report({"w": sparse})
        assert table.drop(columns=["layer_id", "name"]).equals(expected)


def test_encoder_and_decoder():
    encoder, decoder = nn.Linear(12, 14), nn.Linear(14, 12)
    table = spectral_report({"encoder": encoder.state_dict(), "decoder": decoder.state_dict(), "epoch": 3})
    assert list(table["name"]) == ["encoder", "decoder"]

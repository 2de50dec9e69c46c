# %% [markdown]
# # Random matrices
#
# :::{admonition} In short
# :class: answer
# **Question.** What do the eigenvalues of a weight matrix say about what a network has learned?
#
# **Answer.** Weights begin as noise, whose eigenvalues fill a *bulk* of known shape with a sharp edge. Learning leaves that bulk
# nearly as it is and adds a few eigenvalues beyond the edge: {glue:text}`num_spikes_plain:.1f` of 256 in the middle layer of a
# small network that tells ten digits apart. The exponent alpha of a power law fitted to the largest eigenvalues does not show this
# by itself: of matrices made of noise and ten planted directions, {glue:text}`pass_spiked:.0f` % pass the usual test for a power law.
#
# **How sure.** The laws of noise are theorems for large matrices, and {glue:text}`n_matrices` simulated matrices for each setting
# agree with them. What training does was seen in {glue:text}`n_trained` runs of one small network on one easy task (95 % interval of
# the number above: {glue:text}`num_spikes_plain_low:.1f` to {glue:text}`num_spikes_plain_high:.1f`). No claim is judged on this page.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
import numpy as np
from myst_nb import glue

from weightspace import experiments, spectra
from weightspace.analysis import frames, primer_facts, training_facts
from weightspace.display import figures, interactive, quotes, style
from weightspace.experiments.primer import spectra_primer, training_spectra
from weightspace.spectra import random_matrices

runs = experiments.ensure("spectra_primer", scale, seeds, device, recompute)
trained = experiments.ensure("training_spectra", scale, seeds, device, recompute)
looks = list(training_spectra.train(training_spectra.configuration("plain", seed=0, scale=scale)))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-training", "caption": "Eigenvalues of the middle layer (512 x 256) of a small network while it learns to read digits. Smooth curve: what noise alone would give, the Marchenko-Pastur law. Ticks at the bottom: spikes, eigenvalues too large for noise."}}
figure, pictures = figures.primer.movie(looks, training_spectra.MIDDLE, 512)
style.show_animated(
    figure,
    "rm-training",
    pictures,
    seconds=0.6,
    note="n = 1 network, trained on this page.",
    alt="An animated histogram. The hump of the bulk stays where it was, on its curve, while from about update 20 on some "
    "ten eigenvalues come out of it to the right, one after the other.",
)

# %% tags=["remove-cell"]
n = runs["seed"].nunique()
n_trained = trained["seed"].nunique()
rng = np.random.default_rng(0)
for name, value in primer_facts.facts(runs).items():
    glue(name, value, display=False)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
ends = training_facts.at_the_end(trained)
last = frames.select(trained, update=trained["update"].max())
elsewhere = training_facts.dropout_elsewhere()
quotes.glue(
    n_matrices=n,
    n_trained=n_trained,
    updates=last["update"].iloc[0],
    loss_plain=frames.mean_of(last, metric="train_loss", arm="plain"),
    loss_dropout=frames.mean_of(last, metric="train_loss", arm="dropout"),
    alpha_plain=quote(ends, "mean", metric="alpha", arm="plain"),
    alpha_weight_decay=quote(ends, "mean", metric="alpha", arm="weight_decay"),
    alpha_dropout=quote(ends, "mean", metric="alpha", arm="dropout"),
    num_spikes_plain=quote(ends, "mean", metric="num_spikes", arm="plain"),
    num_spikes_plain_low=quote(ends, "low", metric="num_spikes", arm="plain"),
    num_spikes_plain_high=quote(ends, "high", metric="num_spikes", arm="plain"),
    num_spikes_weight_decay=quote(ends, "mean", metric="num_spikes", arm="weight_decay"),
    num_spikes_dropout=quote(ends, "mean", metric="num_spikes", arm="dropout"),
    sigma_mp_plain_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="plain"),
    sigma_mp_weight_decay_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="weight_decay"),
    sigma_mp_dropout_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="dropout"),
    more_spikes=quote(ends, "mean", metric="num_spikes", arm="dropout")
    - quote(ends, "mean", metric="num_spikes", arm="plain"),
    norm_scratch_less=-quote(elsewhere, "norm", experiment="diversity_spectra"),
    spikes_scratch_less=-quote(elsewhere, "spikes", experiment="diversity_spectra"),
    norm_tuned=quote(elsewhere, "norm", experiment="diversity_transfer_spectra"),
    spikes_tuned=quote(elsewhere, "spikes", experiment="diversity_transfer_spectra"),
    norm_plain_percent=100 * quote(ends, "relative", metric="norm", arm="plain"),
    norm_weight_decay_percent=100 * quote(ends, "relative", metric="norm", arm="weight_decay"),
    norm_dropout_percent=100 * quote(ends, "relative", metric="norm", arm="dropout"),
)

# %% [markdown]
# Watch the hump and the ticks in {numref}`fig-rm-training`. The hump, which is the bulk, stays on its curve during the whole
# training. From about update 20 on, some ten eigenvalues leave it to the right. If there is a tick before the first update, it is a false
# alarm, such as one matrix of noise in twenty gives.
#
# **Which eigenvalues?** A layer with the weights $W$ is an $N \times M$ matrix, where $N$ is the larger side and
# $Q = N/M \ge 1$ is its *aspect ratio*. The $M$ eigenvalues $\lambda$ of the symmetric matrix $W^\top W$ are the squared singular
# values of $W$. They say how much the layer stretches different directions of its inputs. All of them together are the *spectrum*
# of the layer.
#
# ## Noise has a known spectrum
#
# Fill a matrix with independent random numbers of mean 0 and variance $\sigma^2$. Each eigenvalue is random, but their histogram is
# not: as both sides grow with $Q$ fixed, it approaches a fixed curve. {cite:t}`marchenko1967` found it. The eigenvalues of
# $W^\top W / N$ fill the interval between
#
# $$ \lambda_\pm = \sigma^2 \left(1 \pm \frac{1}{\sqrt Q}\right)^2 $$
#
# with the density
#
# $$ \rho(\lambda) = \frac{Q}{2\pi\sigma^2} \frac{\sqrt{(\lambda_+ - \lambda)(\lambda - \lambda_-)}}{\lambda}. $$
#
# Only $Q$ and $\sigma$ enter. The longer the matrix, the closer its columns are to orthogonal, and the narrower the bulk
# ({numref}`fig-rm-aspect`). It does not matter whether the entries are normal or just $+1$ and $-1$. This *universality* makes
# the law useful for weights, whose exact distribution nobody knows.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-aspect", "caption": "Density of the eigenvalues of noise at four aspect ratios. Points: mean over simulated matrices with M = 200 and entries of variance 1; lines: the Marchenko-Pastur law, with nothing fitted."}}
style.show(
    figures.primer.aspect_ratios({Q: random_matrices.noise_spectra(Q, 200, 20) for Q in (1, 2, 4, 8)}),
    "rm-aspect",
    note="n = 20 matrices per panel; bars: 95 % t intervals of the mean.",
    alt="Four panels for Q of 1, 2, 4 and 8. The simulated points lie on the curve in each; the interval shrinks from 0 to "
    "4 at Q = 1 to 0.4 to 1.8 at Q = 8.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show that the kind of noise does not matter", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-rm-density", "caption": "Eigenvalues of one 1000 x 500 matrix of independent entries of variance 1/1000, as ticks and as a histogram, with the Marchenko-Pastur law fitted to them. Band: from the edge of the law to the value that the largest eigenvalue of noise exceeds in 1 % of matrices. Left: normal entries; right: random signs."}}
style.show(
    figures.primer.densities(
        {
            "normal entries": spectra.eigenvalues(random_matrices.gaussian(1000, 500, rng, 1000**-0.5)),
            "random signs": spectra.eigenvalues(rng.choice([-1, 1], (1000, 500)) * 1000**-0.5),
        },
        1000,
    ),
    "rm-density",
    note="n = 1 matrix per panel; its sigma is fitted, not given.",
    alt="Two histograms of 500 eigenvalues each that rise steeply near 0.1, peak at 0.2 and fall to zero at 2.9. Both "
    "follow the same smooth curve.",
)

# %% [markdown]
# ## The edge of the bulk
#
# Real layers are finite, and the edge $\lambda_+$ is not sharp. The largest eigenvalue of noise lies a little below it and
# fluctuates by about $M^{-2/3}$ of its size, with the law of Tracy and Widom {cite:p}`tracy1996,johnstone2001`
# ({numref}`fig-rm-edge`). This gives a test: an eigenvalue above the 95 % line of that law is too large for noise, and we call it
# a *spike*. If $\sigma$ is known, {glue:text}`above_edge_percent:.1f` % of all simulated matrices of noise pass the line
# (95 % interval {glue:text}`above_edge_low:.1f` to {glue:text}`above_edge_high:.1f`). If it has to be fitted to the bulk, as for a
# layer, {glue:text}`false_percent:.1f` % do ({glue:text}`false_low:.1f` to {glue:text}`false_high:.1f`).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-edge", "caption": "Largest eigenvalue of noise (Q = 2) against size. Points: single matrices; bars: their mean. Lines: median and 95 % quantile of the Tracy-Widom law, scaled as in Johnstone (2001), and the edge that infinite matrices would have."}}
style.show(
    figures.primer.edge(runs),
    "rm-edge",
    frame=runs,
    note=f"n = {n} matrices per size, entries of variance 1.",
    alt="Points scatter widely at M = 25 and narrowly at M = 400. Their means follow the dashed median line and approach "
    "the edge 2.91 from below; about one in twenty lies above the 95 percent line, which falls with size.",
)

# %% [markdown]
# ## A weak signal stays hidden
#
# Now plant something: noise plus one direction, $W = X + s\,u v^\top$ with unit vectors $u$ and $v$. One would expect the largest
# eigenvalue to grow with $s$. At first it does not: below a threshold it is the one that pure noise would have. With the strength
# $d = s^2 / N$ the threshold is $d = \sigma^2 / \sqrt Q$, and above it the eigenvalue leaves the bulk for
# $(d + \sigma^2)(d + \sigma^2 / Q) / d$ {cite:p}`baik2005,benaych2012`. This is the *BBP transition*, named after its discoverers.
# The right half of {numref}`fig-rm-spikes` shows what it means in practice. At the threshold our fit reports a spike in
# {glue:text}`detected_at_1:.0f` % of matrices with $M =$ {glue:text}`detected_M`, and at {glue:text}`detected_strength` times the
# threshold in {glue:text}`detected_above:.0f` % (95 % interval {glue:text}`detected_above_low:.0f` to
# {glue:text}`detected_above_high:.0f`). What a network has learned weakly is invisible in its eigenvalues.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-spikes", "caption": "One planted direction of growing strength in noise (Q = 2). Left: the largest eigenvalue and its limit. Right: how often the Marchenko-Pastur fit reports at least one spike; dashed: the 5 % of false reports that its level allows."}}
style.show(
    figures.primer.spikes(runs),
    "rm-spikes",
    frame=runs,
    note=f"n = {n} matrices per strength and size. Left: medians, bars hold 95 % of the matrices; right: bands are 95 % "
    "Wilson intervals.",
    alt="Left: the largest eigenvalue stays at the edge up to the threshold and then rises along the curve. Right: the share "
    "of reports rises from one in twenty to nearly all, more steeply for the larger matrix.",
    live=interactive.spike(200, aspects=(1, 2, 4, 8), strengths=[k / 4 for k in range(17)]),
)

# %% [markdown]
# ## What alpha means, and when it means nothing
#
# {cite:t}`martin2021` read trained layers differently. They fit a power law $\lambda^{-\alpha}$ to the largest eigenvalues and take
# a small $\alpha$ as a sign of strong correlations in the weights. Such a tail does arise if a few entries of a matrix are enormous
# ({numref}`fig-rm-heavy`). But the fit always ends with a number, also where there is no power law. {numref}`fig-rm-kinds` shows
# alpha for four kinds of spectra whose nature is known:
#
# - For a sample from a power law, and for a matrix with heavy-tailed entries, alpha is what it should be.
# - For noise with ten planted directions there is no power law, but alpha is {glue:text}`alpha_spiked:.1f` with little spread, and
#   {glue:text}`pass_spiked:.0f` % of the matrices pass the goodness-of-fit test of {cite:t}`clauset2009`.
# - For pure noise alpha may be anything ({glue:text}`alpha_noise_low:.1f` to {glue:text}`alpha_noise_high:.1f` in 95 % of the
#   matrices), and {glue:text}`pass_noise:.0f` % pass.
#
# Passing the test only means that the few eigenvalues in the tail do not contradict a power law. What tells the four cases apart is the
# bulk. Its largest vertical distance from the Marchenko-Pastur law (as distribution functions, median) is
# {glue:text}`D_spiked:.3f` for noise with spikes and {glue:text}`D_noise:.3f` for noise, but {glue:text}`D_heavy:.3f` for heavy-tailed
# entries and {glue:text}`D_power:.2f` for the power-law sample.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-kinds", "caption": "Alpha of four kinds of spectra of 200 eigenvalues. Left: every point is a matrix. Right: fraction of the matrices whose tail is not rejected as a power law."}}
style.show(
    figures.primer.kinds(runs),
    "rm-kinds",
    frame=runs,
    note=f"n = {n} matrices per kind. Right: 95 % Wilson intervals; p from {spectra_primer.GOODNESS_REPLICATES} samples each.",
    alt="Alpha of the power-law sample and of heavy-tailed entries scatters around the true values 3 and 1.75; noise with "
    "spikes gives a narrow heap near 2.9; pure noise scatters from 4 to 16.",
)

# %% [markdown]
# ```{dropdown} How alpha is fitted, and where heavy tails come from
# A power law holds, if at all, from some $x_{\min}$ upwards. {cite:t}`clauset2009` try every eigenvalue as $x_{\min}$ and fit
# $\alpha = 1 + n / \sum_i \ln(x_i / x_{\min})$ to the $n$ values from there on, the estimator of {cite:t}`hill1975`. They keep the
# $x_{\min}$ for which data and law differ least, by their largest vertical distance $D$.
#
# If the entries of a matrix have heavy tails, $P(|x| > t) = t^{-\mu}$, the spectrum has no edge, and theory says
# $\alpha = 1 + \mu/2$: for $\mu < 2$ in all of the spectrum {cite:p}`belinschi2009`, for $2 < \mu < 4$ only beyond a bulk
# {cite:p}`auffinger2009`. The bulk then hides the tail from the fit, so that at $\mu = 3$ it gives {glue:text}`alpha_at_3:.1f`
# where theory has 2.5.
#
# A likelihood ratio against a lognormal law does not help either. It decides against the power law ($p < 0.05$) for
# {glue:text}`lognormal_noise:.0f` % of the matrices of noise and for {glue:text}`lognormal_spiked:.0f` % of those with spikes.
# ```

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show spectra of heavy-tailed matrices", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-rm-heavy", "caption": "Spectra of matrices with heavy-tailed entries. Left: fraction of eigenvalues above a value, one 1000 x 500 matrix per tail index, with lines of the slope that theory gives. Right: alpha fitted to 400 x 200 matrices against the tail index, with the theory."}}
style.show(
    figures.primer.heavy_tails(
        {mu: spectra.eigenvalues(random_matrices.heavy_tailed(1000, 500, mu, rng)) for mu in (1.0, 1.5, 3.0)}, runs
    ),
    "rm-heavy",
    frame=runs,
    note=f"Left: n = 1 matrix per index, computed on this page. Right: n = {n} matrices per index; medians, bars hold 95 % "
    "of the matrices.",
    alt="Left: three falling curves; those of index 1 and 1.5 are straight over several decades, that of 3 bends down at "
    "first. Right: fitted alpha lies on the line up to 1.5 and far above it from 2.5 on.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show how a power law is found", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-rm-fit", "caption": "A power law found: spectrum of a 1000 x 500 matrix with entries of tail index 1.5, for which theory has alpha = 1.75. Left: the tail with its fit and the bootstrap interval. Right: distance D and alpha for every candidate."}}
style.show(
    figures.primer.found_power_law(spectra.eigenvalues(random_matrices.heavy_tailed(1000, 500, 1.5, rng))),
    "rm-fit",
    note="n = 1 matrix; band: 95 % interval from 200 bootstrap samples, xmin searched in each.",
    alt="Left: the share of eigenvalues above x falls along a straight line over three decades, which the fit follows. "
    "Right: D has its minimum at the marked start of the tail, and alpha is flat around it.",
)

# %% [markdown]
# ## What training does, and what regularizers change
#
# The network of {numref}`fig-rm-training` is a perceptron of 64, 512, 256 and 10 units. It learns scikit-learn's digits by
# stochastic gradient descent. {numref}`fig-rm-metrics` follows {glue:text}`n_trained` such networks, and the same with weight decay
# and with dropout, in the numbers that the next chapters use.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-metrics", "caption": "Middle layer along training, plain and with the two regularizers: spikes, sigma of the bulk, squared Frobenius norm and fitted alpha."}}
style.show(
    figures.primer.along_training(trained, training_spectra.MIDDLE),
    "rm-metrics",
    frame=trained,
    note=f"n = {n_trained} networks per line; bands: 95 % t intervals of the mean. Weight decay 0.002, dropout 0.5.",
    alt="Four panels over the updates. Spikes rise from 0 to about 10 with plain training and weight decay and to more "
    "than 20 with dropout. Sigma and the norm stay or rise except with weight decay, where they fall by a factor of "
    "three and more. Alpha falls from above 10 to between 2 and 4 in all three.",
)

# %% [markdown]
# Look at $\sigma$ of the bulk first (top right), then at the spikes (top left).
#
# - **Plain training** leaves the bulk alone: its $\sigma$ ends at {glue:text}`sigma_mp_plain_percent:.0f` % of its start. It adds
#   {glue:text}`num_spikes_plain:.1f` spikes, about as many as there are digits.
# - **Weight decay** shrinks the noise around the spikes. $\sigma$ falls to {glue:text}`sigma_mp_weight_decay_percent:.0f` % of its
#   start and the squared norm to {glue:text}`norm_weight_decay_percent:.0f` %. There are {glue:text}`num_spikes_weight_decay:.1f` spikes.
# - **Dropout** widens the bulk ({glue:text}`sigma_mp_dropout_percent:.0f` %) and makes more and larger spikes,
#   {glue:text}`num_spikes_dropout:.1f` of them, so that the squared norm *grows* to {glue:text}`norm_dropout_percent:.0f` % of its
#   start. With plain training it grows to {glue:text}`norm_plain_percent:.0f` %.
#
# Both regularizers make alpha smaller, from {glue:text}`alpha_plain:.2f` to {glue:text}`alpha_weight_decay:.2f` and
# {glue:text}`alpha_dropout:.2f`, and for opposite reasons. One number does not tell the two apart; the bulk and its spikes do.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the numbers and the tests", "code_prompt_hide": "Hide the table"}
style.table(
    training_facts.table(ends),
    frame_of=trained,
    note=f"Middle layer after the last update: mean (95 % t interval) over n = {n_trained} networks; against plain training "
    "paired by seed: ratio of geometric means, Cohen's d of the paired log ratios, p of the t-test with Holm's correction.",
)

# %% [markdown]
# ### Why dropout may do the opposite elsewhere
#
# In the next chapters dropout makes the norms of some networks smaller and those of others larger. The networks differ in how well they fit
# their training data:
#
# | network | dropout | without it the network | squared norm | spikes |
# | --- | --- | --- | --- | --- |
# | this perceptron, {glue:text}`updates:d` updates | 0.5 | fits (training loss {glue:text}`loss_plain:.4f`) | higher | {glue:text}`more_spikes:.1f` more in the layer |
# | ResNet-18 from scratch, few epochs | 0.3 | underfits | lower by {glue:text}`norm_scratch_less:.0f` % | {glue:text}`spikes_scratch_less:.1f` fewer per layer |
# | EfficientNet, fine-tuned briefly ({doc}`15_fine_tuning`) | 0.3 | has only begun to fit | higher by {glue:text}`norm_tuned:.2f` % | as many ({glue:text}`spikes_tuned:+.2f` per layer) |
# | ResNet-18 from scratch, until it fits ({doc}`11_regularizers_in_weight_space`) | 0.1 | fits | higher by {glue:text}`11_regularizers_in_weight_space.py::kernel_dropout_01:.0f` % | not counted |
#
# One explanation covers these rows. Weights move as long as there is loss. A network that is stopped early has learned less under dropout,
# and its weights have grown less. A network that has time to fit comes to rest once it has fitted; under dropout the loss stays higher
# (here {glue:text}`loss_dropout:.4f` at the end), gradients go on acting, and norms and spikes outgrow those of plain training. Strength
# matters as well as time: at a rate of 0.3 the norms of the last network are *lower*, by
# {glue:text}`11_regularizers_in_weight_space.py::kernel_dropout_03_less:.0f` %. Nothing on this page tests the explanation. The rules of the
# controls that would test it are on record ({doc}`../book/rules`).
#
# ## Four pitfalls
#
# {numref}`fig-rm-pitfalls` collects four ways to find a difference where there is none.
#
# - **Aspect ratio.** Layers of different shape differ in alpha even if all are pure noise. Compare a layer with itself, or parts of
#   layers with the same aspect ratio {cite:p}`hu2025`.
# - **Scale.** A network of ReLUs computes the same if one layer is multiplied by a number and the next divided by it. Alpha
#   does not see such a factor. Norms and $\alpha \log_{10}\lambda_{\max}$ do, and so does alpha if eigenvalues are cut off at an
#   absolute size.
# - **Unfolding.** A convolution kernel is no matrix. Taken as nine slices or as one matrix, the same noise has stable ranks
#   ($\sum\lambda/\lambda_{\max}$) of {glue:text}`rank_slices:.0f` and {glue:text}`rank_reshaped:.0f`. Name the convention in every
#   table.
# - **Tiny layers.** With {glue:text}`tiny_n` eigenvalues from a true power law of alpha 3, the fit gives between
#   {glue:text}`tiny_low:.1f` and {glue:text}`tiny_high:.1f` in 95 % of the cases. Its bootstrap interval, nominally 95 %, contained
#   the truth in {glue:text}`covered_small:.0f` % of samples of that size and in {glue:text}`covered_large:.0f` % of those of
#   {glue:text}`large_n`.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-pitfalls", "caption": "Four pitfalls. Top left: alpha of the upper half of the spectrum of noise against the aspect ratio. Top right: alpha of the layer trained above when its weights are multiplied by a factor. Bottom left: stable rank of kernels of noise in two unfoldings. Bottom right: alpha of power-law samples against their size."}}
learned = looks[-1].eigenvalues[training_spectra.MIDDLE - 1]
style.show(
    figures.primer.pitfalls(runs, primer_facts.scaled(learned, np.geomspace(1e-3, 10, 33))),
    "rm-pitfalls",
    frame=runs,
    note=f"n = {n} matrices, kernels or samples per setting; medians, bars hold 95 % of them. Top right: n = 1 layer, "
    "computed on this page.",
    alt="Top left: alpha rises from 2.1 to 5.8 with the aspect ratio, and stays at 2.1 for parts of fixed ratio. Top right: "
    "alpha with the absolute cut jumps at small factors, with the relative cut it is constant. Bottom left: stable ranks "
    "of about 135 and 35. Bottom right: wide intervals at 20 values, narrow ones at 1000.",
)

# %% [markdown]
# ## Try it on your own model
#
# ```python
# import weightspace
# from weightspace import spectra
# from weightspace.display import figures
#
# report = weightspace.spectral_report(model)  # a row per weight matrix
# values = spectra.eigenvalues(model.fc.weight)
# figures.spectra.esd(values, N=max(model.fc.weight.shape), log=True)
# ```
#
# Look at the picture before you believe a number. Is there a bulk? Does the law fit it? What lies beyond its edge? {doc}`19_use_it`
# goes on from here.
#
# ## What would change our mind
#
# - *About a resting bulk with a few spikes:* a network whose bulk moves during plain training. We looked at one small network on an easy task, with one
#   strength of each regularizer.
# - *About our explanation of dropout:* norms under dropout that outgrow those of plain training while the plain network still underfits.

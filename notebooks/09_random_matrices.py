# %% [markdown]
# # Random matrices in ten figures
#
# {cite:t}`ba2024` read trained networks through the eigenvalues of their weight matrices. To judge what such eigenvalues
# say, one has to know what they look like when there is nothing to say: when the matrix is pure noise. That is known in
# great detail. This chapter shows it in ten figures, theory against simulation, and ends with what training does to a
# spectrum and with the mistakes that are easily made. It asks for linear algebra and no more.
#
# **The object.** A layer with weight matrix $W$ has an $N \times M$ matrix, $N$ the larger side, and an *aspect ratio*
# $Q = N/M \ge 1$. The $M$ eigenvalues $\lambda$ of the symmetric matrix $W^\top W$ are the squared singular values of
# $W$: they say how much the layer stretches the directions of its inputs. Their distribution is the *empirical
# spectral density* (ESD).

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
import numpy as np
from myst_nb import glue

from weightspace import experiments, spectra
from weightspace.analysis import primer_facts, training_facts
from weightspace.display import figures, interactive, quotes, style
from weightspace.experiments.primer import spectra_primer, training_spectra
from weightspace.spectra import random_matrices

runs = experiments.ensure("spectra_primer", scale, seeds, device, recompute)
trained = experiments.ensure("training_spectra", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
n = runs["seed"].nunique()
n_trained = trained["seed"].nunique()
rng = np.random.default_rng(0)
for name, value in primer_facts.facts(runs).items():
    glue(name, value, display=False)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
ends = training_facts.at_the_end(trained)
quotes.glue(
    n_trained=n_trained,
    alpha_plain=quote(ends, "mean", metric="alpha", arm="plain"),
    alpha_weight_decay=quote(ends, "mean", metric="alpha", arm="weight_decay"),
    alpha_dropout=quote(ends, "mean", metric="alpha", arm="dropout"),
    num_spikes_plain=quote(ends, "mean", metric="num_spikes", arm="plain"),
    num_spikes_plain_low=quote(ends, "low", metric="num_spikes", arm="plain"),
    num_spikes_plain_high=quote(ends, "high", metric="num_spikes", arm="plain"),
    num_spikes_dropout=quote(ends, "mean", metric="num_spikes", arm="dropout"),
    sigma_mp_plain_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="plain"),
    sigma_mp_weight_decay_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="weight_decay"),
    sigma_mp_dropout_percent=100 * quote(ends, "relative", metric="sigma_mp", arm="dropout"),
    norm_weight_decay_percent=100 * quote(ends, "relative", metric="norm", arm="weight_decay"),
    norm_dropout_percent=100 * quote(ends, "relative", metric="norm", arm="dropout"),
)

# %% [markdown]
# ## 1. The density of eigenvalues
#
# Fill a matrix with independent random numbers of mean 0 and variance $\sigma^2$ and look at its eigenvalues
# ({numref}`fig-rm-density`). Each is random, but their histogram is not: it follows a fixed curve, and it does not
# matter whether the entries are normal or just $+1$ and $-1$. Only their variance counts. This *universality* is what
# makes the curve useful for weights, whose exact distribution nobody knows.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-density", "caption": "Eigenvalues of one 1000 x 500 matrix of independent entries of variance 1/1000, as ticks and as a histogram, with the Marchenko-Pastur law fitted to them. Band: from the edge of the law to the value that the largest eigenvalue of noise exceeds in 1 % of matrices. Left: normal entries; right: random signs."}}
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
# ## 2. The law of Marchenko and Pastur
#
# {cite:t}`marchenko1967` found the curve. As the sides grow with $Q$ fixed, the eigenvalues of $W^\top W / N$ fill the
# interval between
#
# $$ \lambda_\pm = \sigma^2 \left(1 \pm \frac{1}{\sqrt Q}\right)^2 $$
#
# with the density
#
# $$ \rho(\lambda) = \frac{Q}{2\pi\sigma^2} \frac{\sqrt{(\lambda_+ - \lambda)(\lambda - \lambda_-)}}{\lambda}. $$
#
# Two numbers, $Q$ and $\sigma$, decide everything. The longer the matrix, the closer its columns are to orthogonal, and
# the narrower the density around $\sigma^2$; a square one reaches down to 0 ({numref}`fig-rm-aspect`).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-aspect", "caption": "Density of the eigenvalues of noise at four aspect ratios. Points: mean over simulated matrices with M = 200 and entries of variance 1; lines: the Marchenko-Pastur law, with nothing fitted."}}
style.show(
    figures.primer.aspect_ratios({Q: random_matrices.noise_spectra(Q, 200, 20) for Q in (1, 2, 4, 8)}),
    "rm-aspect",
    note="n = 20 matrices per panel; bars: 95 % t intervals of the mean.",
    alt="Four panels for Q of 1, 2, 4 and 8. The simulated points lie on the curve in each; the interval shrinks from 0 to "
    "4 at Q = 1 to 0.4 to 1.8 at Q = 8.",
)

# %% [markdown]
# ## 3. The edge of a finite matrix
#
# Real layers are finite, and the edge $\lambda_+$ is not sharp. The largest eigenvalue fluctuates around a place a
# little below it, by about $M^{-2/3}$ of its size, with the law of Tracy and Widom {cite:p}`tracy1996,johnstone2001`
# ({numref}`fig-rm-edge`). From it follows a test: an eigenvalue above the 95 % line is too large for noise. With the true
# $\sigma$ the line is passed by {glue:text}`above_edge_percent:.1f` % of all simulated matrices
# (95 % interval {glue:text}`above_edge_low:.1f` to {glue:text}`above_edge_high:.1f`), and where $\sigma$ has to be
# fitted to the bulk, by {glue:text}`false_percent:.1f` % ({glue:text}`false_low:.1f` to {glue:text}`false_high:.1f`).

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
# ## 4. Spikes, and the strength below which they hide
#
# Now plant something: noise plus one direction, $W = X + s\,u v^\top$ with unit vectors $u$ and $v$. One would expect
# the largest eigenvalue to grow with $s$. It does not, at first: below a threshold it is the one that pure noise would
# have, and the direction stays hidden in the bulk. With the strength $d = s^2 / N$ the threshold is
#
# $$ d = \sigma^2 / \sqrt Q , $$
#
# and above it the eigenvalue leaves the bulk to $(d + \sigma^2)(d + \sigma^2 / Q) / d$
# {cite:p}`baik2005,benaych2012`. {numref}`fig-rm-spikes` shows this *BBP transition*, and what it means in practice: at
# the threshold itself the fit of `weightspace.spectra` reports a spike in {glue:text}`detected_at_1:.0f` % of matrices
# with $M =$ {glue:text}`detected_M`, at {glue:text}`detected_strength`
# times the threshold in {glue:text}`detected_above:.0f` % ({glue:text}`detected_above_low:.0f` to
# {glue:text}`detected_above_high:.0f`).

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
# ## 5. Heavy tails
#
# The law needs entries of finite variance. If few entries are enormous, $P(|x| > t) = t^{-\mu}$ with small $\mu$, they
# dominate the spectrum, which then has no edge: its density falls as a power law, $\lambda^{-\alpha}$, with
#
# $$ \alpha = 1 + \mu / 2 $$
#
# in the limit, for $\mu < 2$ in all of the spectrum {cite:p}`belinschi2009`, for $2 < \mu < 4$ in what lies beyond
# a bulk {cite:p}`auffinger2009`. {numref}`fig-rm-heavy` shows both: with $\mu$ below 2 the tail is straight over decades
# and the fitted $\alpha$ agrees with theory; above, a bulk forms and hides what the theory says, so that at
# $\mu = 3$ the fit gives {glue:text}`alpha_at_3:.1f` where theory has 2.5.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-heavy", "caption": "Spectra of matrices with heavy-tailed entries. Left: share of eigenvalues above a value, one 1000 x 500 matrix per tail index, with lines of the slope that theory gives. Right: alpha fitted to 400 x 200 matrices against the tail index, with the theory."}}
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

# %% [markdown]
# ## 6. How alpha is found
#
# A power law holds, if at all, from some $x_{\min}$ upwards. {cite:t}`clauset2009` try every eigenvalue as $x_{\min}$,
# fit
#
# $$ \alpha = 1 + n \Big/ \sum_i \ln\frac{x_i}{x_{\min}} $$
#
# to the $n$ values from there on (the estimator of {cite:t}`hill1975`), and keep the $x_{\min}$ for which data and law
# differ least, by their largest vertical distance $D$. {numref}`fig-rm-fit` shows the search on a spectrum for which the
# answer is known.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-fit", "caption": "A power law found: spectrum of a 1000 x 500 matrix with entries of tail index 1.5, for which theory has alpha = 1.75. Left: the tail with its fit and the bootstrap interval. Right: distance D and alpha for every candidate."}}
style.show(
    figures.primer.found_power_law(spectra.eigenvalues(random_matrices.heavy_tailed(1000, 500, 1.5, rng))),
    "rm-fit",
    note="n = 1 matrix; band: 95 % interval from 200 bootstrap samples, xmin searched in each.",
    alt="Left: the share of eigenvalues above x falls along a straight line over three decades, which the fit follows. "
    "Right: D has its minimum at the marked start of the tail, and alpha is flat around it.",
)

# %% [markdown]
# ## 7. What alpha means, and when it does not
#
# The search always ends with a number. {cite:t}`martin2021` read it as a measure of the correlations that training has
# left in a layer: the smaller alpha, the stronger. {numref}`fig-rm-kinds` shows what it says about four spectra whose
# nature is known:
#
# - a **power-law sample** and a matrix with **heavy-tailed entries**: alpha is what it should be;
# - **noise with ten planted directions**: no power law anywhere, but alpha is {glue:text}`alpha_spiked:.1f`, with little
#   spread, and {glue:text}`pass_spiked:.0f` % of the matrices pass the goodness-of-fit test for a power law;
# - **pure noise**: alpha may be anything ({glue:text}`alpha_noise_low:.1f` to {glue:text}`alpha_noise_high:.1f` in 95 % of
#   the matrices), and {glue:text}`pass_noise:.0f` % pass.
#
# A test that is passed says that the few eigenvalues in the tail do not contradict a power law, no more. The likelihood
# ratio against a lognormal law is no better here: it decides against the power law ($p < 0.05$) for
# {glue:text}`lognormal_noise:.0f` % of the matrices of noise and for {glue:text}`lognormal_spiked:.0f` % of those with spikes.
# What tells the cases apart is to look at the bulk as well: the Kolmogorov-Smirnov distance between the bulk and its Marchenko-Pastur law
# is {glue:text}`D_spiked:.3f` for noise with spikes, {glue:text}`D_noise:.3f` for noise, but
# {glue:text}`D_heavy:.3f` for heavy-tailed entries and {glue:text}`D_power:.2f` for the power-law sample (medians).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-kinds", "caption": "Alpha of four kinds of spectra of 200 eigenvalues. Left: every point is a matrix. Right: share of the matrices whose tail is not rejected as a power law."}}
style.show(
    figures.primer.kinds(runs),
    "rm-kinds",
    frame=runs,
    note=f"n = {n} matrices per kind. Right: 95 % Wilson intervals; p from {spectra_primer.GOODNESS_REPLICATES} samples each.",
    alt="Alpha of the power-law sample and of heavy-tailed entries scatters around the true values 3 and 1.75; noise with "
    "spikes gives a narrow heap near 2.9; pure noise scatters from 4 to 16.",
)

# %% [markdown]
# ## 8. What training does to a spectrum
#
# Now a network. A perceptron of 64, 512, 256 and 10 units learns scikit-learn's digits with stochastic gradient descent.
# Its weights begin as noise, so theory says what their spectra are before training.

# %%
looks = list(training_spectra.train(training_spectra.configuration("plain", seed=0, scale=scale)))
[(look.update, round(look.train_loss, 4), round(look.test_accuracy_percent, 1)) for look in looks[::4]]

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-rm-training", "caption": "The spectrum of the middle layer (512 x 256) while the network learns. Ticks at the bottom: eigenvalues beyond the edge of the fitted Marchenko-Pastur bulk."}}
figure, pictures = figures.primer.movie(looks, training_spectra.MIDDLE, 512)
style.show_animated(
    figure,
    "rm-training",
    pictures,
    seconds=0.6,
    note="n = 1 network, the one trained in the cell above.",
    alt="An animated histogram. The hump of the bulk stays where it was, on its curve, while from about update 20 on some "
    "ten eigenvalues come out of it to the right, one after the other.",
)

# %% [markdown]
# Hardly anything happens to the bulk of this middle layer: its $\sigma$ ends at {glue:text}`sigma_mp_plain_percent:.0f` % of its
# start. What is learned comes out of it: the layer has {glue:text}`num_spikes_plain:.1f` spikes at the end (mean over {glue:text}`n_trained` networks, 95 %
# interval {glue:text}`num_spikes_plain_low:.1f` to {glue:text}`num_spikes_plain_high:.1f`), about as many as there are digits. The
# rest of the matrix is still the noise that it started from. A spike before the first update is a false report, such as
# one matrix in twenty gives (section 3).
#
# ## 9. The same with a regularizer
#
# {numref}`fig-rm-metrics` follows many networks, and two more ways to train them, in the numbers that the following
# chapters use.

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

# %% tags=["remove-input"]
style.table(
    training_facts.table(ends),
    frame_of=trained,
    note=f"Middle layer after the last update: mean (95 % t interval) over n = {n_trained} networks; against plain training "
    "paired by seed: ratio of geometric means, Cohen's d of the paired log ratios, p of the t-test with Holm's correction.",
)

# %% [markdown]
# Both regularizers make alpha smaller, from {glue:text}`alpha_plain:.2f` with plain training to
# {glue:text}`alpha_weight_decay:.2f` and {glue:text}`alpha_dropout:.2f`, and for opposite reasons. Weight decay shrinks the
# noise around the spikes: $\sigma$ of the bulk falls to {glue:text}`sigma_mp_weight_decay_percent:.0f` % of its start, the
# squared norm to {glue:text}`norm_weight_decay_percent:.0f` %, and few spikes are added. Dropout widens the bulk
# a little ({glue:text}`sigma_mp_dropout_percent:.0f` %) and makes more and larger spikes, {glue:text}`num_spikes_dropout:.1f` of them,
# so that the norm *grows* to {glue:text}`norm_dropout_percent:.0f` %. One number does not tell the two apart; the bulk and its
# spikes do.
#
# **Limits.** One small network on an easy task, one strength of each regularizer, not matched in what they do to the loss.
# Whether it holds elsewhere is what paper A asks.
#
# ## 10. Pitfalls
#
# {numref}`fig-rm-pitfalls` collects four ways to find a difference where there is none.
#
# - **Aspect ratio.** Layers of different shape differ in alpha though all are pure noise. Compare a layer with itself, or
#   at a fixed aspect ratio (submatrices, after {cite:t}`hu2025`).
# - **Scale.** A network of ReLUs computes the same if one layer is multiplied by a number and the next divided by it.
#   Alpha does not see such a factor; norms and $\alpha \log_{10}\lambda_{\max}$ do, and so does alpha where eigenvalues
#   are cut off at an absolute size instead of relative to the largest.
# - **Unfolding.** A convolution kernel is no matrix. As nine slices, pooled, or as one matrix, the same
#   noise has stable ranks ($\sum\lambda/\lambda_{\max}$) of {glue:text}`rank_slices:.0f` and
#   {glue:text}`rank_reshaped:.0f`. Name the convention in every table.
# - **Tiny layers.** With {glue:text}`tiny_n` eigenvalues from a true power law of alpha 3, alpha comes out between
#   {glue:text}`tiny_low:.1f` and {glue:text}`tiny_high:.1f` in 95 % of the cases. The bootstrap interval, nominally 95 %,
#   held the truth in {glue:text}`covered_small:.0f` % of samples of that size and in
#   {glue:text}`covered_large:.0f` % of those of {glue:text}`large_n`.

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
# ## With your own model
#
# ```python
# import weightspace
# from weightspace import spectra
# from weightspace.display import figures
#
# report = weightspace.spectral_report(model)  # a row per weight matrix
# figures.spectra.layer_profile(report, "alpha")
#
# values = spectra.eigenvalues(model.fc.weight)
# figures.spectra.esd(values, N=max(model.fc.weight.shape), log=True)
# figures.spectra.tail(values)
# ```
#
# Look at the picture before you believe a number: is there a bulk, does the law fit it, what lies beyond its edge?

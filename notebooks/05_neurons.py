# %% [markdown]
# # What the neurons learned
#
# :::{admonition} In short
# :class: answer
# **Question.** What do the two weight vectors of a trained neuron look like, and how do its weights differ from those that gradient
# descent finds?
#
# **Answer.** *W*₁ and *W*₂ are blurred averages of images, and only their difference looks like a detector of strokes. Pixels
# that are empty in every training image keep {glue:text}`silent_gradient_descent:.0f` % of their random start under gradient
# descent and {glue:text}`silent_dual:.0f` % under {term}`dual weights`. Under gradient descent, noise on all pixels adds
# {glue:text}`noise_times:.1f` times as much variance to a hidden neuron as under dual weights.
#
# **How sure.** The numbers are means over *n* = {glue:text}`n_seeds` seeds on MNIST with one network, at the paper scale; the
# pictures show one seed. No claim is judged here, and that this explains what noise does to accuracy is our reading.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-cell"]
from weightspace import experiments
from weightspace.analysis import frames
from weightspace.display import figures, quotes, style, tables
from weightspace.experiments.dual_weights import neurons

runs = experiments.ensure("dual_neurons", scale, seeds, device, recompute)
methods = list(runs["method"].unique())
pictures = {style.method_label(method): neurons.images(runs, "w", method) for method in methods}
parts = {
    f"{name}, {style.method_label(method)}": neurons.images(runs, part, method)
    for method in ("dual", "dual_stabilized")
    for part, name in (("w1", "W1"), ("w2", "W2"), ("w", "W1 - W2"))
}
side = int(next(iter(pictures.values())).shape[1] ** 0.5)

# %% tags=["remove-cell"]
silent, gain = frames.select(runs, metric="silent_rms"), frames.select(runs, metric="noise_gain")
quotes.glue(
    n_seeds=runs["seed"].nunique(),
    silent_pixels=int(runs["silent_pixels"].max()),
    pixels=side * side,
    silent_gradient_descent=100 * frames.mean_of(silent, method="gradient_descent"),
    silent_dual=100 * frames.mean_of(silent, method="dual"),
    silent_dual_stabilized=100 * frames.mean_of(silent, method="dual_stabilized"),
    silent_l2_01=100 * frames.mean_of(silent, method="l2_0.1"),
    noise_times=frames.mean_of(gain, method="gradient_descent") / frames.mean_of(gain, method="dual"),
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-neurons-methods", "caption": "First-layer weights W (for the dual methods W1 - W2) of hidden neurons 0 to 9 after training. One colour scale: blue negative, white zero, red positive."}}
style.show(
    figures.classification.weight_images(pictures, (side, side)),
    "neurons-methods",
    frame=runs,
    note="n = 1 seed (seed 0), 60,000 updates on n = 1000 training images.",
    alt="Five rows of ten small images. Those of gradient descent and L2 0.01 are noise up to the border with strokes in "
    "the middle; those of the dual methods and L2 0.1 are smooth and nearly white at the border. The third image of each "
    "row is noise.",
)

# %% [markdown]
# Look at the borders of the images in {numref}`fig-neurons-methods`. Under gradient descent they are as noisy as at the start, because
# no training image has ink there: the gradient is zero, and nothing ever moves these weights. {glue:text}`silent_pixels` of the
# {glue:text}`pixels` pixels are such *silent* pixels. Under both dual methods the borders are nearly white. Every update of *W*₁ or
# *W*₂ draws **all** components towards the input, also where the input is zero ({doc}`01_dual_weight_update`).
#
# Neurons that no training image activates are the exception, because nothing moves them. Neuron 2, in the third column, still shows its random
# start; only the penalty of L2 0.1 makes it paler.
#
# **The experiment.** The network has 20 hidden units and is trained on 1,000 images of MNIST as in {doc}`03_classification`. All five
# networks of a seed start from the same random weights, so that neuron *k* of one method can be compared with neuron *k* of another.
# The idea of the pictures is the paper's {cite:p}`wang2025`; one colour scale for all and the numbers below are ours.
#
# ## Two vectors in one neuron

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-neurons-parts", "caption": "W1, W2 and their difference for hidden neurons 0 to 9 of the two dual methods. One colour scale."}}
style.show(
    figures.classification.weight_images(parts, (side, side)),
    "neurons-parts",
    frame=runs,
    note="n = 1 seed (seed 0).",
    alt="Six rows of ten images: W1 and W2 of a dual neuron are blurred averages of digits, their difference shows "
    "strokes in red and blue.",
)

# %% [markdown]
# In {numref}`fig-neurons-parts` compare the first row with the third. *W*₁ is a blurred average of the images that should have raised
# the output of the neuron, *W*₂ of those that should have lowered it, each image weighted by how much. Both look like several
# digits at once. Only the difference shows strokes: what one of the two has and the other has not.
#
# ## In numbers
#
# The table measures what the eye sees.
#
# - **Silent pixels:** the root mean square of their weights, relative to the random start. 1 means that nothing has changed.
# - **Roughness:** the mean squared difference of neighbouring pixels. It is 1 for independent pixels and near 0 for smooth images.
# - **Noise gain:** ‖*w*‖², the variance that noise of variance 1 on every pixel adds to a hidden neuron.

# %% tags=["remove-input"]
style.table(
    tables.common.metrics_by_method(
        runs, {"silent_rms": "silent pixels", "roughness": "roughness", "noise_gain": "noise gain"}
    ),
    frame_of=runs,
    note=f"Mean ± half the 95 % t interval over n = {runs['seed'].nunique()} seeds.",
)

# %% [markdown]
# Silent pixels keep {glue:text}`silent_gradient_descent:.0f` % of their start under gradient descent,
# {glue:text}`silent_l2_01:.0f` % under L2 0.1, {glue:text}`silent_dual:.0f` % under dual weights and
# {glue:text}`silent_dual_stabilized:.0f` % with the {term}`stabilizer`. What is left under the dual methods sits at least in part in
# neurons that were never active.
#
# This suggests why noise on test images hurts gradient descent most ({doc}`03_classification`): the noise reaches the silent pixels
# too, and their weights are random. The two methods with the largest noise gain do lose most accuracy under noise.
#
# ## What would change our mind
#
# - *About silent pixels and noise:* networks whose silent weights are set to zero after training and that lose as much accuracy under
#   noise as before. We have not done this experiment.
# - *About the averages:* other data, where inputs have no common shape to blur. On MNIST all digits stand in the middle.

# %% [markdown]
# # What the neurons learned
#
# The paper {cite:p}`wang2025` shows the weights of single neurons as images. Here are the same pictures for the five
# methods on one colour scale, and numbers over many seeds for what the eye sees in them.
#
# **Design.** MNIST, 2 layers, $n = 1000$, the released protocol of {doc}`03_classification`, after the last turn. All
# five networks of a seed start from the same random weights, so neuron $k$ of one method can be compared with neuron $k$
# of another.

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
from myst_nb import glue

from weightspace import experiments
from weightspace.analysis import frames
from weightspace.display import figures, style, tables
from weightspace.experiments.dual_weights import neurons

runs = experiments.ensure("dual_neurons", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
methods = list(runs["method"].unique())
pictures = {style.method_label(method): neurons.images(runs, "w", method) for method in methods}
parts = {
    f"{name}, {style.method_label(method)}": neurons.images(runs, part, method)
    for method in ("dual", "dual_stabilized")
    for part, name in (("w1", "W1"), ("w2", "W2"), ("w", "W1 - W2"))
}
side = int(next(iter(pictures.values())).shape[1] ** 0.5)
silent = frames.select(runs, metric="silent_rms")
glue("silent_pixels", int(runs["silent_pixels"].max()), display=False)
glue("pixels", side * side, display=False)
for name in ("gradient_descent", "dual", "dual_stabilized", "l2_0.1"):
    mean = frames.mean_of(silent, method=name) if len(silent) else float("nan")
    glue(f"silent_{name.replace('.', '')}", 100 * mean, display=False)

# %% [markdown]
# ## Five methods, ten neurons

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
# Gradient descent keeps the random weights that it started from wherever no training image has ink: the gradient there is
# zero, so nothing ever moves them. {glue:text}`silent_pixels` of the {glue:text}`pixels` pixels are such *silent* pixels.
# Both dual methods forget their start, because every update of $W_1$ or $W_2$ draws **all** its components towards the
# input, also where the input is zero. A neuron that no training image activates is the exception: nothing moves it, and
# number 2 above still shows its random start (the penalty of L2 0.1 fades it).
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
# $W_1$ and $W_2$ are blurred averages of digits: of those images that should have raised the neuron's output and of those
# that should have lowered it, weighted by how much. Only their difference looks like a detector.
#
# ## In numbers
#
# - **Silent pixels:** root mean square of the weights of silent pixels, relative to the random start.
# - **Roughness:** mean squared difference of neighbouring pixels; 1 for independent pixels, near 0 for smooth images.
# - **Noise gain:** $\lVert w\rVert^2$, the variance that noise of variance 1 on every pixel adds to a hidden neuron.

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
# {glue:text}`silent_l2_01:.0f` % under L2 0.1, {glue:text}`silent_dual:.0f` % under the dual method and
# {glue:text}`silent_dual_stabilized:.0f` % with the stabilizer. This is one plain reason why noise on test images hurts
# gradient descent most in {doc}`03_classification`: noise lights the silent pixels too, and their weights are random.
# That is our reading; that the methods with a large noise gain lose most under noise on MNIST agrees with it, which is no
# proof. What is left under the dual methods sits at least in part in neurons that were never active, such as number 2.

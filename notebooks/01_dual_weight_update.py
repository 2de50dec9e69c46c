# %% [markdown]
# # The dual-weight update
#
# :::{admonition} In short
# :class: answer
# **Question.** What changes if every neuron keeps two weight vectors, as paper B {cite:p}`wang2025` proposes?
#
# **Answer.** Each vector becomes a moving average of inputs: one averages the inputs that asked the neuron for a larger output, the other
# those that asked it for a smaller one. For the difference of the two, the update is a step of gradient descent plus a decay that
# grows with the error of the sample. In the example below the two ways of computing it agree to {glue:text}`digits:d` decimals.
#
# **How sure.** The decomposition is algebra, and the limit of the averages holds for a stream of inputs that does not change.
# The examples are $n = 1$ neuron each, computed on this page; whether the decay helps is for the next chapters to say. No claim
# is judged here.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-cell"]
import numpy as np

from weightspace.display import figures, interactive, quotes, style

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-plane", "caption": "W1, W2 and W of one neuron with two inputs. Thin lines: the paths of W1 and W2 during training; dashed: the line on which the neuron changes its answer."}}
points, path = figures.illustrations.neuron_in_the_plane()
style.show(
    figures.curves.plane(points, path),
    "plane",
    alt="A plane with two clouds of points. An arrow W1 ends in the cloud of target points, an arrow W2 in the cloud of "
    "non-target points, and the arrow of their difference W stands at a right angle to the dashed decision border "
    "that runs between the clouds.",
    note=f"n = 1 neuron, {len(path):,} updates on {len(points)} points of two normal clouds.",
    live=interactive.plane(points, path),
)

# %% [markdown]
# In {numref}`fig-plane` one logistic neuron learns to tell two clouds of points apart (on the screen, press *start over* and then
# *play*). Watch $W_1$: it starts at the origin and
# walks to the points to which the neuron should say yes. $W_2$ walks to those to which it should say no. Points near the border
# have the largest errors and pull hardest, so both vectors end nearer to the border than the middle of their cloud. The neuron
# computes with the difference $W$. Gradient descent would keep $W$ alone, and $W$ alone is no average of inputs.
#
# ## The rule
#
# An ordinary neuron keeps one weight vector and moves it against the gradient. A dual neuron keeps $w_1$ for what it should
# respond to (the paper calls these the *target* features) and $w_2$ for what it should not respond to (the *non-target*
# features). It computes with the difference,
#
# $$ z = (w_1 - w_2)\cdot x + b . $$
#
# Training is online: one sample per update. Let $x$ be the input of a layer, $L$ the loss, and $g = \partial L/\partial z$ the
# error signal of the neuron. Then
#
# $$
# \begin{aligned}
# r_1 &= \eta\,\max(0, -g), & w_1 &\leftarrow (1 - r_1)\, w_1 + r_1\, x,\\
# r_2 &= \eta\,\max(0, \phantom{-}g), & w_2 &\leftarrow (1 - r_2)\, w_2 + r_2\, x,
# \end{aligned}
# $$
#
# where $\eta$ is the learning rate; the bias takes a plain gradient step. If the sample asks for a larger $z$ ($g < 0$), $w_1$
# moves a little way towards $x$. If it asks for a smaller one, $w_2$ moves. The other vector does not change. The rate $r$ is one
# number for each neuron and sample.
#
# The rule is the paper's. Two details come from its released code: all layers use the gradients of one backward pass at the old
# weights, and at the start $W_1$ is drawn by {term}`He initialisation` while $W_2$ is zero.
#
# ## Gradient descent plus a decay
#
# Write the step on $w = w_1 - w_2$:
#
# $$ \Delta w = -\eta\, g\, x \;-\; r_1 w_1 \;+\; r_2 w_2 . $$
#
# The first term is exactly the step of stochastic gradient descent. The others shrink the one vector that the sample addresses,
# in proportion to $|g|$. So the method is gradient descent with a {term}`weight decay` that the sign of the error switches
# between the two vectors, and whose strength is the size of the error. A sample that is fitted well ($g \approx 0$) causes no
# decay.
#
# In the package this is `weightspace.DualLinear`. Its backward pass returns $\max(0, -g)\,(w_1 - x)$ and
# $\max(0, g)\,(w_2 - x)$ in place of gradients, so that plain `torch.optim.SGD` makes the paper's update. The next cell takes
# one step with the dual layer, and one with the ordinary layer that has the same outputs.

# %%
import torch

from weightspace import DualLinear

torch.manual_seed(0)
dual = DualLinear(3, 1, dtype=torch.float64)
torch.nn.init.normal_(dual.w2)
plain = dual.fold()  # the nn.Linear with weight w1 - w2
w = plain.weight.detach().clone()
w1, w2 = dual.w1.detach().clone(), dual.w2.detach().clone()
lr, g = 0.1, torch.tensor([[-0.7]], dtype=torch.float64)  # asks for more
x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
for layer in (dual, plain):
    layer(x).backward(g)
    torch.optim.SGD(layer.parameters(), lr=lr).step()

decay = -lr * g.abs() * w1
same = plain.weight - w + decay
print("dual layer, step on w:", (dual.weight - w).detach().numpy().round(6))
print("SGD step plus decay:  ", same.detach().numpy().round(6))
print("w2 has moved:", not torch.equal(dual.w2, w2))

# %% tags=["remove-cell"]
stream, fixed, mean = figures.illustrations.converging_neuron()
settled = stream.iloc[len(stream) // 2 :, 1:].mean().to_numpy()
difference = float((dual.weight - plain.weight - decay).detach().abs().max())
quotes.glue(
    digits=int(-np.log10(max(difference, 1e-15))),
    from_fixed=float(np.linalg.norm(settled - fixed)),
    from_mean=float(np.linalg.norm(settled - mean)),
)

# %% [markdown]
# ## What the vectors converge to
#
# On a stream of inputs that does not change, $w_1$ stops moving on average where $\mathbb{E}[r_1 (x - w_1)] = 0$, and $w_2$
# likewise. The fixed points are
#
# $$ w_1^* = \frac{\mathbb{E}[r_1\, x]}{\mathbb{E}[r_1]}, \qquad w_2^* = \frac{\mathbb{E}[r_2\, x]}{\mathbb{E}[r_2]} : $$
#
# that is, the mean input of the samples that push the neuron up, or down, each weighted by how hard it pushes. The paper's appendices C
# and D say so. Without the decay there would be no such point.
#
# {numref}`fig-fixed-point` checks this on a neuron for which the expectation is known: three samples in ten pull hard, the others
# weakly. Each component of $w_1$ settles at its pale line, the weighted mean, and not at its dotted line, the plain mean. Over the
# second half of the updates the average of $w_1$ lies {glue:text}`from_fixed:.2f` away from the weighted mean and
# {glue:text}`from_mean:.1f` away from the plain one.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fixed-point", "caption": "One weight vector of three components on a stream with known moments. Pale lines: the fixed point of the rule; dotted lines: the plain mean of the inputs."}}
style.show(
    figures.curves.fixed_point(stream, fixed, mean),
    "fixed-point",
    alt="Three components of w1 over the updates. Each rises from zero and settles to fluctuate around its pale line, "
    "the gradient-weighted mean input, and stays away from its dotted line, the plain mean input.",
    note="n = 1 neuron, one stream; the fluctuation that remains is that of a moving average with a finite rate.",
)

# %% [markdown]
# ## The stabilizer
#
# Rates that grow with $|g|$ become large where errors are large. Appendix B of the paper bounds them. Every neuron keeps a
# running mean $m$ of $|g|$ that starts at 1:
#
# $$ r_1 = \eta\,\min\!\left(1,\ 0.1\,\frac{\max(0,-g)}{m}\right), $$
#
# $$ m \leftarrow (1-\eta)\,m + \eta\,|g| \quad\text{where } g \neq 0, $$
#
# and $r_2$ likewise with $+g$. No rate exceeds $\eta$, so no sample can move a weight vector by more than the fraction $\eta$ of
# its distance to the input. A sample with an error of average size moves it by a tenth of that, so the stabilized method is
# slower to start ({doc}`02_regression`). In the package it is `DualLinear(..., stabilizer=True)`. There $m$ is a parameter whose
# gradient is $m - |g|$, so that it follows whatever learning rate is in force.
#
# ## Folding
#
# After training, the two vectors have done their work. `layer.fold()` gives the ordinary `nn.Linear` with weight $W_1 - W_2$: it
# has the same outputs and half the weights. `weightspace.fold(model)` does so for a whole model, and
# `DualLinear.from_linear(layer)` goes the other way.
#
# ## What would change our mind
#
# - *About the decomposition:* a single step in which the dual layer and gradient descent plus decay differ by more than rounding.
#   The tests of the package look for one.
# - *About the two averages:* vectors in trained networks that do not look like averages of inputs. {doc}`05_neurons` shows them.
# - *About reading the method as a weight decay:* spectra of dual networks that are nearer to another regularizer's.
#   {doc}`18_where_they_meet` compares them.

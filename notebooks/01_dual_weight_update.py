# %% [markdown]
# # The dual-weight update
#
# An ordinary neuron keeps one weight vector and moves it against the gradient. {cite:t}`wang2025` let every neuron
# keep two: $W_1$ collects what the neuron should respond to (the *target* features), $W_2$ what it should not (the
# *non-target* features), and the neuron computes with the difference,
#
# $$ z = (w_1 - w_2)\cdot x + b . $$
#
# What does that change? This chapter takes the rule apart: the update as released, its exact relation to gradient
# descent, the value that it converges to, and a picture in the plane. Everything here is computed on this page, in
# seconds; the experiments follow in {doc}`02_regression`.
#
# ## The rule
#
# Training is online: one sample per update. With the input $x$ of a layer, the loss $L$ and $g = \partial L/\partial z$,
#
# $$
# \begin{aligned}
# r_1 &= \eta\,\max(0, -g), & w_1 &\leftarrow (1 - r_1)\, w_1 + r_1\, x,\\
# r_2 &= \eta\,\max(0, \phantom{-}g), & w_2 &\leftarrow (1 - r_2)\, w_2 + r_2\, x,
# \end{aligned}
# $$
#
# where $\eta$ is the learning rate; the bias takes a plain gradient step. If the sample asks for a larger $z$
# ($g < 0$) then $w_1$ moves a little way towards $x$; if it asks for a smaller one, $w_2$ does. Each is a moving
# average of inputs, and the other one rests. The rate $r$ is one number per neuron and sample.
#
# *Source:* the rule is the paper's; the details (all layers use the gradients of one backward pass at the old weights,
# $W_1$ drawn as in {cite:t}`he2015` and $W_2 = 0$ at the start) are those of its released code.
#
# ## Gradient descent plus a decay of the active component
#
# Write the step on $w = w_1 - w_2$:
#
# $$ \Delta w = -\eta\, g\, x \;-\; r_1 w_1 \;+\; r_2 w_2 . $$
#
# The first term is exactly the step of stochastic gradient descent. The others decay the one component that the sample
# addresses, in proportion to $|g|$. So the method is gradient descent with a weight decay that is switched by the sign
# of the error and scaled by its size: a sample that is fitted well ($g \approx 0$) decays nothing.
#
# In the package this is `weightspace.DualLinear`. Its backward pass returns
# $\max(0, -g)\,(w_1 - x)$ and $\max(0, g)\,(w_2 - x)$ in place of gradients, so that plain `torch.optim.SGD` does the
# paper's update. The cell below takes one step with the dual layer and one with the ordinary layer of equal output.

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
import torch

from weightspace import DualLinear
from weightspace.display import figures, interactive, style

torch.manual_seed(0)
dual = DualLinear(3, 1, dtype=torch.float64)
torch.nn.init.normal_(dual.w2)
plain = dual.fold()  # the nn.Linear with weight w1 - w2
w, w1, w2 = plain.weight.detach().clone(), dual.w1.detach().clone(), dual.w2.detach().clone()

lr, g = 0.1, torch.tensor([[-0.7]], dtype=torch.float64)  # a sample that asks for more
x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
for layer in (dual, plain):
    layer(x).backward(g)
    torch.optim.SGD(layer.parameters(), lr=lr).step()

decay = -lr * g.abs() * w1
print("dual layer, step on w:", (dual.weight - w).detach().numpy().round(6))
print("SGD step plus decay:  ", (plain.weight - w + decay).detach().numpy().round(6))
print("w2 has moved:", not torch.equal(dual.w2, w2))

# %% [markdown]
# ## What it converges to
#
# On a stationary stream the expected change of $w_1$ vanishes where $\mathbb{E}[r_1 (x - w_1)] = 0$. The fixed point is
#
# $$ w_1^* = \frac{\mathbb{E}[r_1\, x]}{\mathbb{E}[r_1]}, \qquad w_2^* = \frac{\mathbb{E}[r_2\, x]}{\mathbb{E}[r_2]} : $$
#
# the mean input of the samples that push the neuron up (or down), each weighted by how hard it pushes. That is what
# the paper's appendices C and D state; without the decay terms there is no such point, and the rule is plain gradient
# descent. {numref}`fig-fixed-point` shows a neuron for which the expectation is known in closed form: three samples in
# ten pull hard, the others weakly. The weight vector goes to the weighted mean, not to the plain one.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fixed-point", "caption": "The fixed point, seen converging. One weight vector of three components on a stream with known moments. Pale lines: the fixed point of the rule; dotted lines: the plain mean of the inputs."}}
path, fixed, mean = figures.illustrations.converging_neuron()
style.show(
    figures.curves.fixed_point(path, fixed, mean),
    "fixed-point",
    alt="Three components of w1 over the updates. Each rises from zero and settles to fluctuate around its pale line, "
    "the gradient-weighted mean input, and stays away from its dotted line, the plain mean input.",
    note="n = 1 neuron, one stream; the fluctuation that remains is that of a moving average with a finite rate.",
)

# %% [markdown]
# ## A picture in the plane
#
# One logistic neuron learns to tell two clouds of points apart ({numref}`fig-plane`). $W_1$ starts at the origin and
# walks to the points that it should say yes to, $W_2$ to those that it should say no to; samples near the border pull
# hardest, so both end nearer to the border than the middle of their cloud. The neuron computes with the difference,
# and the dashed line is where its output changes sign. Gradient descent would keep $W$ alone, which has no such
# reading.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-plane", "caption": "W1, W2 and W of one neuron with two inputs. Thin lines: the ways of W1 and W2 during training; dashed: the decision border."}}
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
# ## The stabilizer
#
# Rates that grow with $|g|$ can become large where errors are large. Appendix B of the paper bounds them with a
# running mean $m$ of $|g|$ that every neuron keeps:
#
# $$ r_1 = \eta\,\min\!\left(1,\ 0.1\,\frac{\max(0,-g)}{m}\right), $$
#
# $$ m \leftarrow (1-\eta)\,m + \eta\,|g| \quad\text{where } g \neq 0, $$
#
# and $r_2$ likewise with $+g$; $m$ starts at 1. No rate exceeds $\eta$, so no sample can move a weight vector by more
# than the share $\eta$ of its distance to the input. A typical sample moves it by a tenth of that: the stabilized
# method is slower to start, as the first turns in {doc}`02_regression` show. In the package: `DualLinear(...,
# stabilizer=True)`, where $m$ is a parameter whose gradient is $m - |g|$, so that it follows whatever learning rate is
# in force.
#
# ## Folding
#
# After training the two vectors have done their work. `layer.fold()` gives the ordinary `nn.Linear` with weight
# $W_1 - W_2$: the same outputs, half the weights, nothing special left. `weightspace.fold(model)` does so for a whole
# model, and `DualLinear.from_linear(layer)` goes the other way.

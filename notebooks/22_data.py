# %% [markdown]
# # Data
#
# :::{admonition} In short
# :class: answer
# **Question.** Which data does the book use, and how do you know that yours are the same?
#
# **Answer.** One registry, `weightspace.data`, knows {glue:text}`datasets` data sets: where the public original is, the sha256 of its files, and
# how to read it. A file with an unknown digest is refused, wherever it comes from. The book itself needs none of them, because it is built from
# the records in `results/`.
#
# **How sure.** Every record names the digest of the data that it was computed from. One data set, CIFAR-10, comes in two editions that differ in
# {glue:text}`inexact` of 60,000 images; records say which one they used.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-cell"]
from myst_nb import glue

from weightspace import data
from weightspace.display import style, tables

inexact = sum(map(len, data.CIFAR10_INEXACT.values()))
glue("datasets", len(data.REGISTRY), display=False)
glue("inexact", inexact, display=False)
glue("inexact_test", len(data.CIFAR10_INEXACT["test_batch"]), display=False)
glue("inexact_first", len(data.CIFAR10_INEXACT["data_batch_1"]), display=False)

# %% tags=["remove-input"]
style.table(
    tables.common.data_sets(),
    note="Digest: sha256 over the digests of the files that were read, the same on every machine. "
    "Records and registry as of this build.",
)

# %% [markdown]
# A file is taken from the folder that the environment variable `WEIGHTSPACE_DATA` names, else from the user's cache, else it is downloaded from its
# public origin. `python -m weightspace data` lists what was found on a machine and whether it is verified; `make data` downloads what is missing.
#
# ## Sources
#
# - **California Housing** {cite:p}`pace1997`: 1990 census block groups, in the form with 20,640 rows and a column of
#   ocean proximity. As in the released code of paper B, rows with a missing value are dropped and the eight numeric
#   columns kept; target: median house value.
# - **Wine Quality** {cite:p}`cortez2009`, white and red: eleven physicochemical measurements, target: quality. The
#   experiments use the white wines, as the released code does. CC BY 4.0.
# - **MNIST** {cite:p}`lecun1998` and **Fashion-MNIST** {cite:p}`xiao2017`: 28 x 28 grey images, ten classes.
# - **CIFAR-10** {cite:p}`krizhevsky2009`: 32 x 32 colour images, ten classes.
# - **SST-2** {cite:p}`socher2013`: sentences of film reviews with their sentiment, in the edition of GLUE. Its development
#   set serves as the test set, because the labels of the test set are not public.
# - **Released measurements of paper A** {cite:p}`ba2024`: the 513 CSV files of the authors' repository
#   `YangBa78/Data-Diversity-as-Implicit-Regularization` (commit 5949497), spectra before and after training, scores and texts.
#   They come without a licence, so that they are read where they are and never passed on; one digest covers all of them,
#   whether they come as an archive or unpacked. {doc}`10_released_measurements` is built from numbers derived from them.
#   The training texts of the complaints task are among them.
# - **Diabetes** and **Digits** ship inside scikit-learn; the quick scale uses them, so that it needs no download.
#
# ## Two editions of CIFAR-10
#
# The registry accepts the canonical batches and one known rebuild, which it verifies by its pixels and labels, batch by batch. The rebuild has all
# labels and all but {glue:text}`inexact` of the 60,000 images exactly. Those {glue:text}`inexact` ({glue:text}`inexact_first` in the first training
# batch, {glue:text}`inexact_test` in the test batch) are decoded JPEG copies of the right images. The column `data_variant` of a record says which
# edition it used. Of what is on record, {doc}`03_classification` and {doc}`04_instability` read the first batch of CIFAR-10, and {doc}`07_imbalance`
# also its test batch.
#
# ## Pretrained weights
#
# The weights that the book uses ship inside packages of the Python package index, which the lock file pins: EfficientNet-Lite0 trained on ImageNet
# {cite:p}`tan2019` and MiniLM trained on pairs of sentences {cite:p}`wang2020`. Both files are verified by their digests. Those of CLIP, BERT and
# torchvision's ResNet-18 are used where they are in the cache of their library, and downloaded only when asked for.
#
# ## A leak that we keep
#
# Paper B's released code standardizes every column over the **whole** file before it draws training rows, test rows included. We follow it in order
# to reproduce it. It leaks the mean and the spread of the test rows into training. All methods of a comparison share the leak.

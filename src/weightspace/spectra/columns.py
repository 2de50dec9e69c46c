"""What each column of the spectral report says: the one place that help, the site and the table of a report read."""

from __future__ import annotations

COLUMNS = {
    "layer_id": "number of the row",
    "name": "name of the weight in the model",
    "layer_type": "kind of the layer; a guess where only a state_dict is known",
    "unfolding": "how the weight became a matrix: a convolution as (out, in k), depthwise kernels one by one",
    "N": "larger side of the matrix",
    "M": "smaller side of the matrix",
    "Q": "aspect ratio N / M",
    "num_evals": "number of eigenvalues lambda = s^2 (s: singular values), M for each matrix that is pooled",
    "alpha": "exponent of the power law of the largest eigenvalues, corrected for bias; small: a heavy tail. None "
    "below 10 eigenvalues, where the tail has fewer than 20 values or is flat to rounding (orthogonal weights), and "
    "for depthwise convolutions",
    "alpha_low": "lower end of the 95 % bootstrap interval of alpha; with intervals > 0",
    "alpha_high": "upper end of the same interval",
    "D": "Kolmogorov-Smirnov distance between the tail and its power law",
    "xmin": "smallest eigenvalue of the tail, chosen so that D is smallest",
    "sigma": "standard error of alpha for the tail as given; the search for xmin makes the true one larger",
    "n_tail": "number of eigenvalues in the tail",
    "p": "p-value of the power law, which Clauset et al. reject below 0.1; with goodness > 0",
    "alpha_weighted": "alpha log10 of the largest eigenvalue",
    "log_alpha_norm": "log10 of sum lambda^alpha",
    "norm": "sum of the eigenvalues, the squared Frobenius norm",
    "log_norm": "log10 of norm",
    "spectral_norm": "largest eigenvalue, the squared spectral norm",
    "log_spectral_norm": "log10 of spectral_norm",
    "stable_rank": "norm / spectral_norm: 1 where one direction holds everything, M where all hold the same",
    "entropy": "entropy of lambda / norm, divided by ln num_evals: from 0 to 1",
    "effective_rank": "exp of the entropy of lambda / norm: the number of directions that matter",
    "effective_rank_singular": "the same of the singular values s / sum s",
    "matrix_rank": "eigenvalues that rounding in the stored type does not hide; the others count as zero",
    "sigma_mp": "standard deviation of the entries in the bulk of noise (Marchenko-Pastur law); None, as in the "
    "columns that follow, where more than half of the eigenvalues lie beyond the bulk",
    "lambda_plus": "upper end of the Marchenko-Pastur law with sigma_mp, in units of lambda",
    "edge": "eigenvalues of noise stay below it in 95 % of cases (Tracy-Widom), in units of lambda",
    "num_spikes": "number of eigenvalues above edge: directions that noise does not explain",
    "mp_softrank": "lambda_plus / spectral_norm: near 1 for noise, small where training has left its mark",
    "D_mp": "Kolmogorov-Smirnov distance between the bulk and its law",
    "reason": "why numbers are missing; empty where none is",
}
"""Column of ``spectral_report`` (convention "weightspace") -> what it says, in the order of the table.

None: NaN in the table.
"""

"""Spectra of weight matrices: eigenvalues, the laws they follow, and the numbers that sum them up.

Eigenvalues are those of W^T W, the squared singular values of W, not divided by N; N is the larger and M the smaller
side of W, Q = N / M.
"""

from weightspace.spectra import distances, marchenko_pastur, metrics, power_law
from weightspace.spectra.eigen import eigenvalues, eigenvalues_of
from weightspace.spectra.estimates import estimate

__all__ = ["distances", "eigenvalues", "eigenvalues_of", "estimate", "marchenko_pastur", "metrics", "power_law"]

"""All claims of the two papers that this project judges, by the rule in ``verdicts``."""

from __future__ import annotations

from weightspace import claims_diversity, claims_dual_weight, claims_regularizers

CLAIMS = (*claims_dual_weight.CLAIMS, *claims_diversity.CLAIMS, *claims_regularizers.CLAIMS)

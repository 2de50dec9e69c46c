"""All claims of the two papers and of our own that this project judges, by the rule in ``verdicts``."""

from __future__ import annotations

from weightspace.claims import diversity as claims_diversity
from weightspace.claims import dual_weights as claims_dual_weight
from weightspace.claims import meeting as claims_meeting
from weightspace.claims import regularizers as claims_regularizers
from weightspace.claims import training_sets as claims_training_sets

CLAIMS = (
    *claims_dual_weight.CLAIMS,
    *claims_diversity.CLAIMS,
    *claims_regularizers.CLAIMS,
    *claims_training_sets.CLAIMS,
    *claims_meeting.CLAIMS,
)

"""From records to findings: numbers and frames with intervals and tests, without labels or colours."""

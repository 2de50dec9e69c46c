"""WeightWatcher in a process of its own: a line in (CHECKPOINT OPTIONS TABLE), the processor seconds of the table out.

Importing it silences all warnings and configures logging, which is why it is never imported beside our own code.
"""

import contextlib
import logging
import sys
import time

import torch
import weightwatcher

for name in (None, "weightwatcher"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

for line in sys.stdin:
    checkpoint, options, table = line.split()
    weights = torch.load(checkpoint, weights_only=True)
    with contextlib.redirect_stdout(sys.stderr):
        start = time.process_time()
        details = weightwatcher.WeightWatcher(model=weights).analyze(mp_fit=options == "mp_fit")
        seconds = time.process_time() - start
    details.to_pickle(table)
    print(seconds, flush=True)

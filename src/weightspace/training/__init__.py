"""How networks are trained: whole models, stacks of small ones in mini-batches or from one sample at a time."""

"""How the runs of paper A's experiments are computed. These modules need PyTorch, which takes seconds to import."""

"""How the runs of paper B's experiments are computed. These modules need PyTorch, which takes seconds to import."""

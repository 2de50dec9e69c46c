"""The experiments of paper B: networks that learn with two weight vectors per neuron."""

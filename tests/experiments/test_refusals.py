"""What cannot be run is refused in one line that names the setting, when the configuration is made."""

import pytest
from plans import one

from weightspace.campaigns.configuration import with_changes

REFUSED = {
    "dual_regression": [
        ({"turns": -3}, "turns: input should be greater than or equal to 1, got -3"),
        ({"train_size": 443}, "train_size: diabetes has 442 rows to draw .* from, got 443"),
    ],
    "dual_classification": [
        ({"turns": "abc"}, "turns: input should be a valid integer, got 'abc'"),
        ({"train_size": 1798}, "train_size: digits has 1,797 rows to draw .* from, got 1,798"),
        ({"hidden": [20, 20, 20]}, r"layers: . of them have . hidden widths, got hidden \(20, 20"),
        ({"task": "regression"}, "task: the dataset digits is for classification, got regression"),
        ({"method": "l2_x"}, "method: unknown method 'l2_x': use one of dual, dual_stabilized"),
        ({"dtype": "float16"}, "dtype: input should be 'float32' or 'float64', got 'float16'"),
    ],
    "dual_sparse": [
        ({"dataset": "mnist", "train_size": 55_001}, "train_size: mnist has 55,000 rows"),
        ({"noise_std": 0.1}, "noise_std: no run of this experiment reads it, so it has to stay 0.3"),
    ],
    "dual_noise": [
        ({"dataset": "cifar10", "train_size": 10_001}, "train_size: cifar10 has 10,000 rows"),
        ({"input_noise": [-0.1]}, "input_noise.0: input should be greater than or equal to 0, got -0.1"),
        ({"label_noise": 1.5}, "label_noise: input should be less than or equal to 1, got 1.5"),
    ],
    "dual_imbalance": [({"imbalance_ratio": 0}, "imbalance_ratio: input should be greater than or equal to 1, got 0")],
    "dual_instability": [
        ({"looks_per_turn": 501}, "looks_per_turn: at most updates_per_turn, 500, got 501"),
        ({"layers": 3, "hidden": [9, 9]}, "layers: no run of this experiment reads it.* stay 2"),
    ],
    "dual_neurons": [({"units_shown": 21}, "units_shown: the first layer has 20 units, got 21")],
    "dual_spectra": [
        ({"checkpoints": [0.5, 0.5]}, "checkpoints: ascending fractions of the 3,000 updates"),
        ({"checkpoints": []}, "checkpoints: ascending fractions of the 3,000 updates"),
        ({"label_noise": 0.2}, "label_noise: 0 in regression, which has no labels, got 0.2"),
        ({"test_rows": 1}, "test_rows: input should be greater than or equal to 2, got 1"),
    ],
    "dual_contrastive": [
        ({"batch_size": 1501}, "batch_size: at most half of .* 1,500 samples, got 1,501"),
        ({"rates": []}, "rates: tuple should have at least 1 item"),
    ],
    "dual_regression_losses": [({"loss_edges": 2}, "loss_edges: input should be greater than or equal to 3, got 2")],
    "dual_regression_tuned": [
        ({"validation_share": 1.0}, "validation_share: input should be less than 1, got 1.0"),
        ({"candidates": {}}, "candidates: those of at least one tuned method, got none"),
        ({"candidates": {"a": [["sgd", 0.1, 0.0]]}}, "candidates: a has an unknown method 'sgd'"),
    ],
    "dual_classification_tuned": [
        ({"candidates": {"a": [["sgd", 0.1, 0.5]]}}, "candidates: .* rho, 0 but for sam"),
        ({"candidates": {"a": [["dual", 0.1, 1.5]]}}, r"candidates: .* a share in \(0, 1\]"),
        ({"batch_size": 3001}, "batch_size: at most .* 3,000 samples, got 3,001"),
    ],
    "dual_inference_cost": [
        ({"input": [3, 8, 8]}, r"input: the model mlp.* takes \(784,\), got \(3, 8, 8\)"),
        ({"forms": ["dual"]}, "forms: plain and others, each once"),
    ],
    "spectra_primer": [
        ({"N": 1}, "N: equal to M in study sample, at least M elsewhere, got N 1, M 25"),
        ({"strength": 1.0}, "strength: study edge with ensemble gaussian does not read it"),
        ({"tail_index": 1.0}, "tail_index: positive for heavy_tailed entries, else 0, got 1"),
    ],
    "training_spectra": [
        ({"dropout": 0.5}, "dropout: positive in the arm of that name, else 0, got 0.5 in arm plain"),
        ({"test_images": 1797}, "test_images: fewer than the 1,797 images of digits, got 1,797"),
    ],
    "released_measurements": [
        ({"tasks": ["complaints"]}, "tasks: the model clip_rn50 has cifar10, .* got complaints"),
        ({"digest": "0"}, "digest: that of the dataset simulated is none, got 0"),
    ],
    "diversity_cifar10": [
        ({"epochs": -3}, "epochs: input should be greater than or equal to 1, got -3"),
        ({"epochs": "abc"}, "epochs: input should be a valid integer, got 'abc'"),
        ({"train_size": 1_298}, "train_size: digits has 1,297 training images, got 1,298"),
        ({"test_size": 501}, "test_size: digits has 500 test images, got 501"),
        ({"batch_size": 129}, "batch_size must be at most train_size, 128, got 129"),
        ({"spectra_epochs": [2]}, "spectra_epochs must not lie beyond epochs, 1, got"),
        ({"augmentation": "mixup"}, "augmentation: input should be '', 'auto_augment'"),
        ({"dropout": 0.3}, "setting and category must be dropout_0.3 and dropout for dropout 0.3"),
        ({"dropout": 0.3, "weight_decay": 0.1}, "setting has one regularizer at most, got dropout"),
        ({"arm": "cumulative"}, "arm cumulative is of augmentation levels above the first"),
        ({"dataset": "cifar11"}, "dataset must be one of cifar10, fashion_mnist, mnist, digits or"),
    ],
    "diversity_tuning": [({"validation_share": 0.9}, "validation_share must leave a batch of 32 of 128 images")],
    "diversity_hessian": [({"batches": 5}, "batches: 128 training images are 4 batches of 32, got 5")],
    "diversity_sets": [({"set_size": 129}, "set_size must be at most train_size, 128, got 129")],
    "diversity_scratch_sets": [
        ({"reference_size": 1_170}, "reference_size: behind the training images digits has 1,169"),
        ({"neighbours": 64}, "neighbours must be below reference_size, 64, got 64"),
    ],
    "diversity_imagenet_sets": [
        ({"augmentation": "mixup"}, "augmentation: input should be '', 'auto_augment'"),
        ({"resolution": 16}, "resolution: input should be greater than or equal to 32"),
    ],
    "diversity_transfer": [({"model": "clip_rn50"}, "resolution: clip_rn50 takes 224 only, got 32")],
    "diversity_text": [
        ({"every": 5}, "batch_size: of made_up there are 26 training texts with every 5, got 32"),
        ({"every": 129}, "every: made_up has 128 training texts, got 129"),
        ({"augmentation": "mixup"}, "augmentation: made_up has sr_0.3"),
        ({"encoder": {"depth": 3}}, "encoder.depth.*input should be 'hidden_size'"),
    ],
    "diversity_text_tuning": [({"batch_size": 60}, "held_out_every must leave a batch of 60 of 64 texts")],
    "diversity_synthetic_generator": [
        ({"generator_batch_size": 65}, "generator_batch_size must be at most train_size"),
        ({"border": 1, "channels": [8, 8, 8]}, "a side of 30 cannot be halved 2 times"),
    ],
    "diversity_synthetic_sets": [
        ({"judge_size": 1_234}, "judge_size: behind the training set digits has 1,233 images"),
        ({"generator": {"steps": 0}}, "generator must be given where images are synthetic"),
    ],
    "diversity_spectra": [({"run": "abc"}, "run: string should match pattern")],
    "diversity_from_scratch": [
        ({"train_size": 1_298}, "train_size: digits has 1,297 training images, got 1,298"),
        ({"batch_size": 129}, "batch_size must be at most train_size, 128, got 129"),
        ({"score_epochs": [3]}, "score_epochs must not lie beyond epochs, 2"),
        ({"augmentation": "mixup"}, "augmentation: input should be '', 'auto_augment'"),
    ],
    "diversity_vit": [
        ({"heads": 5}, "heads must divide the width, 24, got 5"),
        ({"patch": 5}, "patch: input should be 2, 4, 8 or 16"),
        ({"kernel_norm": "fixed"}, "kernel_norm: input should be 'free'"),
    ],
    "diversity_mnist": [
        ({"dataset": "fashion_mnist"}, "shifted: fashion_mnist has other classes than digits"),
        ({"shifted": ["cifar10"]}, "shifted.0: input should be 'mnist' or 'digits'"),
    ],
    "diversity_transfer_fitted": [({"resolution": 16}, "resolution: input should be greater than or equal to 32")],
    "diversity_amounts setting=added_1": [
        ({"synthetic_fraction": 0.5}, "added: 0 where images are replaced, synthetic_fraction > 0, got 1"),
        ({"added": 2}, "added: at most the 1 copies of the generator, got 2"),
        ({"augmentation": "noise50"}, "augmentation, label_noise: none where images are synthetic"),
    ],
    "diversity_amounts setting=synthetic_1": [
        ({"label_noise": 0.1}, "augmentation, label_noise: none where images are synthetic"),
        ({"synthetic_fraction": 0.0}, "generator must be given where images are synthetic"),
        ({"synthetic_fraction": 1.5}, "synthetic_fraction: input should be less than or equal to 1"),
    ],
    "diversity_amounts setting=baseline": [
        ({"synthetic_fraction": 0.5}, "generator must be given where images are synthetic, and only there")
    ],
    "diversity_complaints": [
        ({"augmentation": "mixup"}, "augmentation: made_up has sr_0.3"),
        ({"dataset": "titles", "augmentation": "added_1"}, "augmentation: titles has sr_0.3.*got 'added_1'"),
        ({"batch_size": 65}, "batch_size: of made_up there are 64 training texts"),
        ({"score_epochs": [0]}, "score_epochs.0: input should be greater than or equal to 1"),
    ],
    "dual_today network=resnet18": [
        ({"weights": "dual", "weight_decay": 0.1}, "weight_decay: 0 with dual weights"),
        ({"augmentation": "sr_0.5"}, "augmentation: a level of images"),
        ({"train_size": 1290}, "train_size: at most 1,265 images of digits"),
        ({"test_size": 501}, "test_size: at most 500 images"),
        ({"batch_size": 65}, "batch_size: at most train_size, 64"),
    ],
    "dual_today network=minilm_l6": [
        ({"augmentation": "noise50"}, "augmentation: one of sr_0.3"),
        ({"train_size": 120}, "train_size: at most 96 texts of made_up"),
    ],
}
"""Experiment, and what chooses the run that is changed -> changes, and what is said of them."""


@pytest.mark.parametrize(
    ("start", "changes", "message"), [(start, *case) for start, cases in REFUSED.items() for case in cases]
)
def test_what_cannot_be_run_is_refused_in_one_line(start, changes, message):
    name, *chosen = start.split()
    with pytest.raises(ValueError, match=message) as found:
        with_changes(one(name, **dict(text.split("=") for text in chosen)), changes)
    assert "\n" not in str(found.value)

"""Networks of paper A: a ResNet-18 for small images, and pretrained ones that are fine-tuned."""

from weightspace.models.pretrained import Classifier, image_inputs, pretrained, tokenize, vocabulary
from weightspace.models.resnet import ResNet18

__all__ = ["Classifier", "ResNet18", "image_inputs", "pretrained", "tokenize", "vocabulary"]

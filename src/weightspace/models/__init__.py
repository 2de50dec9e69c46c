"""Networks of paper A: classifiers of small images from scratch, and pretrained ones that are fine-tuned."""

from weightspace.models.pretrained import Classifier, image_inputs, pretrained, tokenize, vocabulary
from weightspace.models.resnet import ResNet18
from weightspace.models.vision_transformer import VisionTransformer

__all__ = ["Classifier", "ResNet18", "VisionTransformer", "image_inputs", "pretrained", "tokenize", "vocabulary"]

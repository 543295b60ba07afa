"""The parts of a fitted classifier in a model file, and a classifier from them (see :mod:`.persist` for the file)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from gatecast.base.errors import ModelFileError, NotFittedError
from gatecast.base.named import to_text
from gatecast.batches.windows import Standardizer
from gatecast.forecasters.classifier import LSTMClassifier
from gatecast.forecasters.labels import as_array
from gatecast.models.classifier import SequenceClassifier
from gatecast.models.config import NetConfig
from gatecast.nn.losses import LOSSES
from gatecast.training.config import FitConfig

_FITTED = ("best_step_", "sequences_", "held_back_", "longest_", "fit_seconds_", "history_", "n_features_in_")


def facts_of(classifier: LSTMClassifier, nowhere: dict[str, Any]) -> dict[str, Any]:
    """Everything but tensors, as JSON holds it.

    Args:
        classifier: fitted.
        nowhere: settings of training that name places of this machine, and what stands for them.

    Raises:
        NotFittedError: before ``fit``.
        ModelFileError: labels or a loss that the file cannot hold.
    """
    if not hasattr(classifier, "model_"):
        raise NotFittedError("save needs a fitted classifier; call fit(X, y) first")
    classes = classifier.classes_.tolist()
    odd = [label for label in classes if not isinstance(label, str | int | float)]
    if odd:
        raise ModelFileError(f"the label {odd[0]!r} cannot be saved; only numbers and texts can")
    loss = classifier.loss
    if not isinstance(loss, str) and type(loss) not in LOSSES.values():
        raise ModelFileError(
            f"a loss of your own, {type(loss).__name__}, cannot be saved; only {', '.join(LOSSES)} can"
        )
    fit = replace(classifier.fit_config or FitConfig(), **nowhere)
    return {
        "kind": "classifier",
        "net": asdict(classifier._net()),
        "loss": to_text(loss, LOSSES),
        "class_weight": _pairs(classifier.class_weight),
        "standardize": classifier.standardize,
        "fit": fit.to_dict(),
        "seed": classifier.seed,
        "classes": classes,
        "fitted": {name: getattr(classifier, name) for name in _FITTED},
        "described": {**classifier.describe(), "fit": fit.to_dict()},
    }


def tensors_of(classifier: LSTMClassifier) -> dict[str, Tensor]:
    """Weights and the scale of the features."""
    tensors = {f"model.{name}": value.contiguous() for name, value in classifier.model_.state_dict().items()}
    scales = classifier.scales_
    return {**tensors, "mean": torch.from_numpy(scales.mean.copy()), "spread": torch.from_numpy(scales.spread.copy())}


def rebuild(facts: dict[str, Any], tensors: dict[str, Tensor], nowhere: dict[str, Any]) -> LSTMClassifier:
    """A fitted classifier from its parts."""
    weight = facts["class_weight"]
    classifier = LSTMClassifier(
        net=NetConfig(**facts["net"]),
        loss=facts["loss"],
        class_weight=dict(map(tuple, weight)) if isinstance(weight, list) else weight,
        standardize=facts["standardize"],
        fit=FitConfig(**{**facts["fit"], **nowhere}),
        seed=facts["seed"],
    )
    for name in _FITTED:
        setattr(classifier, name, facts["fitted"][name])
    classifier.classes_ = as_array(facts["classes"])
    mean, spread = (tensors[name].numpy().copy() for name in ("mean", "spread"))
    classifier.scales_ = Standardizer(mean, spread)
    sizes = classifier.n_features_in_, len(classifier.classes_)
    model = SequenceClassifier(*sizes, classifier._net(), classifier._loss())
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    classifier.model_ = model.eval()
    return classifier


def _pairs(class_weight: Any) -> Any:
    """A dict as pairs, since JSON's keys are texts."""
    return [list(pair) for pair in class_weight.items()] if isinstance(class_weight, dict) else class_weight

"""The LSTM classifier: from labelled sequences to a trained network, and from sequences to classes."""

from __future__ import annotations

import inspect
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.base.errors import ModelFileError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.base.named import from_text, to_text
from gatecast.base.options import call_text, require_configs
from gatecast.base.suggest import suggests
from gatecast.batches.sequences import LabelledSequences, one_window_each
from gatecast.batches.windows import Standardizer
from gatecast.forecasters.labels import as_array, classes_of, labels_of, sequences_of, split, weights_of
from gatecast.forecasters.learned import (
    State,
    fit_in_processes,
    portable,
    portable_from,
    prefixed,
    under,
    versions,
)
from gatecast.forecasters.members import with_own_checkpoint
from gatecast.forecasters.state_check import check_classifier, with_weights
from gatecast.forecasters.window_plan import steps_of
from gatecast.models.classifier import SequenceClassifier
from gatecast.models.config import NetConfig
from gatecast.nn.draws import drawing, injected
from gatecast.nn.losses import (
    LOSSES,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
)
from gatecast.training.config import FitConfig
from gatecast.training.launch import needs_launch, resolve_world
from gatecast.training.threads import threads_of

CHUNK = 512  # sequences in one forward pass
_FITTED = ("best_step_", "sequences_", "held_back_", "longest_", "fit_seconds_", "history_", "n_features_in_")
_FORECAST_OPTIONS = ("kind", "segment", "embedding", "id_embedding", "base", "linear", "skip")


@suggests(net=NetConfig, fit=FitConfig)
class LSTMClassifier:
    """Classify sequences, with the interface of a scikit-learn estimator.

    Args:
        net: shape of the network: ``cell``, ``hidden_size``, ``num_layers``, ``dropout``, ``bidirectional`` and the
            other fields of the recurrent layers.
        loss: ``"categorical_crossentropy"``, also with settings, ``"categorical_crossentropy(label_smoothing=0.1)"``;
            or a :class:`gatecast.nn.losses.Loss` of logits and numbers of classes.
        class_weight: None; ``"balanced"``: each class counts as much as every other; or ``{label: weight}``.
        standardize: scale each feature to mean 0 and standard deviation 1 over all steps of training.
        fit: settings of training. ``validation`` counts sequences held back to stop by (None: one sixth of each
            class; 0: none); ``refit=True`` trains again on all for the best number of steps.
        seed: of everything random.

    Attributes:
        classes_: labels in ascending order, the columns of ``predict_proba``.
        n_features_in_: features of each step.
        history_: one entry for each evaluation of training.

    Example:
        >>> import numpy as np
        >>> from gatecast import FitConfig, LSTMClassifier, NetConfig
        >>> X = np.random.default_rng(0).normal(size=(60, 8, 1))
        >>> y = np.where(X[:, 0, 0] > X[:, -1, 0], "falls", "rises")
        >>> model = LSTMClassifier(net=NetConfig(hidden_size=8), fit=FitConfig(steps=60)).fit(X, y)
        >>> model.classes_.tolist(), model.predict_proba(X).shape
        (['falls', 'rises'], (60, 2))
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        *,
        net: NetConfig | None = None,
        loss: str | Loss = "categorical_crossentropy",
        class_weight: Any = None,
        standardize: bool = True,
        fit: FitConfig | None = None,
        seed: int = 1,
    ) -> None:
        self.net = net
        self.loss = loss
        self.class_weight = class_weight
        self.standardize = standardize
        self.fit_config = fit
        self.seed = seed

    # ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────
    def fit(self, X: Any, y: Any) -> Self:
        """Train on labelled sequences.

        Args:
            X: array ``(sequences, time, features)``, or a list of arrays ``(time, features)`` of any lengths.
            y: a label for each: numbers, texts, tuples.

        Raises:
            DataError: sequences and labels do not match, a value is not finite, or there is only one class.
            SettingError: an argument does not fit the data.
            TrainingError: the loss is not finite.
        """
        clock = time.perf_counter()
        require_configs(net=(self.net, NetConfig), fit=(self.fit_config, FitConfig))
        config = resolve_world(self._config())
        sequences = sequences_of(X)
        labels = labels_of(y, len(sequences))
        if needs_launch(config):
            self._set_learned(*fit_in_processes(self, config, sequences, labels))
        else:
            self._learn(sequences, labels, config)
        self.fit_seconds_ = time.perf_counter() - clock
        return self

    def _learn(self, sequences: list[np.ndarray], labels: list[Any], config: FitConfig) -> None:
        """Train on a part of the sequences and, with ``refit``, again on all for the best number of steps."""
        net, loss, classes = self._net(), self._loss(), classes_of(labels)
        order = {label: number for number, label in enumerate(classes.tolist())}
        numbers = np.array([order[label] for label in labels])
        weights = weights_of(self.class_weight, classes, numbers)
        training, held_back = split(numbers, config.validation, self.seed)
        scales = self._scales([sequences[k] for k in training.tolist()])
        data = LabelledSequences([_scaled(one, scales) for one in sequences], numbers, weights)
        sizes = sequences[0].shape[1], len(classes)
        model, best, history = self._train(data, (training, held_back), sizes, net, loss, config)
        if config.refit and len(held_back):
            again = with_own_checkpoint(replace(config, steps=best, epochs=None), "-refit")
            everything = torch.arange(len(data)), held_back[:0]
            model, _, _ = self._train(data, everything, sizes, net, loss, again, name="training-refit")
        self.classes_, self.n_features_in_, self.scales_ = classes, sizes[0], scales
        self.history_, self.best_step_ = history, best
        self.sequences_, self.held_back_, self.longest_ = len(training), len(held_back), data.longest
        self.model_ = model

    def _train(
        self,
        data: LabelledSequences,
        parts: tuple[Tensor, Tensor],
        sizes: tuple[int, int],
        net: NetConfig,
        loss: Loss,
        config: FitConfig,
        name: str = "training",
    ) -> tuple[SequenceClassifier, int, list[dict[str, Any]]]:
        """A trained network, its best step and its evaluations; ``parts`` are learned from and held back."""
        from gatecast.training.loop import train

        with threads_of(config.threads), drawing(self.seed):
            with injected():
                model = SequenceClassifier(*sizes, net, loss)
            steps, (training, held_back) = steps_of(config, len(parts[0])), map(one_window_each, parts)
            run = train(model, data, training, held_back, config, steps=steps, seed=self.seed, name=name)
        return model.eval(), run.best_step, run.entries

    def _config(self) -> FitConfig:
        config = self.fit_config or FitConfig()
        for name in ("origins", "loss_weight"):
            if getattr(config, name) != getattr(FitConfig(), name):
                raise SettingError(Arg(name, of="FitConfig") + " is an option of forecasts", "leave it out")
        return config

    def _net(self) -> NetConfig:
        net, plain = self.net or NetConfig(), NetConfig()
        changed = [name for name in _FORECAST_OPTIONS if getattr(net, name) != getattr(plain, name)]
        if changed:
            raise SettingError(Arg(changed[0], of="NetConfig") + " is an option of forecasts", "leave it out")
        return net

    def _loss(self) -> Loss:
        """The loss of logits and numbers of classes."""
        loss = from_text("loss", self.loss, LOSSES)
        if not isinstance(loss, Loss) or not loss.classes:
            known = ", ".join(name for name, kind in LOSSES.items() if kind.classes)
            raise SettingError(Arg("loss") + f" must be a loss of classes ({known}), got {self.loss!r}")
        if isinstance(loss, CategoricalCrossentropy | SparseCategoricalCrossentropy):
            return SparseCategoricalCrossentropy(from_logits=True, label_smoothing=loss.label_smoothing)
        return loss

    def _scales(self, sequences: list[np.ndarray]) -> Standardizer:
        if self.standardize:
            return Standardizer.fit(np.concatenate(sequences))
        features = sequences[0].shape[1]
        return Standardizer(np.zeros(features, np.float32), np.ones(features, np.float32))

    # ── classifying ────────────────────────────────────────────────────────────────────────────────────────────────
    def predict_proba(self, X: Any) -> Float[np.ndarray, "sequences classes"]:
        """Probability of each class, in the order of ``classes_``.

        Raises:
            NotFittedError: before ``fit``.
            DataError: a sequence has another number of features than those of ``fit``, or a value is not finite.
        """
        if not hasattr(self, "model_"):
            remedy = "call " + Call("fit", ..., ...) + " first, or " + Call("gatecast.load", ...)
            raise NotFittedError("predict needs a fitted classifier", remedy)
        sequences = sequences_of(X, features=self.n_features_in_)
        parts = []
        with torch.inference_mode():
            for k in range(0, len(sequences), CHUNK):
                data = LabelledSequences([_scaled(one, self.scales_) for one in sequences[k : k + CHUNK]])
                every = torch.arange(len(data))
                parts.append(self.model_.logits(data.gather(every, every)).softmax(-1))
        return torch.cat(parts).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each sequence."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def score(self, X: Any, y: Any) -> float:
        """Accuracy: the share of the sequences whose label is predicted."""
        labels = labels_of(y, len(X))
        return float(np.mean([mine == true for mine, true in zip(self.predict(X).tolist(), labels, strict=True)]))

    # ── about ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor (scikit-learn's ``clone`` reads them)."""
        return {name: getattr(self, _attribute(name)) for name in _arguments()}

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor; call ``fit`` again afterwards.

        Raises:
            SettingError: no such argument.
        """
        for name, value in params.items():
            if name not in _arguments():
                known = ", ".join(_arguments())
                raise SettingError(f"LSTMClassifier has no argument {name!r}", f"its arguments are {known}")
            setattr(self, _attribute(name), value)
        return self

    def __repr__(self) -> str:
        return call_text(self, self.get_params())

    @property
    def parameters_(self) -> int:
        """Number of learned numbers."""
        return sum(weight.numel() for weight in self.model_.parameters())

    def describe(self) -> dict[str, Any]:
        """What ran, for the model file."""
        return {
            "model": type(self).__name__,
            "classes": self.classes_.tolist(),
            "features": self.n_features_in_,
            "longest": self.longest_,
            "net": asdict(self._net()),
            "loss": self.loss if isinstance(self.loss, str) else repr(self.loss),
            "fit": resolve_world(self.fit_config or FitConfig()).to_dict(),
            "parameters": self.parameters_,
            "sequences": self.sequences_,
            "held_back": self.held_back_,
            "best_step": self.best_step_,
            "seed": self.seed,
            "seconds": round(self.fit_seconds_, 3),
            "versions": versions(),
        }

    # ── the model file ────────────────────────────────────────────────────────────────────────────────────────────
    def save(self, path: str | Path) -> Path:
        """Write the fitted classifier to one ``.gatecast`` file (no pickle; the data itself is not in it).

        Raises:
            NotFittedError: before ``fit``.
            ModelFileError: a loss that is not built in, or labels that JSON cannot hold.
        """
        from gatecast.forecasters.model_file import write

        return write(path, *self.to_state())

    def to_state(self) -> State:
        """Settings and everything learned, without the data: facts as JSON holds them, and tensors."""
        if not hasattr(self, "model_"):
            raise NotFittedError("save needs a fitted classifier", "call " + Call("fit", ..., ...) + " first")
        learned, tensors = self._learned()
        odd = [label for label in learned["classes"] if not isinstance(label, str | int | float)]
        if odd:
            raise ModelFileError(f"the label {odd[0]!r} cannot be saved", "use numbers or texts as labels")
        if not isinstance(self.loss, str) and type(self.loss) not in LOSSES.values():
            problem = f"the loss {type(self.loss).__name__} is not built in and cannot be saved"
            raise ModelFileError(problem, f"use {', '.join(LOSSES)}")
        fit, weight = portable(self.fit_config).to_dict(), self.class_weight
        facts = {
            "kind": "classifier",
            "net": asdict(self._net()),
            "loss": to_text(self.loss, LOSSES),
            "class_weight": [list(pair) for pair in weight.items()] if isinstance(weight, dict) else weight,
            "standardize": self.standardize,
            "fit": fit,
            "seed": self.seed,
            "described": {**self.describe(), "fit": fit},
        }
        return facts | learned, tensors

    @classmethod
    def from_state(cls, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """The fitted classifier that :meth:`to_state` described."""
        check_classifier(facts, tensors)
        weight = facts["class_weight"]
        classifier = cls(
            net=NetConfig(**facts["net"]),
            loss=facts["loss"],
            class_weight=dict(map(tuple, weight)) if isinstance(weight, list) else weight,
            standardize=facts["standardize"],
            fit=portable_from(facts["fit"]),
            seed=facts["seed"],
        )
        classifier._set_learned(facts, tensors)
        return classifier

    def _learned(self) -> State:
        """What ``fit`` learned."""
        facts = {"classes": self.classes_.tolist(), "fitted": {name: getattr(self, name) for name in _FITTED}}
        return facts, prefixed("model", self.model_.state_dict()) | self.scales_.to_state()

    def _set_learned(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`_learned` gave."""
        for name in _FITTED:
            setattr(self, name, facts["fitted"][name])
        self.classes_ = as_array(facts["classes"])
        self.scales_ = Standardizer.from_state(tensors)
        sizes, config, loss = (self.n_features_in_, len(self.classes_)), self._net(), self._loss()
        weights = under("model", tensors)
        self.model_ = with_weights(lambda: SequenceClassifier(*sizes, config, loss), weights, "model")


def _scaled(sequence: Float[np.ndarray, "time features"], scales: Standardizer) -> Float[np.ndarray, "time features"]:
    return (sequence - scales.mean) / scales.spread


def _arguments() -> list[str]:
    return list(inspect.signature(LSTMClassifier).parameters)


def _attribute(name: str) -> str:
    """Where an argument is kept: ``fit`` is the name of a method."""
    return "fit_config" if name == "fit" else name

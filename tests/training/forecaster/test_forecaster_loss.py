"""Which future learns what: gradients of hand-made errors, probabilities and spreads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import norm

from perception.training.forecaster.loss import (
    LossWeights,
    lengths_of,
    masked_mean,
    mixture_log_likelihoods,
    turned_along,
    winner_takes_all_loss,
)

BEST_ONLY = LossWeights(nested=(1, 2, 4), relaxation=0.0, mean=0.0, mode_nll=0.0, mixture_nll=0.0)


def _loss(
    errors: torch.Tensor, weights: LossWeights, *, logits: torch.Tensor | None = None, **more: torch.Tensor
) -> dict[str, torch.Tensor]:
    logits = torch.zeros_like(errors) if logits is None else logits
    zeros = torch.zeros(len(errors))
    return winner_takes_all_loss(
        errors=errors, weights=weights, log_probabilities=logits.log_softmax(dim=1),
        **{"mean_errors": zeros, "mixture_nll": zeros, **more},
    )  # fmt: skip


def _gradient(values: list[float], weights: LossWeights, **more: torch.Tensor) -> list[float]:
    errors = torch.tensor([values], requires_grad=True)
    _loss(errors, weights, **more)["total"].backward()
    return errors.grad[0].tolist()


@pytest.mark.parametrize(
    ("errors", "learns"),
    [
        ([5.0, 3.0, 4.0, 1.0], [1, 1, 0, 1]),  # alone the first, of two the second, of four the last
        ([1.0, 3.0, 4.0, 2.0], [3, 0, 0, 0]),  # the first is the best of each
        ([5.0, 3.0, 4.0, 9.0], [1, 2, 0, 0]),
    ],
)
def test_of_each_nested_set_only_the_best_learns(errors, learns):
    assert _gradient(errors, BEST_ONLY) == learns


def test_all_follow_a_little():
    relaxed = BEST_ONLY.model_copy(update={"relaxation": 0.2})
    assert _gradient([5.0, 3.0, 4.0, 1.0], relaxed) == pytest.approx([1.05, 1.05, 0.05, 1.05])


def test_a_set_larger_than_the_futures_is_all_of_them():
    assert _gradient([2.0, 1.0], BEST_ONLY) == [1, 2]
    assert _gradient([2.0], BEST_ONLY) == [3]


def test_the_winner_may_be_selected_by_other_errors():
    selection_errors = torch.tensor([[4.0, 3.0, 2.0, 9.0]])
    assert _gradient([0.0, 1.0, 2.0, 3.0], BEST_ONLY, selection_errors=selection_errors) == [1, 1, 1, 0]


def test_the_loss_is_the_mean_over_the_objects_and_its_parts_are_weighed():
    errors = torch.tensor([[1.0, 2.0], [4.0, 3.0]])
    weights = LossWeights(nested=(1, 2), relaxation=0.5, mean=2.0, mode_nll=3.0, mixture_nll=4.0)
    losses = _loss(errors, weights, mean_errors=torch.tensor([5.0, 7.0]), mixture_nll=torch.tensor([-1.0, 2.0]))
    best = ((1 + 1 + 0.5 * 1.5) + (4 + 3 + 0.5 * 3.5)) / 2
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(
        {
            "winner": best,
            "mean": 6.0,
            "mode_nll": np.log(2),
            "mixture_nll": 0.5,
            "total": best + 12 + 3 * np.log(2) + 2,
        }
    )


def test_probabilities_learn_which_future_is_right_and_errors_do_not_learn_from_them():
    """Two futures, one better by a temperature: it is to be e times as probable."""
    weights = LossWeights(nested=(), relaxation=0.0, mean=0.0, mode_nll=1.0, mode_temperature=0.5, mixture_nll=0.0)
    errors = torch.tensor([[1.0, 1.5]], requires_grad=True)
    logits = torch.tensor([[1.0, 0.0]], requires_grad=True)
    _loss(errors, weights, logits=logits)["total"].backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 2), atol=1e-6, rtol=0)
    assert errors.grad is None or torch.all(errors.grad == 0)
    logits = torch.zeros(1, 2, requires_grad=True)
    _loss(errors, weights, logits=logits)["total"].backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]


def test_likelihoods_are_those_of_the_mixture_per_dimension():
    differences = torch.tensor([[[[1.0, 0.0]], [[-2.0, 0.5]]]])  # one object, two futures, one time
    stds = torch.tensor([[[[1.0, 2.0]], [[0.5, 1.0]]]])
    found = mixture_log_likelihoods(differences, stds, torch.tensor([[0.25, 0.75]]).log())
    each = [norm.pdf(1) * norm.pdf(0, scale=2), norm.pdf(-2, scale=0.5) * norm.pdf(0.5)]
    assert float(found) == pytest.approx(np.log(0.25 * each[0] + 0.75 * each[1]) / 2, rel=1e-5)


def test_the_likelihood_teaches_the_spreads_alone_and_whichever_way_they_are_wrong():
    differences = torch.ones(1, 1, 1, 2, requires_grad=True)
    stds = torch.tensor([[[[0.5, 2.0]]]], requires_grad=True)
    log_probabilities = torch.zeros(1, 1, requires_grad=True)
    mixture_log_likelihoods(differences, stds, log_probabilities).sum().backward()
    assert differences.grad is None
    assert log_probabilities.grad is None
    # The truth is one away: half a metre is too sure, two are too unsure.
    assert stds.grad[0, 0, 0, 0] > 0 > stds.grad[0, 0, 0, 1]


def test_one_wild_truth_does_not_outweigh_everything():
    found = mixture_log_likelihoods(torch.full((1, 1, 1, 1), 1e6), torch.ones(1, 1, 1, 1), torch.zeros(1, 1))
    assert float(found) > -60


def test_lengths_have_a_gradient_at_zero():
    vectors = torch.zeros(1, 2, requires_grad=True)
    lengths_of(vectors).sum().backward()
    assert torch.all(vectors.grad == 0)
    torch.testing.assert_close(lengths_of(torch.tensor([[3.0, 4.0]])), torch.tensor([5.0]), atol=1e-3, rtol=0)


def test_means_are_over_what_is_known():
    values, mask = torch.tensor([[1.0, 3.0, 100.0], [7.0, 7.0, 7.0]]), torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert masked_mean(values, mask).tolist() == [2.0, 0.0]


def test_vectors_are_turned_along_each_objects_direction():
    vectors = torch.tensor([[[[0.0, 2.0]]], [[[1.0, 0.0]]]])
    turned = turned_along(vectors, torch.tensor([np.pi / 2, np.pi]))
    torch.testing.assert_close(turned.flatten(0, 2), torch.tensor([[2.0, 0.0], [-1.0, 0.0]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "wrong", [{"relaxation": 1.5}, {"mean": -1}, {"mode_temperature": 0}, {"mixture_nll": -0.1}, {"wings": 2}]
)
def test_wrong_weights_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LossWeights.model_validate(wrong)

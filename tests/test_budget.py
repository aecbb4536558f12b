import pytest

from bench.budget import parse_budget
from bench.errors import UserError


@pytest.mark.parametrize(
    ("text", "steps"),  # of 10 steps an epoch, 32 images a step
    [("200ep", 2000), ("0.5ep", 5), ("1.25ep", 12), ("50000steps", 50000), ("5ksteps", 5000), ("10Mimg", 312500), ("640img", 20)],
)
def test_steps_of_each_unit(text, steps):
    budget = parse_budget(text)
    assert budget.steps(10, 32) == steps
    assert budget.seconds is None


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30min", 1800), ("2h", 7200), ("1.5h", 5400)])
def test_seconds_of_each_unit(text, seconds):
    assert parse_budget(text).seconds == seconds


def test_image_budget_is_never_exceeded():
    assert parse_budget("100img").steps(10, 32) * 32 <= 100


def test_a_budget_is_at_least_one_step():
    assert parse_budget("0.001ep").steps(10, 32) == 1


@pytest.mark.parametrize("text", ["200ep", "0.5ep", "50000steps", "10Mimg", "90s", "1.5h"])
def test_text_is_canonical(text):
    assert str(parse_budget(text)) == text
    assert str(parse_budget(f" {text} ")) == text


BAD = ["", "3", "ep", "-1ep", "0ep", "1e3ep", "1.5steps", "10Mep", "10ks", "nan", "infh", "2 h", "2days", "200EP"]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused_with_what_works(text):
    with pytest.raises(UserError, match="200ep"):
        parse_budget(text)

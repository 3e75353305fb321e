"""Whatever is done in whatever order, and wherever it is killed: releases stay, and numbers are those that are due."""

from pathlib import Path

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from histories import Histories
from support import STRESS
from tiny import Tiny, make_tiny

HISTORIES = 2
"""How many each test has."""
STEPS = 50 if STRESS else 25
SEEDS = range(100 if STRESS else 4)


@pytest.fixture(scope="session")
def start(once) -> Tiny:
    """1.0.0 of both datasets is released."""

    def make(folder: Path) -> str:
        clone = make_tiny(folder)
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        return clone.registry("publish")

    return Tiny(once("tiny-start", make))


@pytest.mark.parametrize("number", SEEDS)
def test_any_history(number, start):
    before = Histories.steps
    run_state_machine_as_test(
        seed(number)(lambda: Histories(start)),
        settings=settings(
            max_examples=HISTORIES, stateful_step_count=STEPS, phases=(Phase.generate,), database=None, deadline=None
        ),
    )
    assert Histories.steps - before >= HISTORIES * STEPS / 2

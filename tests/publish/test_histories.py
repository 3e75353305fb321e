"""Whatever is done in whatever order, and wherever it is killed: releases stay, and numbers are those that are due."""

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from histories import Histories
from support import STRESS
from tiny import Tiny, make_tiny

HISTORIES, STEPS = (200, 50) if STRESS else (8, 25)
"""How many histories, and how many steps each has."""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 of both datasets is released."""
    clone = make_tiny(tmp_path_factory.mktemp("histories") / "start")
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    clone.registry("publish")
    return clone


def test_any_history(start):
    run_state_machine_as_test(
        lambda: Histories(start),
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            # The same histories each time, but others each time under stress; pytest prints its seed.
            derandomize=not STRESS,
            print_blob=STRESS,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            deadline=None,
        ),
    )
    assert Histories.steps >= HISTORIES * STEPS / 2

"""Hooks that are killed at any line: after the last guest the host is what it was, byte for byte."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from lives import KILLS, Lives

TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=KILLS // 6,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_hooks_were_killed_often_enough() -> None:
    assert Lives.killed > KILLS // 2, f"only {Lives.killed} kills"
    print(f"{Lives.killed} kills")

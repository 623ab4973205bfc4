"""Who is compared with whom, when benefits are looked at by group."""

from __future__ import annotations

import numpy as np

from incentive_engine.insight.fairness import combinations


def test_users_whom_one_of_a_hundred_rules_tells_apart_are_not_alike() -> None:
    rules = [np.array([True, False, True]), *[np.array([False, False, True])] * 99]
    assert len(set(combinations(rules, users=3).tolist())) == 3
    assert combinations(rules[::-1], users=3).tolist() != [0, 0, 0]


def test_users_who_agree_in_everything_are_alike() -> None:
    codes = [np.array([-1, 3, -1, 3]), np.array([0, 1, 0, 1])]
    code = combinations(codes, users=4)
    assert code[0] == code[2] != code[1] == code[3]
    assert combinations([], users=2).tolist() == [0, 0]

"""Names that become files: one plain component each, whatever a stranger's file says."""

from __future__ import annotations

import pytest

from jaxagent.study.names import MOST, check_name


@pytest.mark.parametrize("name", ["quickstart", "axis1-difficulty", "v1.2_b", "größe", "_x", "7"])
def test_plain_names_are_kept(name: str) -> None:
    assert check_name("name", name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/x", "a/b", "a\\b", "-rf", ".git", "a b", "a\n", "a\x00", "a\x1b[31m"]
    + ["x" * (MOST + 1), "字" * MOST, "\ud800", "$(x)", "a:b", "a'b"],
)
def test_all_others_are_refused_by_field(name: str) -> None:
    with pytest.raises(ValueError, match="field=.*expected up to 100 letters"):
        check_name("field", name)

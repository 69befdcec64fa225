"""Names that become files: one plain component each, whatever a stranger's file says."""

from __future__ import annotations

import pytest

from jaxagent.study.escapes import is_visible
from jaxagent.study.names import MOST, check_label, check_name, file_name, is_plain


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


@pytest.mark.parametrize(
    "label", ["weak", "two words", "kl=0.05", "größe (1)", "a" * 200, "v1: x", "a..b"]
)
def test_labels_may_hold_spaces_and_marks(label: str) -> None:
    assert check_label("variants", label) == label


@pytest.mark.parametrize(
    "label",
    ["", " ", "..", "a .. b", "../x", "/x", "a/b", "a\\b", "-rf", "=1+1", "@x", "a\n", "a\x00"]
    + ["a\x1b[31m", "a\u202eb", "\ud800", " a", "a ", "x" * 201],
)
def test_labels_that_hide_something_or_are_paths_are_refused(label: str) -> None:
    with pytest.raises(ValueError, match="variants=.*expected up to 200 characters") as told:
        check_label("variants", label)
    assert is_visible(str(told.value))


def test_every_label_has_a_file_of_its_own() -> None:
    labels = ["weak", "pass@2", "two words", "two-words", "two_words", "../x", "..", "x" * 300]
    labels += ["x" * 301, "a/b", "a\\b", "\x00", "\ud800", "", "字" * 99, "@a", "-a", ".a", "a~b"]
    names = [file_name(label) for label in labels]
    assert names[:2] == labels[:2]
    assert len(set(names)) == len(labels)
    for name in names:
        assert is_plain(name.replace("~", "_").replace("@", "_"))
        assert len(name.encode()) < 200

"""The originals' rates: which are there, and that what is replayed of WebShop's can be."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from jaxagent.study.originals import CLICKS, NoOriginal, original_rate


class ShopOfTwoPages:
    """WebShop's text environment as far as it is used; any click but `buy now` leads nowhere."""

    instruction_text = "a red kettle"
    episodes = 0
    steps = 0

    def __init__(self, observation_mode: str, num_products: int) -> None:
        assert (observation_mode, num_products) == ("text", 1000)
        self.reset()

    def reset(self, session: int | None = None) -> None:
        """Begins an episode; the first and only one of the constructor needs no session."""
        self.is_found = self.is_over = False
        type(self).episodes += 1

    def get_available_actions(self) -> dict:
        """The clicks of the page."""
        clicks = ["features", "buy now"] if self.is_found else ["search"]
        return {"has_search_bar": not self.is_found, "clickables": clicks}

    def step(self, command: str) -> tuple:
        """Takes nothing but what the page has, and nothing behind the end."""
        wanted = {"click[features]", "click[buy now]"}
        assert command in (wanted if self.is_found else {"search[a red kettle]"})
        assert not self.is_over
        self.is_found, self.is_over = True, command == "click[buy now]"
        type(self).steps += 1
        return "", 0.0, self.is_over, None


def _without_products(**_: object) -> None:
    raise FileNotFoundError("products.json")


def test_episodes_of_webshop_are_played_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    site = ModuleType("web_agent_site.envs")
    site.WebAgentTextEnv = ShopOfTwoPages  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "web_agent_site", ModuleType("web_agent_site"))
    monkeypatch.setitem(sys.modules, "web_agent_site.envs", site)
    assert original_rate("webshop/medium", seconds=0.05) > 0
    assert ShopOfTwoPages.steps > 2 * CLICKS
    assert ShopOfTwoPages.episodes > CLICKS / 10


@pytest.mark.parametrize(
    ("task", "why"), [("webshop/medium", "web_agent_site"), ("searchqa/medium", "takes steps")]
)
def test_it_is_said_why_there_is_no_rate(
    task: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "web_agent_site", None)
    with pytest.raises(NoOriginal, match=why):
        original_rate(task, seconds=0.05)


def test_an_original_that_is_half_installed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    site = ModuleType("web_agent_site.envs")
    site.WebAgentTextEnv = _without_products  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "web_agent_site", ModuleType("web_agent_site"))
    monkeypatch.setitem(sys.modules, "web_agent_site.envs", site)
    with pytest.raises(NoOriginal, match=r"FileNotFoundError: .*products.json"):
        original_rate("webshop/medium", seconds=0.05)

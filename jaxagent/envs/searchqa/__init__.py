"""SearchQA: questions about a graph that is told in documents, to be found by searching."""

from jaxagent.envs.searchqa.environment import (
    SearchQA,
    searchqa,
    searchqa_counterfactual,
    searchqa_global,
)

__all__ = ["SearchQA", "searchqa", "searchqa_counterfactual", "searchqa_global"]

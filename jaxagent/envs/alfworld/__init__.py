"""ALFWorld: household tasks in text, among receptacles that have to be searched."""

from jaxagent.envs.alfworld.environment import ALFWorld
from jaxagent.envs.alfworld.planner import plan

__all__ = ["ALFWorld", "plan"]

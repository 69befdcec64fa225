"""TextCraft: crafting with Minecraft's recipes, or with recipes drawn for every episode."""

from jaxagent.envs.textcraft.environment import TextCraft, minecraft, procedural

__all__ = ["TextCraft", "minecraft", "procedural"]

"""Maze: find the way from room to room to the goal."""

from jaxagent.envs.maze.environment import Maze

__all__ = ["Maze"]

"""WebShop: search, compare and buy, with graded rewards."""

from jaxagent.envs.webshop.environment import WebShop, webshop, webshop_procedural

__all__ = ["WebShop", "webshop", "webshop_procedural"]

"""The cache of compiled programs on disk, which spares later runs most of their compiling."""

from __future__ import annotations

import os
from pathlib import Path

import jax

from jaxagent.checks import check_kind


def enable_compilation_cache(folder: str | Path | None = None) -> Path:
    """Keep compiled programs on disk, so that the next process need not compile them again.

    A folder that JAX was told before (`JAX_COMPILATION_CACHE_DIR`) stays, unless another is given.
    Call it before anything is compiled.

    Args:
        folder: where; by default `jaxagent/compiled` in the user's folder of caches.

    Returns:
        The folder.

    Raises:
        TypeError: `folder` is no path.
        ValueError: `folder` is empty, or a file.
    """
    kept = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if folder is None and kept is not None:
        return Path(kept)
    if folder is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache / "jaxagent" / "compiled"
    check_kind("folder", folder, (str, Path), "the path of a folder")
    text = str(folder)
    path = Path(folder)
    if not text or "\x00" in text or len(text) > 4096 or (path.exists() and not path.is_dir()):
        raise ValueError(f"folder={text[:100]!r}: expected the path of a folder")
    jax.config.update("jax_compilation_cache_dir", str(path))
    return path

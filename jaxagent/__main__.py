"""Where the shell's command begins: it listens for signals before it imports what takes long."""

from __future__ import annotations

from jaxagent.study.watchdog import watched


def main() -> None:
    """Runs `jaxagent` with the arguments of the process."""
    with watched():
        from jaxagent import cli

        cli.main()


if __name__ == "__main__":
    main()

"""Episodes as plain text."""

from __future__ import annotations

from jaxagent.envs import Message, Suite
from jaxagent.rl.evaluation import Script


def transcript(suite: Suite, script: Script) -> str:
    """The words of one episode: what was read, and behind `>` what was said."""
    lines = [_words(suite, script.opening)]
    for i, length in enumerate(script.actions.length):
        if not length:
            break
        # The first word of a message is the last one said, the last is "your turn".
        heard = script.messages.tokens[i][1 : max(int(script.messages.length[i]) - 1, 1)]
        if len(heard):
            lines.append(suite.language.vocabulary.decode(heard))
        said = script.actions.tokens[i][: int(length)]
        lines.append("> " + suite.language.vocabulary.decode(said))
    outcome = script.outcome
    end = "solved" if outcome.success else "not solved"
    lines.append(f"({end} in {int(outcome.turns)} turns, return {float(outcome.reward):.2f})")
    return "\n".join(line for line in lines if line)


def _words(suite: Suite, message: Message) -> str:
    return suite.language.vocabulary.decode(message.tokens[: int(message.length)])

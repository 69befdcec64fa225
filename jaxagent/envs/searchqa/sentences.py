"""SearchQA's sentences, by interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxagent.envs.searchqa.words import ANSWER_WORDS, QUERY_WORDS
from jaxagent.text import Phrases

_TERSE = {
    "ASK_1": "question {r1} of {a} {b}",
    "ASK_2": "question {r2} of {r1} of {a} {b}",
    "ASK_3": "question {r3} of {r2} of {r1} of {a} {b}",
    "ASK_NICKNAME": "question {r3} of {r2} of {r1} of {nickname}",
    "COMPARE": "question {order} {relation} {a} {b} or {c} {d}",
    "RESULTS": "",
    "DOCUMENT": "doc {rank} {a} {b}",
    "STATES": "{relation} {a} {b}",
    "OUTDATED": "former {relation} {a} {b}",
    "NICKNAMED": "alias {nickname}",
    "RESULTS_END": "",
    "RIGHT": "right",
    "WRONG": "wrong",
    "FAILED": "failed",
    "NO_DOCUMENTS": "none",
    "NOT_EXECUTED": "what",
}

_PROSE = {
    "ASK_1": "name the {r1} of {a} {b} .",
    "ASK_2": "name the {r2} of the {r1} of {a} {b} .",
    "ASK_3": "name the {r3} of the {r2} of the {r1} of {a} {b} .",
    "ASK_NICKNAME": "name the {r3} of the {r2} of the {r1} of the {nickname} .",
    "COMPARE": "which has the {order} {relation} , {a} {b} or {c} {d} ?",
    "RESULTS": "",
    "DOCUMENT": "document {rank} : {a} {b} .",
    "STATES": "the {relation} is {a} {b} .",
    "OUTDATED": "an old source gives the {relation} as {a} {b} .",
    "NICKNAMED": "also known as the {nickname} .",
    "RESULTS_END": "",
    "RIGHT": "that answer is right .",
    "WRONG": "that answer is wrong , try again .",
    "FAILED": "that answer is wrong and there is no other try .",
    "NO_DOCUMENTS": "no document has these words .",
    "NOT_EXECUTED": "search for some words or give an answer .",
}

_CALL = {
    "ASK_1": "question = {r1} ( {a} {b} ) ;",
    "ASK_2": "question = {r2} ( {r1} ( {a} {b} ) ) ;",
    "ASK_3": "question = {r3} ( {r2} ( {r1} ( {a} {b} ) ) ) ;",
    "ASK_NICKNAME": "question = {r3} ( {r2} ( {r1} ( {nickname} ) ) ) ;",
    "COMPARE": "question = {order} ( {relation} , {a} {b} , {c} {d} ) ;",
    "RESULTS": "documents = [",
    "DOCUMENT": "{rank} = {a} {b} ;",
    "STATES": "{relation} = {a} {b} ;",
    "OUTDATED": "former {relation} = {a} {b} ;",
    "NICKNAMED": "alias = {nickname} ;",
    "RESULTS_END": "]",
    "RIGHT": "answer = right ;",
    "WRONG": "answer = wrong ;",
    "FAILED": "answer = failed ;",
    "NO_DOCUMENTS": "error = no documents ;",
    "NOT_EXECUTED": "error = no command ;",
}

_PARAPHRASE = {
    "ASK_1": "start from {a} {b} and tell me the {r1} !",
    "ASK_2": "start from {a} {b} , go to the {r1} and tell me the {r2} !",
    "ASK_3": "start from {a} {b} , go to the {r1} , then to the {r2} and tell me the {r3} !",
    "ASK_NICKNAME": "start from the {nickname} , go to the {r1} , then to the {r2} "
    "and tell me the {r3} !",
    "COMPARE": "{a} {b} and {c} {d} : whose {relation} is the {order} one ?",
    "RESULTS": "this turned up :",
    "DOCUMENT": "about {a} {b} , page {rank} :",
    "STATES": "one finds {a} {b} as {relation} ;",
    "OUTDATED": "long ago one found {a} {b} as {relation} ;",
    "NICKNAMED": "people say the {nickname} ;",
    "RESULTS_END": "that is all .",
    "RIGHT": "yes , well done !",
    "WRONG": "no , think once more !",
    "FAILED": "no , and it ends here !",
    "NO_DOCUMENTS": "these words turn up nowhere !",
    "NOT_EXECUTED": "ask for pages or say what you think !",
}

_TAGS = {
    "ASK_1": "<question> {r1} <of/> {a} {b} </question>",
    "ASK_2": "<question> {r2} <of/> {r1} <of/> {a} {b} </question>",
    "ASK_3": "<question> {r3} <of/> {r2} <of/> {r1} <of/> {a} {b} </question>",
    "ASK_NICKNAME": "<question> {r3} <of/> {r2} <of/> {r1} <of/> {nickname} </question>",
    "COMPARE": "<question> {order} {relation} <of/> {a} {b} <or/> {c} {d} </question>",
    "RESULTS": "<information>",
    "DOCUMENT": "<doc> {rank} </doc> <title> {a} {b} </title>",
    "STATES": "<fact> {relation} {a} {b} </fact>",
    "OUTDATED": "<former> {relation} {a} {b} </former>",
    "NICKNAMED": "<alias> {nickname} </alias>",
    "RESULTS_END": "</information>",
    "RIGHT": "<right/>",
    "WRONG": "<wrong/>",
    "FAILED": "<failed/>",
    "NO_DOCUMENTS": "<information> </information>",
    "NOT_EXECUTED": "<unread/>",
}

_Say = Callable[[list[str]], str]


def _commands(search: _Say, answer: _Say) -> dict[str, str]:
    """The templates of all verbs: each is said alike for any number of words."""
    words = [f"{{w{k}}}" for k in range(1, max(QUERY_WORDS, ANSWER_WORDS) + 1)]
    searches = {f"search_{k}": search(words[:k]) for k in range(1, QUERY_WORDS + 1)}
    answers = {f"answer_{k}": answer(words[:k]) for k in range(1, ANSWER_WORDS + 1)}
    return {**searches, **answers}


def _between(head: str, separator: str = " ", tail: str = "") -> _Say:
    return lambda words: f"{head} {separator.join(words)} {tail}"


PHRASES: Mapping[str, Phrases] = {
    "terse": Phrases(_TERSE, _commands(_between("search"), _between("answer"))),
    "prose": Phrases(_PROSE, _commands(_between("search for"), _between("the answer is"))),
    "call": Phrases(
        _CALL, _commands(_between("search (", " , ", ")"), _between("answer (", " , ", ")"))
    ),
    "paraphrase": Phrases(
        _PARAPHRASE,
        _commands(_between("show pages about", tail="please"), _between("", tail="is what i say")),
    ),
    "tags": Phrases(
        _TAGS,
        _commands(_between("<search>", tail="</search>"), _between("<answer>", tail="</answer>")),
    ),
}
"""Interface -> its sentences. `tags` is the manner of the original."""

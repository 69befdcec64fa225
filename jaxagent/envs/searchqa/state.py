"""An instance of SearchQA, and the parameters that it is drawn from."""

from __future__ import annotations

import flax.struct
from jaxtyping import Array, Bool, Float32, Int8, Int16, Int32


class SearchParams(flax.struct.PyTreeNode):
    """What an instance is drawn from, and the rules of search and answer.

    Attributes:
        documents: int32[], documents about as many things, 4 to `ENTITIES`.
        copies: int32[], near-duplicates with an outdated first statement, 0 to `COPIES`.
        least_statements, most_statements: int32[], of a document.
        share: float32[2], chance that a name shares its first, or its last word with another.
        similar: float32[], chance that a document prefers the relations that are asked for.
        nickname: float32[], chance that a person's document tells the nickname, and that a
            question about a person in three hops uses it.
        forms: int32[2], range of the forms of question: chains.
        comparisons: int32[2], range of the forms of question: comparisons.
        compare: float32[], chance of a comparison.
        worlds: int32[2], range of the worlds, which decide on the names.
        top: int32[], documents that a search finds, 1 to `HITS`.
        wrong_answers: int32[], wrong answers with which an episode ends; 0: it never does. A
            comparison, which has but two answers to choose from, allows one less, but at least one.
    """

    documents: Int32[Array, ""]
    copies: Int32[Array, ""]
    least_statements: Int32[Array, ""]
    most_statements: Int32[Array, ""]
    share: Float32[Array, "2"]
    similar: Float32[Array, ""]
    nickname: Float32[Array, ""]
    forms: Int32[Array, "2"]
    comparisons: Int32[Array, "2"]
    compare: Float32[Array, ""]
    worlds: Int32[Array, "2"]
    top: Int32[Array, ""]
    wrong_answers: Int32[Array, ""]


class Documents(flax.struct.PyTreeNode):
    """The documents of an instance in concepts, -1 where there is nothing.

    Attributes:
        title: int16[D, 2], the name of what a document is about.
        relation: int16[D, S], the relation of every statement.
        thing: int16[D, S, 2], the name or the year that it leads to.
        nickname: int16[D], the nickname that is told.
        outdated: bool[D], whether the first statement is not true any more.
    """

    title: Int16[Array, "docs 2"]
    relation: Int16[Array, "docs statements"]
    thing: Int16[Array, "docs statements 2"]
    nickname: Int16[Array, "docs"]
    outdated: Bool[Array, "docs"]


class Question(flax.struct.PyTreeNode):
    """What is asked, in concepts, -1 where there is nothing.

    Attributes:
        kind: int8[], number of relations less 1, `BY_NICKNAME` or `COMPARED`.
        order: int16[], what a comparison asks for.
        relations: int16[3], in the order in which they are followed; of a comparison, twice
            the same one.
        subject: int16[2], name of what is asked about, or nickname and -1.
        other: int16[2], name of what it is compared with.
        answer: int16[2], the name or the year that is right.
        nickname: int16[], the nickname that is right as well.
    """

    kind: Int8[Array, ""]
    order: Int16[Array, ""]
    relations: Int16[Array, "hops"]
    subject: Int16[Array, "2"]
    other: Int16[Array, "2"]
    answer: Int16[Array, "2"]
    nickname: Int16[Array, ""]


BY_NICKNAME, COMPARED = 3, 4
"""Kinds of questions behind those of 1 to 3 relations."""


class State(flax.struct.PyTreeNode):
    """An instance.

    Attributes:
        documents: what can be found.
        question: what is asked.
        path: int8[3], the document that every step of the expert needs, -1 behind.
        content: int16[5], form of the question and names of the things on the way to the answer.
        hits: int8[HITS], the documents that the last search found, -1 behind.
        seen: bool[D], the documents that were found so far.
        wrong: int8[], wrong answers so far.
    """

    documents: Documents
    question: Question
    path: Int8[Array, "hops"]
    content: Int16[Array, "content"]
    hits: Int8[Array, "hits"]
    seen: Bool[Array, "docs"]
    wrong: Int8[Array, ""]

"""Wrong ways to cut words, ``fn(words, symbols, block_size) -> (contexts, targets)``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from functools import partial

from bn_tutorial.checks.bugs.bug import Bug


def contexts(words, symbols, block_size):
    contexts, targets = [], []
    for word in words:
        context = ["."] * block_size
        for symbol in word + ".":
            contexts.append([symbols.index(each) for each in context])
            targets.append(symbols.index(symbol))
            context = context[1:] + [symbol]
    return contexts, targets


START = 'context = ["."] * block_size'
ENCODE = "contexts.append([symbols.index(each) for each in context])"
SHIFT = "context = context[1:] + [symbol]"

bug = partial(Bug, check="contexts", chapter="01_dataset", right=contexts)

BUGS = (
    bug(
        name="end_symbol_forgotten",
        explanation="The last symbol of a word is never followed by the end: `.` has to be a "
        "target too, once for each word.",
        edits={'word + "."': "word"},
    ),
    bug(
        name="off_by_one_in_the_context",
        explanation="The context already contains the target: it must end with the symbol before "
        "it. Keep the example first, then move the window.",
        edits={ENCODE: f"{SHIFT}\n{ENCODE}", SHIFT: ""},
    ),
    bug(
        name="context_one_symbol_behind",
        explanation="The context ends one symbol too early: the symbol right before the target is "
        "missing.",
        edits={"* block_size": "* (block_size + 1)", "in context]": "in context[:-1]]"},
    ),
    bug(
        name="padding_forgotten",
        explanation="The first symbols of each word are never targets: fill the empty places of "
        "the first contexts with `.`.",
        edits={
            START: "context = []",
            ENCODE: f"if len(context) == block_size:\n    {ENCODE}",
            "targets.append": "    targets.append",
            SHIFT: "context = (context + [symbol])[-block_size:]",
        },
    ),
    bug(
        name="padding_behind",
        explanation="The padding stands on the wrong side: the dots come before the symbols of "
        "the word.",
        edits={"in context]": 'in sorted(context, key=".".__eq__)]'},
    ),
    bug(
        name="padding_with_index_0",
        explanation="The contexts are padded with index 0, the first symbol: pad with the index "
        "of `.`.",
        edits={'["."]': "[symbols[0]]"},
    ),
    bug(
        name="context_runs_on_into_the_next_word",
        explanation="The context still holds symbols of the word before: start each word with "
        "dots alone.",
        edits={"contexts, targets = [], []": f"contexts, targets = [], []\n{START}", START: ""},
    ),
    bug(
        name="context_reversed",
        explanation="The contexts are reversed: the symbol right before the target stands last.",
        edits={"in context]": "in context[::-1]]"},
    ),
    bug(
        name="context_one_symbol_too_long",
        explanation="Each context has block_size + 1 symbols.",
        edits={"* block_size": "* (block_size + 1)"},
    ),
    bug(
        name="block_size_ignored",
        explanation="Each context has 3 symbols, whatever block_size says.",
        edits={"* block_size": "* 3"},
    ),
    bug(
        name="own_numbering",
        explanation="The indices don't follow `symbols`: a symbol's index is its position there, "
        "also where some symbols occur in no word.",
        edits={
            "contexts, targets = [], []": "contexts, targets = [], []\n"
            'symbols = [*sorted(set("".join(words))), "."]'
        },
    ),
    bug(
        name="symbols_instead_of_indices",
        explanation="These are the symbols themselves: give their positions in `symbols`.",
        edits={
            "[symbols.index(each) for each in context]": "context",
            "symbols.index(symbol)": "symbol",
        },
    ),
    bug(
        name="targets_before_contexts",
        explanation="The two are exchanged: contexts come first, then targets.",
        edits={"return contexts, targets": "return targets, contexts"},
    ),
)

"""Wrong ways to cut words, ``fn(words, symbols, block_size) -> (contexts, targets)``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


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

bug = bugs_from(contexts, check="contexts", chapter="01_dataset")

BUGS = named(
    end_symbol_forgotten=bug(
        "The last symbol of a word is never followed by the end: `.` has to be a target too, once "
        "for each word.",
        {'word + "."': "word"},
    ),
    off_by_one_in_the_context=bug(
        "The context already contains the target: it must end with the symbol before it. Keep the "
        "example first, then move the window.",
        {ENCODE: f"{SHIFT}\n{ENCODE}", SHIFT: ""},
    ),
    context_one_symbol_behind=bug(
        "The context ends one symbol too early: the symbol right before the target is missing.",
        {"* block_size": "* (block_size + 1)", "in context]": "in context[:-1]]"},
    ),
    padding_forgotten=bug(
        "The first symbols of each word are never targets: fill the empty places of the first "
        "contexts with `.`.",
        {
            START: "context = []",
            ENCODE: f"if len(context) == block_size:\n    {ENCODE}",
            "targets.append": "    targets.append",
            SHIFT: "context = (context + [symbol])[-block_size:]",
        },
    ),
    padding_behind=bug(
        "The padding stands on the wrong side: the dots come before the symbols of the word.",
        {"in context]": 'in sorted(context, key=".".__eq__)]'},
    ),
    padding_with_index_0=bug(
        "The contexts are padded with index 0, the first symbol: pad with the index of `.`.",
        {'["."]': "[symbols[0]]"},
    ),
    context_runs_on_into_the_next_word=bug(
        "The context still holds symbols of the word before: start each word with dots alone.",
        {"contexts, targets = [], []": f"contexts, targets = [], []\n{START}", START: ""},
    ),
    context_reversed=bug(
        "The contexts are reversed: the symbol right before the target stands last.",
        {"in context]": "in context[::-1]]"},
    ),
    context_one_symbol_too_long=bug(
        "Each context has block_size + 1 symbols.",
        {"* block_size": "* (block_size + 1)"},
    ),
    block_size_ignored=bug(
        "Each context has 3 symbols, whatever block_size says.",
        {"* block_size": "* 3"},
    ),
    own_numbering=bug(
        "The indices don't follow `symbols`: a symbol's index is its position there, also where "
        "some symbols occur in no word.",
        {
            "contexts, targets = [], []": "contexts, targets = [], []\n"
            'symbols = [*sorted(set("".join(words))), "."]'
        },
    ),
    symbols_instead_of_indices=bug(
        "These are the symbols themselves: give their positions in `symbols`.",
        {"[symbols.index(each) for each in context]": "context", "symbols.index(symbol)": "symbol"},
    ),
    targets_before_contexts=bug(
        "The two are exchanged: contexts come first, then targets.",
        {"return contexts, targets": "return targets, contexts"},
    ),
)

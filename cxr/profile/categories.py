"""Columns of a table as categories: numbers in ranges, rare values together, so that no value names one person."""

import pandas as pd

MOST = 12  # categories of a column
_LEAST = 5  # images of a value that is shown
_RANGES = 6
UNKNOWN, OTHERS = "not known", "others"


def categories(values: pd.Series, least: int = _LEAST) -> pd.Series:
    """The category in each row, (n,), ordered: a number's range where there are many numbers, else the value itself.

    A value that fewer than `least` images have, or that is not among the `MOST` frequent, is `OTHERS`; "" is `UNKNOWN`.

    Args:
        values: (n,), text or numbers; "" is not known.
        least: Images of a value that is shown.

    >>> list(categories(pd.Series(["PA"] * 5 + ["AP"] * 6 + ["", "lateral"])).cat.categories)
    ['AP', 'PA', 'others', 'not known']
    """
    text = values.astype(str).str.strip()
    known = text[text != ""]
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.nunique() > MOST and numbers.notna().all():
        ranges = pd.qcut(numbers, _RANGES, duplicates="drop", precision=0)
        names = {span: f"{max(span.left, numbers.min()):g} to {span.right:g}" for span in ranges.cat.categories}
        named, order = ranges.astype(object).map(names), list(dict.fromkeys(names.values()))
    else:
        counts = known.value_counts()
        order = list(counts[counts >= least].index[:MOST])
        named = known.where(known.isin(order), OTHERS)
    shown = named.reindex(text.index, fill_value=UNKNOWN)
    present = [name for name in dict.fromkeys([*order, OTHERS, UNKNOWN]) if (shown == name).any()]
    return pd.Series(pd.Categorical(shown, present), text.index)

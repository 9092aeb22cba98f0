"""Results of this process by the content of arguments: runs of a sweep compute the same of the same images and features."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import joblib

P = ParamSpec("P")
Result = TypeVar("Result")


def memoized_by_content(content: Callable[P, Any], most: int = 256) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Keep the latest `most` results of a pure function; `content` names all of its arguments that its result depends on.

    A caller must not change a result.

    >>> @memoized_by_content(lambda values: values)
    ... def total(values):
    ...     print("adding")
    ...     return sum(values)
    >>> total([1, 2]), total([1, 2])
    adding
    (3, 3)
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        known: OrderedDict[str, Result] = OrderedDict()

        @wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> Result:
            # Where a CPU knows SHA-1 it is three times as fast as joblib's usual MD5.
            key = str(joblib.hash(content(*arguments, **named), hash_name="sha1"))
            if key not in known:
                known[key] = function(*arguments, **named)
                if len(known) > most:
                    known.popitem(last=False)
            known.move_to_end(key)
            return known[key]

        return call

    return decorate

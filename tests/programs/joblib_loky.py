"""joblib, with processes of loky and then with threads: the sums of lists that travel."""

import json

from joblib import Parallel, delayed


def total(numbers: list[int]) -> int:
    return sum(number * number % 7 for number in numbers)


if __name__ == "__main__":
    lists = [list(range(n, n + 2000)) for n in range(60)]
    once = [total(numbers) for numbers in lists]
    assert Parallel(n_jobs=2)(delayed(total)(numbers) for numbers in lists) == once
    assert Parallel(n_jobs=2, prefer="threads")(delayed(total)(numbers) for numbers in lists) == once
    print(json.dumps(sum(once)))

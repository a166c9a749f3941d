"""Golden cases: inputs and expected results of every rule that exists in Python and in JavaScript.

Each rule has a file, `{"cases": [{"input": ..., "expected": ...}]}`. People write the inputs. `make golden`
(`python -m tests.golden`) computes the results in Python, by rules.py, and writes them. `make check` fails if
that would change a file. tests/js/golden.js computes the same results in the browser.

"Rules in two languages" in docs/architecture.md lists them.
"""

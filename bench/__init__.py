"""Speed and memory, as ratios in one run: `python -m bench`. What is measured and how to read it: docs/bench.md."""

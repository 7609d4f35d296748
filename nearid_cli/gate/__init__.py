"""The regression gate: rules from the configuration, judged on a finished run and its baseline.

`rules` reads and checks the rules, `judge` gives the verdicts, `drops` compares with the baseline, `starter` proposes
rules for a run. What a rule means is in docs/guides/gate.md.
"""

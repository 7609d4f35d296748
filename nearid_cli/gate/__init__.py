"""The regression gate: rules from the configuration, judged on a finished run and its baseline.

`rules` reads and checks the rules, `judge` gives the verdicts, `starter` proposes rules for a run, `changes` says
what a new baseline changes. What a rule means is in docs/guides/gate.md.
"""

"""How a candidate is judged: the rules and an evaluation make a verdict. Pure: no module here knows AWS.

`evaluation` reads evaluation.json, `judge` makes the verdict, and `verdict` is its form (`version_1` reads
that of handsoff 0.1). Results of rules: `metric_rules` (with `rows`, `limits`, `comparing`, `bounds`, and
`looks` for the confidence of a gain), `anchor` for `versus_anchor`, and `data_rules` (with `drift_rules`,
`leak_rules` and `beyond_chance`); `rule_results` and `wording` build all of them. Whatever the rules say, a
candidate is checked in `guessing`, `slices`, `leaks` (look-alike rows), `unfamiliar` (categories that the
other model does not know) and `consistency` (numbers that contradict each other).
"""

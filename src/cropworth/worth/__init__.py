"""Room 6: records + economics -> an `Appraisal`. NumPy and SciPy only; never torch.

In reading order: `economics` (prices; `prices` of one, `value` by ready models) and `predictions` (records of models
trained elsewhere; `prediction_rows`, `cost_rows`); `gains` (what predictions gain; `decisions` by thresholds), `interval`
(how sure that is), `pairs`, `costs`, `money`, and `scenario`, a candidate's case at any prices; `verdict`, `outlook` (what
it depends on; `information`), `curves` (`decision_curve`, `learning`), `ranks` (`ranking`), `sequential` (several looks);
`candidate` and `appraisal` put all of it together into `results`.
"""

"""Room 6: records + economics -> an `Appraisal`. NumPy and SciPy only; never torch.

In reading order:

    economics, prices, value        what is priced, and ready models of it
    predictions                     records of models trained elsewhere (prediction_rows, cost_rows)
    gains, decisions, pairs         what predictions gain, and by which decisions
    interval, verdict, sequential   how sure that is, once or after several looks
    costs, money, scenario          a candidate's case at any prices
    outlook, information, curves    what it depends on, what to measure next (decision_curve, learning)
    ranks, ranking                  several candidates at once
    candidate, appraisal, results   all of it together
"""

"""Room 2: files -> a `Task` with training, validation and test items.

Read `config` (what a plan may say), `task` (what comes out), `signature` (what is kept of it), `build` (which reader)
and `splits` (what goes where) first. The readers stand in the folders `images`, `sequences` and `texts`; `rows` is what
the latter two say of their items, and all use `tables`. `torch_dataset` takes whatever else a user has, `recognise`
sees what files are.
"""

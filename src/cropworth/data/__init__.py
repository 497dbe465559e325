"""Room 2: files -> a `Task` with training, validation and test items.

Read `config` (what a plan may say), `task` (what comes out), `signature` (what is kept of it), `build` (which reader)
and `splits` (what goes where) first. The readers stand in four folders: `images`, `sequences`, `texts`, and `tables`,
which all of them use. `torch_dataset` takes whatever else a user has, `recognise` sees what files are.
"""

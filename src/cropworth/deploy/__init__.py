"""From a finished trial to a model that runs elsewhere: load, predict, export, and the card that goes with it."""

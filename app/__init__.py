"""The web app: the published tables, to look at. `make app` starts it.

`views/` has a file per page. Behind them: `figures` asks the questions, `published` knows who may
see what, `markup` turns answers into text, `drawing` makes the charts, `screen` is what pages share
of Streamlit. Changing a split: `splits` checks and writes it, `warehouse` knows the cost centers,
and what it would move is what the command what-if computes.
"""

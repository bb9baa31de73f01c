"""The queries of the app's pages, one module per subject; `query` is shared by all of them.

Belongs here: SQL on the published marts. DuckDB computes; an answer is one page of rows or a few
sums, never a whole table. Does not: how answers look (markup), Streamlit.
"""

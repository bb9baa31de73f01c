"""The queries of the app's pages, one module per subject; `query` has what they share.

Belongs here: SQL on the published marts. DuckDB computes; an answer is one page of rows or a few
sums, never a whole table. Does not: how answers look (markup), Streamlit.
"""

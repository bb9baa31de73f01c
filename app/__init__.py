"""The web app on the published marts. `make app` starts it.

`views/` has one file per page. `queries/` has their SQL by subject, `published` the tables that a
viewer may see, `markup` the HTML, `drawing` the charts, `screen` the parts that all pages share.
To change a split, `splits` checks and writes it, `warehouse` reads the cost centers, and the
package what_if computes its effect.
"""

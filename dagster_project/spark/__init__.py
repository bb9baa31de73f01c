"""Apache Spark as the engine of a run's models, chosen by APPORTION_ENGINE.

`engine` is the part in the run's own process, `worker` the process with Spark, `session` the
session and its settings. The packages of `worker` are those of requirements/spark.txt, in an
environment of their own; `engine` needs none of them.
"""

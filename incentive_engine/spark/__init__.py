"""Tasks over shards on Apache Spark.

What is large lies in files that driver and executors share (a folder of a network file system,
or this machine's disk with a local master), and a task carries their names: columns and scores
never travel with it. `features` sends the ids and moments of a shard's rows and gets their
features back, and `verify` sends what the rules say of a shard's users. Tasks depend on nothing
else, so one that is tried twice, or runs twice at once, gives the same.
"""

"""A plan of users whom no one process holds, as a run directory whose rows stand in parts."""

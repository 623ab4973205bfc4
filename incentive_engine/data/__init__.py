"""Reading of users, trials and scores; the sample campaign; a cache of steps."""

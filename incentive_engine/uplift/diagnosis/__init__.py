"""Whether a trial can be believed, before anything is fitted on it."""

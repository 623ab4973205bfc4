"""Settings of every property test: what passes does not depend on the machine's speed."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

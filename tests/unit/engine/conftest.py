"""How hypothesis works here: no deadline, which a busy machine would break; what reproduces a failure is printed."""

from hypothesis import settings

settings.register_profile("engine", deadline=None, print_blob=True, max_examples=80)
settings.load_profile("engine")

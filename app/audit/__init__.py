"""Does what was written hold?"""

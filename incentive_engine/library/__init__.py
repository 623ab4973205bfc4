"""The engine as a library: the nouns and verbs of `import incentive_engine as ie`.

Each is imported when it is first asked for; the package's own entrance lists them.
"""

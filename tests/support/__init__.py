"""What the tests of several modules share; pytest puts ``tests`` on the path for it."""

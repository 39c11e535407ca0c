"""`make bench`: what a daemon costs, how often a backend is asked, how long a mount takes; counts and ratios."""

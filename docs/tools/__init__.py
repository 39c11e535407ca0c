"""What makes pages: the site's hooks, and the error catalogue out of the code."""

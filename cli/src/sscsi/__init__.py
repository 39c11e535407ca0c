"""The author's command line tool."""

"""The only package that knows PostgreSQL; all SQL of the program."""

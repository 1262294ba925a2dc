"""Take a safeguard out of the product, as the environment variable TORTURE_MUTANT names it; only the tool sets it."""


def change_database() -> None:
    """Change what stands in the database."""

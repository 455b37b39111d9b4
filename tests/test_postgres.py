"""The PostgreSQL that tests use is a real one, and asks for its password."""

import pytest

from tests.postgres import Server

pytestmark = pytest.mark.needs("PostgreSQL")


def test_it_answers_and_asks_for_the_password(postgres: Server) -> None:
    import psycopg

    [(version,)] = postgres.ask("select version()")
    assert version.startswith("PostgreSQL")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.address(), password="another")

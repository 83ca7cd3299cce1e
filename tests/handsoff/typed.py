"""Commands as a person types them, with AWS in memory: what they print, and what they refuse."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from handsoff import cli
from retraining.errors import HandsoffError


def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(cli.app, [*arguments], input=stdin)


def said(*arguments: str, stdin: str | None = None) -> str:
    """What a command printed that went well."""
    done = run(*arguments, stdin=stdin)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refused(*arguments: str, error: type[HandsoffError]) -> str:
    """The one line that a command said which raised this error."""
    problem = run(*arguments).exception
    assert isinstance(problem, error), problem
    (line,) = str(problem).splitlines()
    return line

"""Where the live decisions of a folder's runs are written, for those whose ledger is a database.

```yaml
# ledgers.yaml
runs/spring: postgresql://planner@db.example/live        # the password is in ~/.pgpass
runs/autumn: postgresql://planner:$LEDGER_PASSWORD@db.example/live
```
"""

from __future__ import annotations

import os
from pathlib import Path

from incentive_engine.config.access.database_url import DatabaseUrl
from incentive_engine.config.access.regular import special_file
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Text, say


def read_ledgers(file: Path) -> dict[str, str]:
    """Return the URLs of ledgers by the names of their runs; none where there is no file.

    ``$NAME`` in a URL stands for a variable of the environment, so that no password needs to be
    in the file. What is wrong is said by line, and never with a URL in it.

    Raises
    ------
    ConfigError
        When it holds anything else.
    """
    try:
        if special_file(file) is not None:
            raise ConfigError(_fault(file.name, "is no file", "remove it"))
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        what = say("cannot be read: {reason}", reason=error)
        raise ConfigError(Fault(file.name, what, remedy="ask for access")) from None
    tree = parse_tree(text, origin=file.name)
    if tree.faults:
        raise ConfigError(*(fault for _, fault in tree.faults))
    content = {} if tree.root is None else tree.root.plain()
    if not isinstance(content, dict):
        raise ConfigError(_fault(file.name, "is no list of ledgers"))
    urls = {name.strip("/"): os.path.expandvars(str(url)) for name, url in content.items()}
    odd = [name for name, url in urls.items() if not url.startswith(DatabaseUrl.SCHEMES)]
    if odd:
        raise ConfigError(*map(_no_url, odd))
    return urls


def _no_url(name: str) -> Fault:
    return _fault(f"ledgers.yaml: {name}", "is no URL of PostgreSQL")


def _fault(where: str, what: Text, remedy: str = "correct it") -> Fault:
    return Fault(where, what, "a run's folder and its `postgresql://` URL", remedy)

"""Who may call what: keys with roles, out of a file that is read again when it changes.

```yaml
keys:
  - {name: shop, key: 3f1c…, roles: [decide]}
  - {name: checkout, sha256: 9b74…, roles: [settle, read], rate: 500}
```
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incentive_engine.config.document.models import first_of
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say

Role = Literal["decide", "settle", "read", "plan", "approve", "admin"]
"""Live decisions know `decide`, `settle` and `read`; the studio `read`, `plan` and `approve`."""


class Key(BaseModel):
    """One caller."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """How logs and metrics call it."""
    key: Annotated[str, Field(min_length=16)] | None = None
    """The secret itself."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Or its SHA-256, so that the file holds no secret."""
    roles: tuple[Role, ...]
    """What it may do; `admin` may do everything."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Requests per second; left out, the server's."""

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the secret."""
        if self.sha256 is not None:
            return bytes.fromhex(self.sha256)
        return hashlib.sha256((self.key or "").encode()).digest()


class KeyFile(BaseModel):
    """All callers."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: tuple[Key, ...]


class Keys:
    """The keys of a file."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises
        ------
        ConfigError
            When it is not one of keys.
        """
        self._path = path
        self._looked_at = time.monotonic()
        self._stamp = self._stat()
        self._keys = _read(path)

    def find(self, secret: str) -> Key | None:
        """Return whose secret it is; None where it is nobody's any more."""
        return self.find_digest(hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest())

    def find_digest(self, digest: bytes) -> Key | None:
        """Return whose secret has a SHA-256; None where it is nobody's any more."""
        # seconds after which the file is looked at again: a revoked key works no longer than that
        looked_at = 1.0
        if time.monotonic() - self._looked_at > looked_at:
            self._looked_at = time.monotonic()
            self._read_if_changed()
        key = self._keys.get(digest)
        return key if key is not None and hmac.compare_digest(key.digest, digest) else None

    def _read_if_changed(self) -> None:
        """Take over a changed file; a broken one changes nothing until it is mended."""
        stamp = self._stat()
        if stamp != self._stamp:
            try:
                self._keys = _read(self._path)
            # whoever edits the file must not lock everybody out by a typing error
            except ConfigError:
                return
            self._stamp = stamp

    def _stat(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


def _read(path: Path) -> Mapping[bytes, Key]:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        keys = KeyFile.model_validate(content).keys
    except OSError as error:
        what = say("cannot be read: {reason}", reason=error)
        raise ConfigError(Fault(str(path), what, remedy="look at the path")) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        fault = Fault(str(path), "is no YAML", "`keys:` and a list", "see docs/live.md")
        raise ConfigError(fault) from None
    except ValidationError as error:
        raise ConfigError(
            Fault(str(path), first_of(error), "`keys:` and a list", "see docs/live.md")
        ) from None
    lacking = [key.name for key in keys if (key.key is None) == (key.sha256 is None)]
    if lacking or not keys:
        lacks = say("there is no key in it")
        if lacking:
            lacks = say("`{name}` has not one of both", name=lacking[0])
        raise ConfigError(Fault(str(path), lacks, "key, or sha256", "write one of the two"))
    by_digest: dict[bytes, Key] = {}
    for key in keys:
        # which of two callers it is would decide what they may do
        if (other := by_digest.setdefault(key.digest, key)) is not key:
            what = say("`{name}` has the key of `{other}`", name=key.name, other=other.name)
            raise ConfigError(Fault(str(path), what, "a key of one's own", "make another one"))
    return by_digest

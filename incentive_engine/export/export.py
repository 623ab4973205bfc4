"""Takes the offers of a verified run to a file, a directory, or a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from incentive_engine.errors import ConfigError, Fault, VerificationError
from incentive_engine.export.formats import PRESETS, Format, of_suffix, preset
from incentive_engine.export.keys import SecretKey
from incentive_engine.export.parts import write_parts
from incentive_engine.export.places import Destination
from incentive_engine.export.rows import OfferRows, Wanted
from incentive_engine.export.selection import Filters, Selected, select
from incentive_engine.language import Text, say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.verify.result import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How an export looks.

    Attributes
    ----------
    preset
        One of `formats.PRESETS`; None: by the suffix of a file.
    key
        Makes codes and hashed ids.
    narrow
        Called with what is about to leave; returns what may.
    """

    preset: str | None = None
    filters: Filters = field(default_factory=Filters)
    key: SecretKey | None = None
    hash_ids: bool = False
    narrow: Callable[[Selected], Selected] = field(default=lambda selected: selected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What came of an export."""

    rows: int
    target: str
    manifest: Path | None
    """What vouches for the files; None for a database."""
    is_new: bool
    """False when the same export stood there already, complete and unaltered."""
    notes: tuple[str, ...] = ()

    def lines(self) -> tuple[Text, ...]:
        """Return what a user reads."""
        done = "delivery.offers" if self.is_new else "delivery.offers_there"
        return (say(done, rows=self.rows, target=self.target), *self.notes)


def export_offers(
    run: FinishedRun,
    to: Path,
    *,
    verification: Verification,
    options: ExportOptions,
    accepted: Iterable[str] = (),
) -> Exported:
    """Write the offers of a run as files.

    Parameters
    ----------
    to
        A file that ends in .csv, .parquet or .duckdb; or, with a preset, a directory.
    verification
        Of this run; made just before.
    accepted
        Names of warnings that somebody answers for; the manifest states them.

    Raises
    ------
    VerificationError
        When the verification failed, or is another run's.
    ConfigError
        When an option does not fit.
    DataError
        When something else stands at `to`, it cannot be written, or another process writes it.
    """
    refuse_unverified(run, verification)
    form = _format_of(to, options)
    check_key(options, codes=form.needs_codes)
    place = Destination(to, is_file=options.preset is None)
    selected = options.narrow(select(run, options.filters))
    identity = identity_of(selected, form.name, _used(form, options))
    with place.held():
        done = place.finished(identity)
        rows = OfferRows(selected, _wanted(form, options))
        if done is None:
            write_parts(place, identity, form.sheets, rows, accepted=accepted)
    return Exported(
        rows=selected.total, target=str(to), manifest=place.manifest, is_new=done is None
    )


def refuse_unverified(run: FinishedRun, verification: Verification) -> None:
    """Refuse a run whose own verification has not passed.

    Raises
    ------
    VerificationError
        With every check that failed.
    """
    where = run.directory
    if verification.run_dir.resolve() != where.resolve():
        what = say("the verification is one of {run_dir}", run_dir=verification.run_dir)
        raise VerificationError(Fault(str(where), what, remedy="verify this run"))
    if not verification.ok:
        raise VerificationError(
            *(
                Fault(
                    f"{where}: {check.name}",
                    check.problem or check.what,
                    remedy="do not use this run",
                )
                for check in verification.failures
            )
        )


def check_key(options: ExportOptions, *, codes: bool) -> None:
    """Refuse codes or hashed ids without a key.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if options.key is None and (codes or options.hash_ids):
        what = "codes are made with a key" if codes else "ids are hashed with a key"
        remedy = "make one with `openssl rand -hex 32`, and keep it: it gives the same codes again"
        variable = SecretKey.VARIABLE
        raise ConfigError(
            Fault(variable, what, say("--key-file, or {variable}", variable=variable), remedy)
        )


def identity_of(selected: Selected, form: str, options: ExportOptions) -> dict[str, Any]:
    """Return what an export is made from: equal ones have the same rows."""
    return {
        "run": selected.run.name,
        "digest": selected.run.digest,
        "engine": version("incentive-engine"),
        "format": form,
        "filters": options.filters.to_dict(),
        "hash_ids": options.hash_ids,
        "key": options.key.fingerprint if options.key else None,
        "rows": selected.total,
    }


def _used(form: Format, options: ExportOptions) -> ExportOptions:
    """Return the options without a key that nothing is made with."""
    return options if form.needs_codes or options.hash_ids else replace(options, key=None)


def _wanted(form: Format, options: ExportOptions) -> Wanted:
    sources = {str(source) for sheet in form.sheets for _, source in sheet.columns}
    as_text = any(sheet.kind == "text" for sheet in form.sheets)
    return Wanted(
        columns=frozenset(sources), as_text=as_text, key=options.key, hash_ids=options.hash_ids
    )


def _format_of(to: Path, options: ExportOptions) -> Format:
    suffix, formats = to.suffix.lower(), of_suffix()
    if options.preset is not None and suffix in formats:
        fault = Fault(f"--to {to}", "names one file", "with --preset, a directory")
        raise ConfigError(fault)
    if options.preset is not None:
        return preset(options.preset)
    if suffix not in formats:
        what = say("ends in `{suffix}`", suffix=suffix) if suffix else "has no suffix"
        expected = say("{files}; or a directory with --preset", files=tuple(sorted(formats)))
        remedy = say("presets: {presets}", presets=tuple(PRESETS))
        raise ConfigError(Fault(f"--to {to}", what, expected, remedy))
    return formats[suffix]

"""What came of a sync: outcomes and a report, the same value for terminal, JSON and history."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from modelsync.errors import Failure
from modelsync.model.model import Model
from modelsync.model.prices import plain
from modelsync.model.records import Counts
from modelsync.planning.holding import Hold, Refusal
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Change, ChangeKind, Plan, differences

REPORT_VERSION = 1

MANY_MISSING, FEW_MISSING = 0.1, 5
"""More than this share of all models, and more than this many, absent in one run: an alarm, though each provider alone may pass."""


class Synced(msgspec.Struct, frozen=True, tag="synced"):
    """The provider's listing is in the catalog, aside from what is held."""

    counts: Counts
    changes: int
    holds: tuple[Hold, ...] = ()


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """A dry run: this is what a sync would do."""

    counts: Counts
    plan: Plan


class NotModified(msgspec.Struct, frozen=True, tag="not_modified"):
    """The provider says, or its bytes show, that the last listing still holds."""

    counts: Counts


class NoKey(msgspec.Struct, frozen=True, tag="no_key"):
    """Skipped: the provider lists nothing without a key, and none of `variables` is set."""

    variables: tuple[str, ...]


SWITCHED_OFF = "switched off by MODELSYNC_PROVIDERS"
"""Why a provider is skipped that the settings leave out."""


class Disabled(msgspec.Struct, frozen=True, tag="disabled"):
    """Skipped: switched off by a setting or in the catalog, frozen by a rollback, or paused; perhaps only while it was under way."""

    why: str


class Busy(msgspec.Struct, frozen=True, tag="busy"):
    """Another sync of this provider was running all the time: its run."""

    run_id: int | None


class Superseded(msgspec.Struct, frozen=True, tag="superseded"):
    """A newer fetch was committed meanwhile; this one was discarded."""


class Held(msgspec.Struct, frozen=True, tag="held"):
    """Nothing applied, because the answer is not believable by itself. With a `refusal` a person has rejected just this before."""

    reason: str
    message: str
    hint: str
    refusal: Refusal | None = None


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """Stopped by a signal before its transaction; nothing of it was written."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Nothing changed, and why."""

    failure: Failure


Outcome = Synced | Planned | NotModified | NoKey | Disabled | Busy | Superseded | Held | Cancelled | Failed


def tag(outcome: Outcome) -> str:
    """The outcome in one word, as databases and JSON have it."""
    return str(type(outcome).__struct_config__.tag)


class ProviderResult(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's part of a run. `seconds` is monotonic time from its start to its end."""

    slug: str
    outcome: Outcome
    seconds: float
    provider_id: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """The outcome's counts; zeros where nothing was read."""
        return self.outcome.counts if isinstance(self.outcome, Synced | Planned | NotModified) else Counts()

    @property
    def holds(self) -> tuple[Hold, ...]:
        """What of this provider waits for a person."""
        match self.outcome:
            case Synced(_, _, holds):
                return holds
            case Planned(_, plan):
                return plan.holds
            case Held(reason, message, hint, None):
                return (Hold(reason, message, hint),)
            case _:
                return ()

    @property
    def succeeded(self) -> bool:
        """Whether the catalog is (or in a dry run would be) as this provider and the persons who decide want it."""
        return isinstance(self.outcome, Synced | Planned | NotModified) or self.is_refused

    @property
    def is_refused(self) -> bool:
        """Whether nothing was applied because a person rejected just this listing before: that is no failure."""
        return isinstance(self.outcome, Held) and self.outcome.refusal is not None

    @property
    def error(self) -> str | None:
        """Why it did not succeed, with what to do; None when it did."""
        match self.outcome:
            case Synced() | Planned() | NotModified():
                return None
            case NoKey(variables):
                return f"API key not configured (set {variables[0]})"
            case Disabled(why):
                return why
            case Busy(run_id):
                return f"already being synced by run {run_id}; nothing was changed by this one" if run_id else "already being synced"
            case Superseded():
                return "a newer sync was committed meanwhile; this answer was discarded"
            case Held(_, _, _, Refusal()):
                return None
            case Held(_, message, hint):
                return f"{message}. {hint}"
            case Cancelled():
                return "stopped before anything of it was written"
            case Failed(failure):
                return str(failure)
            case never:
                assert_never(never)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run over one or more providers. `run_id` is None for a dry run, which leaves no trace."""

    run_id: int | None
    dry_run: bool
    started_at: datetime
    finished_at: datetime
    seconds: float
    results: tuple[ProviderResult, ...]

    @property
    def counts(self) -> Counts:
        """The sums over all providers."""
        return sum((result.counts for result in self.results), Counts())

    @property
    def succeeded(self) -> tuple[ProviderResult, ...]:
        """Providers in step."""
        return tuple(result for result in self.results if result.succeeded)

    @property
    def failed(self) -> tuple[ProviderResult, ...]:
        """Providers that should have been synced and were not; a missing key or a switch is no failure."""
        return tuple(result for result in self.results if isinstance(result.outcome, Failed | Busy | Cancelled))

    @property
    def held(self) -> tuple[ProviderResult, ...]:
        """Providers where a person has to look."""
        return tuple(result for result in self.results if result.holds)

    @property
    def status(self) -> str:
        """succeeded, partial or failed, as `run_status` says."""
        return run_status(self.results)

    @property
    def alarm(self) -> str | None:
        """What no provider alone would show: too much is absent over all of them together. Such a run may be a network's fault."""
        missing, known = self.counts.missing, self.counts.transformed + self.counts.missing
        if len(self.succeeded) < 2 or missing <= max(FEW_MISSING, MANY_MISSING * known):
            return None
        hint = "`modelsync changes --kind missing` lists them before they retire"
        return f"{missing:,} of {known:,} models are absent over all providers; {hint}"

    @property
    def prefix(self) -> str:
        """What a message begins with."""
        return "[DRY RUN] " if self.dry_run else ""

    @property
    def message(self) -> str:
        """One sentence, with the wording users' scripts know."""
        count = len(self.results)
        errors = sum(result.error is not None for result in self.results)
        total = f"Success: {count - errors}, Errors: {errors}. Total synced: {self.counts.synced} models"
        return f"{self.prefix}Processed {count} provider{'s' * (count != 1)}. {total}"


def run_status(results: Sequence[ProviderResult]) -> str:
    """succeeded: some did and none failed; partial: some failed; failed: none succeeded. Skipped and held providers count as neither."""
    if any(isinstance(result.outcome, Cancelled) for result in results):
        return "cancelled"
    if not any(result.succeeded for result in results):
        return "failed"
    return "partial" if any(isinstance(result.outcome, Failed | Busy) for result in results) else "succeeded"


def exit_code(report: Report, *, named: bool) -> int:
    """The exit code of a sync: 1 nothing succeeded, or a provider asked for by name failed or lacks its key; 3 some failed; 4 held; 0."""
    lacking = [result for result in report.results if isinstance(result.outcome, NoKey | Disabled)]
    if named and (report.failed or lacking):
        return 1
    if not report.succeeded and (report.failed or not report.held):
        return 1
    if report.failed:
        return 3
    return 4 if report.held else 0


def counts_of(listing: Listing, plan: Plan, *, applied: bool) -> Counts:
    """The counts of a plan; `applied` says whether the database confirmed it."""
    created = plan.count(ChangeKind.ADDED)
    updated = sum(change.kind in (ChangeKind.UPDATED, ChangeKind.REVIVED) and change.id in listing.models for change in plan.changes)
    skipped = len(listing.rejected) + len(listing.duplicates)
    return Counts(
        fetched=listing.fetched,
        transformed=listing.fetched - skipped,
        skipped=skipped,
        synced=created + updated + plan.unchanged if applied else 0,
        created=created,
        updated=updated,
        unchanged=plan.unchanged,
        missing=plan.absent,
        retired=plan.count(ChangeKind.RETIRED),
        held=sum(len(hold.ids) for hold in plan.holds),
    )


def with_absence(counts: Counts, plan: Plan) -> Counts:
    """The counts of a listing that did not change, with what it lacks once more."""
    return msgspec.structs.replace(counts, missing=plan.absent, retired=plan.count(ChangeKind.RETIRED))


def held_of(plan: Plan) -> Held | None:
    """The outcome of a plan that is refused as a whole."""
    return Held(plan.refused.kind, plan.refused.message, plan.refused.hint, plan.refusal) if plan.refused else None


def words_of(plan: Plan) -> tuple[str, ...]:
    """What people should read of a plan: what a person's rejection keeps out, and where the provider moved under a pin."""
    refusals = (*([plan.refusal] if plan.refusal else []), *plan.rejected)
    return (*(refusal.message for refusal in refusals), *plan.notices)


def details(report: Report, result: ProviderResult) -> dict[str, object]:
    """One provider's result under the field names of the REST contract."""
    counts = result.counts
    return {
        "provider": result.slug,
        "provider_id": result.provider_id,
        "status": tag(result.outcome),
        "dry_run": report.dry_run,
        "run_id": report.run_id,
        "models_fetched": counts.fetched,
        "models_transformed": counts.transformed,
        "models_skipped": counts.skipped,
        "models_synced": counts.synced,
        "models_created": counts.created,
        "models_updated": counts.updated,
        "models_unchanged": counts.unchanged,
        "models_missing": counts.missing,
        "models_retired": counts.retired,
        "models_held": counts.held,
        "duration_seconds": round(result.seconds, 3),
        "errors": [result.error] if result.error else [],
        "warnings": list(result.warnings),
        **({"changes": [plan_line(change) for change in result.outcome.plan.changes]} if isinstance(result.outcome, Planned) else {}),
    }


def plan_line(change: Change) -> dict[str, object]:
    """One planned change for machines. A new model's fields are all that is stated of it: its price is what somebody looks for."""
    changed = differences(Model(id=change.id), change.model) if change.kind is ChangeKind.ADDED else change.fields
    fields = {field.field: {"old": plain(field.old), "new": plain(field.new)} for field in changed}
    return {"kind": change.kind.value, "provider_model_id": change.id, "fields": fields}


def of_one(report: Report) -> dict[str, object]:
    """A run over one provider under the field names of the REST contract."""
    (result,) = report.results
    return {"success": result.succeeded, "message": _message(report, result), "details": details(report, result)}


def _message(report: Report, result: ProviderResult) -> str:
    """The sentence of the REST contract, which a dry run begins with `[DRY RUN]`; its number then is what would be synced."""
    if isinstance(result.outcome, Held) and result.outcome.refusal is not None:
        return f"{report.prefix}{result.slug}: {result.outcome.refusal.message}"
    if not result.succeeded:
        return f"{report.prefix}{result.slug}: {result.error}"
    counts = result.counts
    count = counts.created + counts.updated + counts.unchanged
    numbers = f"Fetched: {counts.fetched}, Transformed: {counts.transformed}, Skipped: {counts.skipped}"
    return f"{report.prefix}Synced {count} models from {result.slug}. {numbers}"


def document(report: Report) -> dict[str, object]:
    """The whole report as one JSON document."""
    counts = report.counts
    errors = [{"provider": result.slug, "error": result.error} for result in report.results if result.error]
    return {
        "version": REPORT_VERSION,
        "success": bool(report.succeeded),
        "message": report.message,
        "details": {
            "run_id": report.run_id,
            "status": report.status,
            "dry_run": report.dry_run,
            "synced_at": report.finished_at.isoformat().replace("+00:00", "Z"),
            "duration_seconds": round(report.seconds, 3),
            "providers_processed": len(report.results),
            "total_models_fetched": counts.fetched,
            "total_models_transformed": counts.transformed,
            "total_models_skipped": counts.skipped,
            "total_models_synced": counts.synced,
            "alarm": report.alarm,
            "errors": errors,
            "results": [details(report, result) for result in report.results],
        },
    }

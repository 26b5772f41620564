"""``make golden REASON="..."``: compute the golden values anew and keep them, with the reason and the date."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from golden.comparing import SHOWN, Moved, as_table, compare
from golden.public_api import API_FILE, api_difference, described
from golden.values import VALUES_FILE, Plain, golden_values, read_values, write_values

NO_REASON = 'Say why the values may change: make golden REASON="..."'
UNCHANGED = "Nothing moved: the golden values and the public API stay as they are."

API = "public API"


def moved_from(golden: Plain, inputs: Mapping[str, Plain]) -> list[Moved]:
    """What moved in the values of now, ``inputs``; the worst first."""
    moved = []
    for name, now in inputs.items():
        if name in golden["inputs"]:
            moved += compare(golden["inputs"][name], now, golden["tolerances"], name=name)
        else:
            moved.append(Moved("input", name, "-", "new"))
    return sorted(moved, key=lambda row: -row.times_tolerance)


def accept(
    reason: str,
    *,
    inputs: Mapping[str, Plain],
    api: str,
    values_file: Path = VALUES_FILE,
    api_file: Path = API_FILE,
) -> str:
    """Keep ``inputs`` and ``api``, where they differ from what is kept by more than the tolerances.

    Returns what there is to say. Raises ``ValueError`` without a reason.
    """
    if not reason.strip():
        raise ValueError(NO_REASON)
    golden = read_values(values_file)
    moved = moved_from(golden, inputs)
    differing = api_difference(api_file.read_text(encoding="utf-8") if api_file.is_file() else "", api)
    if not moved and not differing:
        return UNCHANGED
    # An input within its tolerances stays what it was, or many small steps would make a large one unseen.
    changed = [name for name, now in inputs.items() if moved_from(golden, {name: now})]
    today = datetime.now(timezone.utc).date().isoformat()
    entry = {"date": today, "reason": reason.strip(), "changed": [*changed, *([API] if differing else [])]}
    kept = {**golden["inputs"], **{name: inputs[name] for name in changed}}
    write_values({**golden, "history": [*golden["history"], entry], "inputs": kept}, values_file)
    api_file.write_text(api, encoding="utf-8")
    said = [*differing[:SHOWN], *([f"and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else [])]
    parts = [*([as_table(moved)] if moved else []), *said, f"Accepted: {', '.join(entry['changed'])}."]
    return "\n".join(parts)


def computed(golden: Plain) -> dict[str, Plain]:
    """The values of now of each input."""
    from golden.project import INPUTS, run_input

    tolerance = float(golden["tolerances"]["score"]["limit"])
    return {which.name: golden_values(run_input(which), score_tolerance=tolerance) for which in INPUTS}


def main(arguments: list[str]) -> int:
    from golden.project import public_names

    reason = " ".join(arguments).strip()
    if not reason:
        sys.stderr.write(f"{NO_REASON}\n")
        return 2
    said = accept(reason, inputs=computed(read_values()), api=described(public_names()))
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The mutants that torture kills: which safeguard is taken out, with which run, and which check finds it out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TortureMutant:
    """A run with a fixed seed that ends with exit code 1 because `dies_of` finds something wrong."""

    name: str
    bug: str
    dies_of: str
    workload: str = "mixed"
    nemesis: str = "none"
    seed: int = 1
    minutes: float = 0.3

    def arguments(self) -> list[str]:
        """Write the arguments of `manage.py`."""
        return [
            "torture", f"--mutant={self.name}", f"--seed={self.seed}", f"--minutes={self.minutes:g}",
            f"--workload={self.workload}", f"--nemesis={self.nemesis}",
        ]  # fmt: skip


ONCE = "every acknowledged command once, no refused one"

MUTANTS = (
    TortureMutant(
        name="synchronous_commit_off",
        bug="a command is answered before its commit is on the disk",
        nemesis="kill_postgres_unflushed:3",
        dies_of=ONCE,
    ),
    TortureMutant(
        name="check_then_insert_idempotency",
        bug="a key is looked up, and inserted afterwards",
        workload="duplicates",
        minutes=0.2,
        dies_of=ONCE,
    ),
    TortureMutant(
        name="read_check_write_stock",
        bug="stock is read, checked and written without a lock",
        workload="scarce",
        minutes=0.2,
        dies_of="stock is the sum of the events, never oversold",
    ),
    TortureMutant(
        name="two_relays_unlocked",
        bug="relays take no lock, and positions have no key",
        dies_of="positions dense, versions in order",
    ),
    TortureMutant(
        name="two_relays_skipping_locked",
        bug="relays skip each other's rows, and take positions from a sequence",
        nemesis="terminate_sessions:10",
        dies_of="every read model equals a replay in memory",
    ),
    TortureMutant(
        name="effect_and_checkpoint_in_two_transactions",
        bug="what was folded is committed before its checkpoint",
        dies_of="every read model equals one fold of the whole log",
    ),
    TortureMutant(
        name="checkpoint_before_effect",
        bug="a publisher moves its checkpoint before it hands the events over",
        nemesis="kill_publishers:4",
        dies_of="webhooks: every event, in order per aggregate",
    ),
)

"""The mutants that torture kills: which safeguard is taken out, with which run, and which checks find it out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TortureMutant:
    """A run with a fixed seed that ends with exit code 1, because at least one of `dies_of` finds something wrong."""

    name: str
    bug: str
    dies_of: tuple[str, ...]
    workload: str = "mixed"
    nemesis: str = "none"
    seed: int = 1
    minutes: float = 0.2

    def arguments(self) -> list[str]:
        """Write the arguments of `manage.py`."""
        return [
            "torture", f"--mutant={self.name}", f"--seed={self.seed}", f"--minutes={self.minutes:g}",
            f"--workload={self.workload}", f"--nemesis={self.nemesis}",
        ]  # fmt: skip

    def is_dead(self, said: str) -> bool:
        """Read what the run said: tell whether a check that should has found something wrong."""
        wrong = [line for line in said.splitlines() if line.startswith("WRONG")]
        return any(check in line for check in self.dies_of for line in wrong)


ONCE = "every acknowledged command once, no refused one"
ORDER = "positions dense, versions in order"
IN_MEMORY = "every read model equals a replay in memory"
ONE_FOLD = "every read model equals one fold of the whole log"

MUTANTS = (
    TortureMutant(
        name="synchronous_commit_off",
        bug="a command is answered before its commit is on the disk",
        nemesis="kill_postgres_unflushed:3",
        minutes=0.3,
        dies_of=(ONCE,),
    ),
    TortureMutant(
        name="check_then_insert_idempotency",
        bug="a key is looked up, and inserted afterwards",
        workload="duplicates",
        dies_of=(ONCE,),
    ),
    TortureMutant(
        name="read_check_write_stock",
        bug="stock is read, checked and written without a lock",
        workload="scarce",
        dies_of=("stock is the sum of the events, never oversold",),
    ),
    TortureMutant(
        name="two_relays_unlocked",
        bug="relays take no lock, and positions have no key",
        workload="contested",
        dies_of=(ORDER,),
    ),
    TortureMutant(
        name="two_relays_skipping_locked",
        bug="relays skip each other's rows, and take positions from a sequence",
        workload="contested",
        dies_of=(ORDER, IN_MEMORY, ONE_FOLD),
    ),
    TortureMutant(
        name="effect_and_checkpoint_in_two_transactions",
        bug="what was folded is committed before its checkpoint",
        dies_of=(IN_MEMORY, ONE_FOLD),
    ),
)

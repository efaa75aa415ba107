"""A store in memory, held to the same contract as the real ones, that can fail at any step."""

from callerid.ledger.store import ConflictError, Stored


class CrashError(BaseException):
    """The process ends here; nothing may catch it."""


class MemoryStore:
    """Rows in a dictionary. ``crash_at`` ends the process at that step: before a write, or right after it."""

    def __init__(self, *, shards: int = 8, most_writes: int = 100) -> None:
        self.shards = shards
        self.most_writes = most_writes
        self.rows = {}
        self.expires = {}
        self.steps = 0
        self.crash_at = None
        self.commits = self.writes = 0
        self._version = 0

    def read(self, keys):
        return {key: self.rows[key] for key in keys if key in self.rows}

    def list(self, partition, *, after=""):
        for key in sorted(self.rows):
            if key.partition == partition and key.sort > after:
                yield key.sort, self.rows[key]

    def commit(self, writes):
        assert len({write.key for write in writes}) == len(writes) <= self.most_writes
        self.step()
        for write in writes:
            stored = self.rows.get(write.key)
            if (stored.version if stored else None) != write.version:
                raise ConflictError(write.key)
        for write in writes:
            self._version += 1
            if write.data is None:
                self.rows.pop(write.key, None)
            else:
                self.rows[write.key] = Stored(write.data, self._version)
                self.expires[write.key] = write.expires
        self.commits += 1
        self.writes += len(writes)
        self.step()

    def step(self):
        """One place at which a process can end."""
        self.steps += 1
        if self.steps == self.crash_at:
            raise CrashError

    def close(self):
        pass

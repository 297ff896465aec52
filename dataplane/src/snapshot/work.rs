//! How much one answer costs at most is a promise; the fuzzer's build counts what it is about.

use std::cell::Cell;

thread_local! {
    static LOOKUPS: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn count() {
    LOOKUPS.set(LOOKUPS.get() + 1);
}

/// Names that this thread has looked up.
pub fn lookups() -> u64 {
    LOOKUPS.get()
}

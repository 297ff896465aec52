//! Bounded waits that say what they saw.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a claim waits before it gives up. Far above what anything here takes, because a busy machine with two
/// slow cores must not make a true claim fail.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks `probe` until it returns `Ok`, and panics when `limit` has passed, with what it last saw.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, probe: impl FnMut() -> Result<T, String>) -> T {
    match within(limit, probe) {
        Ok(value) => value,
        Err(seen) => panic!("{what}: not within {limit:?}; last saw: {seen}"),
    }
}

/// Asks `probe` until it returns `Ok` or `limit` has passed; then what it last saw comes back.
pub fn within<T>(limit: Duration, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => return Err(seen),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let value = eventually("third look", PATIENCE, || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(format!("look {looks}")) }
        });
        assert_eq!(value, 3);
    }

    #[test]
    fn a_wait_that_fails_says_what_it_last_saw() {
        let seen = within(Duration::from_millis(20), || Err::<(), _>("nothing yet".to_owned()));
        assert_eq!(seen, Err("nothing yet".to_owned()));
    }
}

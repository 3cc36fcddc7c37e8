//! How often something may be done: at once as long as it is seldom, and else so often that it
//! helps without costing much. Two programs that undo each other's changes for ever burn no
//! processor.

use std::time::{Duration, Instant};

/// What is left of a burst.
#[derive(Debug)]
pub(super) struct Pace {
    /// So many follow each other at full speed.
    burst: u32,
    /// And one more each time that this has passed.
    each: Duration,
    left: u32,
    /// Up to when what came back was counted.
    counted: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant, burst: u32, each: Duration) -> Self {
        Self {
            burst,
            each,
            left: burst,
            counted: now,
        }
    }

    /// Takes one; or says how long to wait for it.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.counted);
        let back =
            u32::try_from(passed.as_nanos() / self.each.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(back).min(self.burst);
        self.counted += self.each.saturating_mul(back);
        if self.left == self.burst {
            self.counted = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self
                .each
                .saturating_sub(now.saturating_duration_since(self.counted))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = 256;
    const EACH: Duration = Duration::from_millis(25);

    #[test]
    fn a_burst_passes_at_once_and_a_fight_is_slowed_down_for_as_long_as_it_lasts() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, BURST, EACH);
        let mut now = begin;
        let mut taken = 0;
        while now < begin + Duration::from_secs(10) {
            match pace.take(now) {
                Ok(()) => taken += 1,
                Err(pause) => {
                    assert!(Duration::ZERO < pause && pause <= EACH);
                    now += pause;
                }
            }
        }
        assert_eq!(taken, BURST + 399);
        assert!((0..BURST).all(|_| pace.take(now + Duration::from_secs(60)).is_ok()));
        assert!(pace.take(now + Duration::from_secs(60)).is_err());
    }
}

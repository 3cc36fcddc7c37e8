//! Records that a thread of this process takes back: whoever else would, waits until it is done.

use std::collections::BTreeSet;

use parking_lot::{Condvar, Mutex};

use crate::record::Key;

/// Those that somebody is at.
#[derive(Debug, Default)]
pub(super) struct InHand {
    keys: Mutex<BTreeSet<Key>>,
    done: Condvar,
}

/// Whoever has it is the only one at that record.
pub(super) struct Hand<'h> {
    all: &'h InHand,
    key: Key,
}

impl InHand {
    /// Returns once nobody else is at it.
    pub(super) fn take(&self, key: Key) -> Hand<'_> {
        let mut keys = self.keys.lock();
        while !keys.insert(key.clone()) {
            self.done.wait(&mut keys);
        }
        drop(keys);
        Hand { all: self, key }
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.all.keys.lock().remove(&self.key);
        self.all.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::InHand;
    use crate::addr::NetworkId;
    use crate::record::Body;

    #[test]
    fn one_thread_at_a_time_is_at_a_record() {
        let all = InHand::default();
        let key = |id| Body::network_key(NetworkId::from_bytes([id; 32]));
        let hand = all.take(key(1));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| drop(all.take(key(1))));
            drop(all.take(key(2)));
            assert!(!other.is_finished());
            drop(hand);
            other.join().unwrap();
        });
        assert!(all.keys.lock().is_empty());
    }
}

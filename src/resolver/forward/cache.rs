//! What servers have said, for as long as it holds and as there is room. Whoever asks others, and
//! from elsewhere, finds nothing of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Vantage;
use super::kept::Kept;
use super::question::Key;

/// What an entry takes besides its bytes: map, row and the two values on the heap.
const ENTRY_BYTES: usize = 320;
/// A longer answer is not kept.
const ENTRY_MAX_BYTES: usize = 8_192;

/// Answers, of which those go first that nobody has asked for since they came or were last passed
/// over.
pub(super) struct Cache {
    entries: HashMap<Arc<Key>, Entry>,
    /// Every key once, in the order in which they are looked at when room is needed.
    row: VecDeque<Arc<Key>>,
    bytes: usize,
    max_bytes: usize,
    /// The clients at whose own vantage something was heard.
    of_clients: HashSet<u64>,
}

struct Entry {
    kept: Arc<Kept>,
    heard: Instant,
    until: Instant,
    was_asked_for: bool,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            row: VecDeque::new(),
            bytes: 0,
            max_bytes,
            of_clients: HashSet::new(),
        }
    }

    /// The answer that holds at `now`, and its age in seconds, of which none is left out.
    pub(super) fn find(&mut self, key: &Key, now: Instant) -> Option<(&Kept, u32)> {
        let entry = self.entries.get_mut(key)?;
        if now >= entry.until {
            return None;
        }
        entry.was_asked_for = true;
        let age = now.saturating_duration_since(entry.heard);
        // no longer than the least time to live, which is less than 2^31
        let age_s = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        Some((&entry.kept, age_s as u32))
    }

    /// Keeps what was heard at `now`, if it may be kept.
    pub(super) fn insert(&mut self, key: &Arc<Key>, kept: &Arc<Kept>, now: Instant) {
        let lasting = kept.lifetime_s.map(u64::from).map(Duration::from_secs);
        let until = lasting.and_then(|lasting| now.checked_add(lasting));
        let bytes = ENTRY_BYTES + key.heap_bytes() + kept.heap_bytes();
        let Some(until) = until.filter(|_| bytes <= ENTRY_MAX_BYTES.min(self.max_bytes)) else {
            return;
        };
        let entry = Entry {
            kept: Arc::clone(kept),
            heard: now,
            until,
            was_asked_for: false,
            bytes,
        };
        self.bytes += bytes;
        match self.entries.insert(Arc::clone(key), entry) {
            Some(old) => self.bytes -= old.bytes,
            None => {
                self.row.push_back(Arc::clone(key));
                if let Vantage::Client(client) = key.vantage {
                    self.of_clients.insert(client);
                }
            }
        }
        self.make_room(now);
    }

    /// Drops what was heard from this client's own vantage.
    pub(super) fn forget(&mut self, client: u64) {
        if !self.of_clients.remove(&client) {
            return;
        }
        let own = Vantage::Client(client);
        self.row.retain(|key| key.vantage != own);
        let bytes = &mut self.bytes;
        self.entries.retain(|key, entry| {
            let stays = key.vantage != own;
            *bytes -= if stays { 0 } else { entry.bytes };
            stays
        });
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn make_room(&mut self, now: Instant) {
        while self.bytes > self.max_bytes {
            let Some(key) = self.row.pop_front() else {
                return;
            };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if entry.was_asked_for && now < entry.until {
                entry.was_asked_for = false;
                self.row.push_back(key);
                continue;
            }
            self.bytes -= entry.bytes;
            self.entries.remove(&key);
        }
    }
}

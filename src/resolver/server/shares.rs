//! On whose account each socket towards other servers is open, and whose goes where there are no
//! more: one client's many questions take nobody else's sockets.

use std::collections::{BTreeSet, HashMap};

/// The sockets of each client, by key.
#[derive(Debug, Default)]
pub(super) struct Shares {
    clients: HashMap<u64, u64>,
    /// The oldest first: keys are given in order.
    sockets: HashMap<u64, BTreeSet<u64>>,
}

impl Shares {
    pub(super) fn add(&mut self, client: u64, key: u64) {
        self.clients.insert(key, client);
        self.sockets.entry(client).or_default().insert(key);
    }

    pub(super) fn remove(&mut self, key: u64) {
        let Some(client) = self.clients.remove(&key) else {
            return;
        };
        if let Some(sockets) = self.sockets.get_mut(&client) {
            sockets.remove(&key);
            if sockets.is_empty() {
                self.sockets.remove(&client);
            }
        }
    }

    /// The one that makes room for one of this client's: the oldest of whoever has most. `None`
    /// where that would leave them with less than the client has then.
    pub(super) fn giving_way_to(&self, client: u64) -> Option<u64> {
        let own = self.sockets.get(&client).map_or(0, BTreeSet::len);
        let fullest = self.sockets.values().max_by_key(|sockets| sockets.len())?;
        let oldest = fullest.first().copied();
        oldest.filter(|_| fullest.len() > own + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    fn shares(sockets: &[(u64, u64)]) -> Shares {
        let mut shares = Shares::default();
        for (client, key) in sockets {
            shares.add(*client, *key);
        }
        shares
    }

    #[test]
    fn the_oldest_of_who_has_most_gives_way_until_both_have_the_same() {
        let mut shares = shares(&[(1, 10), (2, 11), (1, 12), (1, 13), (1, 14)]);
        assert_eq!(shares.giving_way_to(1), None);
        for (going, coming) in [(10, 15), (12, 16)] {
            assert_eq!(shares.giving_way_to(3), Some(going));
            shares.remove(going);
            shares.add(3, coming);
        }
        assert_eq!(shares.giving_way_to(3), None);
        assert_eq!(shares.giving_way_to(2), None);
    }

    #[test]
    fn where_nobody_has_any_nobody_gives_way() {
        let mut shares = shares(&[(1, 10)]);
        assert_eq!(shares.giving_way_to(2), None);
        shares.remove(10);
        shares.remove(10);
        assert_eq!(shares.giving_way_to(2), None);
        assert!(shares.clients.is_empty() && shares.sockets.is_empty());
    }
}

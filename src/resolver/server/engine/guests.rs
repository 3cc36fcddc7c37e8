//! Who comes by a door and stays for a while: connections accepted, read, answered and closed. Each
//! door has so many guests and the server so many in all; the idlest of whoever has most makes room.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollFlags;

use super::{Engine, Entry};
use crate::kernel::is_of_one_peer;
use crate::resolver::Client;
use crate::resolver::server::asking::{Asker, Outcome, Waits};
use crate::resolver::server::streams::{Connection, Fate, Taken};

/// As many clients are accepted before it is another socket's turn.
const MOST_AT_ONCE: usize = 64;

/// As many chunks of a connection are read before it is another's turn.
const CHUNKS_AT_ONCE: usize = 8;

/// When to try again what failed for want of descriptors or memory.
const RETRY: Duration = Duration::from_millis(100);

impl Engine {
    pub(super) fn accept(&mut self, key: u64, now: Instant) {
        for accepted in 0..MOST_AT_ONCE {
            let Some(Entry::Door(door)) = self.entries.get(&key) else {
                return;
            };
            match door.listener.accept() {
                Ok((stream, from)) => {
                    if let Some(client) = door.place.client_at(from.ip()) {
                        let place = Arc::clone(&door.place);
                        let connection = Connection::new(stream, client, (key, place), now);
                        self.welcome(connection, now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_peer(&error) => {}
                // whether anybody waits is not looked at before there is a descriptor
                Err(_) if accepted > 0 => return,
                Err(_) => {
                    return match self.giving_way(key, None) {
                        Some(guest) => self.close(guest),
                        None => self.rest(key, now),
                    };
                }
            }
        }
    }

    fn welcome(&mut self, connection: Connection, now: Instant) {
        self.make_room(connection.door, &connection.client);
        let key = self.watch.new_key();
        let watched = self.watch.add(&connection.stream, connection.watched, key);
        // one that can't be served is closed
        if connection.prepare().is_err() || watched.is_err() {
            return;
        }
        let Some(Entry::Door(door)) = self.entries.get_mut(&connection.door) else {
            return;
        };
        door.guests.push(key);
        self.connections += 1;
        self.entries
            .insert(key, Entry::Connection(Box::new(connection)));
        self.sweep_at.get_or_insert(now + self.limits.idle / 4);
    }

    /// Room for one more guest of this client's at this door: of its own guests where it has any, else
    /// of those of the door that has most.
    fn make_room(&mut self, door: u64, client: &Arc<Client>) {
        let guests = |entry: Option<&Entry>| match entry {
            Some(Entry::Door(door)) => door.guests.len(),
            _ => 0,
        };
        let own = guests(self.entries.get(&door));
        let is_full = self.connections >= self.limits.connections;
        let from = match () {
            () if own >= self.limits.connections_per_listener.max(1) => Some(door),
            () if is_full && own > 0 => Some(door),
            () if is_full => {
                let fullest = self.entries.iter().max_by_key(|(_, e)| guests(Some(e)));
                fullest.map(|(key, _)| *key)
            }
            () => None,
        };
        if let Some(guest) = from.and_then(|door| self.giving_way(door, Some(client))) {
            self.close(guest);
        }
    }

    /// The idlest guest at a door of the client that has most there, counting the one that comes.
    fn giving_way(&self, door: u64, coming: Option<&Arc<Client>>) -> Option<u64> {
        let Some(Entry::Door(door)) = self.entries.get(&door) else {
            return None;
        };
        let guests = door
            .guests
            .iter()
            .filter_map(|key| match self.entries.get(key) {
                Some(Entry::Connection(connection)) => Some((*key, connection.as_ref())),
                _ => None,
            });
        let mut counts: HashMap<*const Client, usize> = HashMap::new();
        let clients = guests.clone().map(|(_, connection)| &connection.client);
        for client in clients.chain(coming) {
            *counts.entry(Arc::as_ptr(client)).or_default() += 1;
        }
        let has = |client: &Arc<Client>| counts.get(&Arc::as_ptr(client)).copied();
        let by_guests = |(_, one): &(u64, &Connection)| (Reverse(has(&one.client)), one.used_at);
        guests.min_by_key(by_guests).map(|(key, _)| key)
    }

    /// Leaves a door alone for a moment, since there is nothing to open it with.
    fn rest(&mut self, key: u64, now: Instant) {
        if let Some(Entry::Door(door)) = self.entries.get(&key) {
            let _goes_on = self.watch.change(&door.listener, EpollFlags::empty(), key);
            self.resting.push(key);
            self.retry_at = Some(now + RETRY);
        }
    }

    pub(super) fn open_doors(&mut self) {
        for key in std::mem::take(&mut self.resting) {
            if let Some(Entry::Door(door)) = self.entries.get(&key) {
                let _watched = self.watch.change(&door.listener, EpollFlags::EPOLLIN, key);
            }
        }
    }

    /// Reads, answers and writes what can be.
    pub(super) fn converse(&mut self, key: u64, now: Instant) {
        let Some(Entry::Connection(mut connection)) = self.entries.remove(&key) else {
            return;
        };
        let fate = self.exchange(key, &mut connection, now);
        let stays = matches!(fate, Ok(Fate::Stays)) && !connection.is_over();
        let wanted = connection.wanted(self.limits.unanswered_per_connection);
        let watched = match wanted == connection.watched {
            true => Ok(()),
            false => self.watch.change(&connection.stream, wanted, key),
        };
        connection.watched = wanted;
        self.entries.insert(key, Entry::Connection(connection));
        if !stays || watched.is_err() {
            self.close(key);
        }
    }

    fn exchange(
        &mut self,
        key: u64,
        connection: &mut Connection,
        now: Instant,
    ) -> io::Result<Fate> {
        connection.write(now)?;
        for _ in 0..CHUNKS_AT_ONCE {
            if self.answer_all(key, connection, now)? == Fate::Ends {
                return Ok(Fate::Ends);
            }
            let is_attended = connection.is_attended(self.limits.unanswered_per_connection);
            if !is_attended || connection.read(&mut self.chunk[..])? != Taken::Some {
                return Ok(Fate::Stays);
            }
        }
        self.answer_all(key, connection, now)
    }

    /// All queries that are whole, as long as the client takes the answers.
    fn answer_all(
        &mut self,
        key: u64,
        connection: &mut Connection,
        now: Instant,
    ) -> io::Result<Fate> {
        let most = self.limits.unanswered_per_connection;
        while let Some(query) = connection.next_query() {
            if !connection.is_attended(most) {
                connection.write(now)?;
            }
            if !connection.is_attended(most) {
                return Ok(Fate::Stays);
            }
            let (client, place) = (
                Arc::clone(&connection.client),
                Arc::clone(&connection.place),
            );
            let asker = Asker {
                place: &place,
                client: &client,
                waits: Waits::Stream { connection: key },
            };
            let mut reply = std::mem::take(&mut self.reply);
            let outcome = self.decide(connection.bytes(query), &asker, now, &mut reply);
            let fate = match outcome {
                Outcome::Reply => connection.answer(&reply, now),
                Outcome::Waits => connection.await_answer(),
                // there is no good in what else it may say
                Outcome::Ignored => Fate::Ends,
            };
            self.reply = reply;
            connection.pass(now);
            if fate == Fate::Ends {
                return Ok(Fate::Ends);
            }
        }
        connection.write(now)?;
        Ok(Fate::Stays)
    }

    pub(super) fn close(&mut self, key: u64) {
        let Some(Entry::Connection(connection)) = self.entries.remove(&key) else {
            return;
        };
        self.watch.remove(&connection.stream);
        self.connections = self.connections.saturating_sub(1);
        if let Some(Entry::Door(door)) = self.entries.get_mut(&connection.door) {
            door.guests.retain(|guest| *guest != key);
        }
    }

    /// Connections that have done nothing for so long are closed.
    pub(super) fn sweep(&mut self, now: Instant) {
        let idle = self.limits.idle;
        let is_idle = |(key, entry): (&u64, &Entry)| match entry {
            Entry::Connection(connection) if connection.used_at + idle <= now => Some(*key),
            _ => None,
        };
        let keys: Vec<u64> = self.entries.iter().filter_map(is_idle).collect();
        keys.into_iter().for_each(|key| self.close(key));
        self.sweep_at = (self.connections > 0).then(|| now + idle / 4);
    }
}

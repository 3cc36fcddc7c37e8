//! Putting in order what others have left: what was under way when a process died, what went with it,
//! what a reboot took, and what bears our mark and is nobody's.

use std::fmt;
use std::time::{Duration, Instant};

use crate::addr::ContainerName;
use crate::audit::Finding;
use crate::error::Result;
use crate::kernel::{Claim, boot_id};
use crate::network::{Ledger, is_overtaken, join};
use crate::record::{Body, HostRecord, Key, Phase, Record, Tenure};
use crate::store::Change;

use super::Host;
use super::orphans::{Orphan, Unowned};
use super::prune::names;
use super::rebuild::has_marks;

/// So long another process may take with what it has begun, before what is nobody's is looked for.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What [`Host::recover`] has found and done.
///
/// ```no_run
/// # use std::sync::Arc;
/// use bridgework::{Host, HostConfig, store::Memory};
///
/// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
/// let recovered = host.recover()?;
/// for name in &recovered.dead {
///     println!("{name} is not there any more");
/// }
/// assert!(host.recover()?.is_empty()); // once is enough
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Recovered {
    /// What was coming or going when its process died, or was to go with it, and what this process could
    /// not take back before: it is taken back.
    pub taken_back: Vec<Key>,
    /// What was written down again of what the kernel still says, since there were no records: with
    /// all that it says, and without labels, aliases, name servers, and the ways to namespaces.
    pub rebuilt: Vec<Key>,
    /// What was of an earlier boot: it is gone, and so is what was known of it.
    pub forgotten: Vec<Key>,
    /// What was missing or otherwise: it is as it must be.
    pub repaired: Vec<Finding>,
    /// What bore our mark and was no network's and no container's: it is removed.
    pub orphans: Vec<Orphan>,
    /// Containers that are gone with their network namespaces, or that nobody finds and nobody has. They keep their places until they are
    /// [pruned](Host::prune_containers), disconnected or connected anew.
    pub dead: Vec<ContainerName>,
}

impl Recovered {
    /// Whether all was as it must be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            taken_back,
            rebuilt,
            forgotten,
            repaired,
            orphans,
            dead,
        } = self;
        [taken_back, rebuilt, forgotten].map(Vec::is_empty) == [true; 3]
            && repaired.is_empty()
            && orphans.is_empty()
            && dead.is_empty()
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("taken back", &self.taken_back),
            ("rebuilt", &self.rebuilt),
            ("forgotten", &self.forgotten),
        ];
        for (what, keys) in lines {
            keys.iter()
                .try_for_each(|key| writeln!(f, "{what}: {key}"))?;
        }
        for finding in &self.repaired {
            writeln!(f, "repaired: {finding}")?;
        }
        for orphan in &self.orphans {
            writeln!(f, "removed: {orphan}")?;
        }
        for name in &self.dead {
            writeln!(f, "dead: {name}")?;
        }
        Ok(())
    }
}

impl Host {
    /// Puts the host in order after crashes, reboots and outsiders, whoever was there: what a dead
    /// process had begun is taken back, and what it held and had not
    /// [persisted](crate::Endpoint::persist); what this process itself failed to disconnect is tried
    /// again; what is persisted is made again where it is missing;
    /// what bears our mark and is of no record is removed; where there are no records at all, since the
    /// store was lost, they are made again of what bears our mark. After a reboot, containers have lost
    /// their places, networks are made again, or are on the bridges of their names where those were there
    /// before (and are looked up anew), and reservations are as they were. Containers that this process
    /// answers are answered again, where nobody else who lives does. What living processes
    /// do is left alone, and so is all that does not bear our mark. Needs `CAP_NET_ADMIN`, and
    /// `CAP_SYS_ADMIN` to enter containers' namespaces.
    ///
    /// It may be called at any time, by several at once, and be killed at any moment: the next one
    /// goes on. Where nothing is to be done it changes nothing. Without a
    /// [store](crate::HostConfig::store) it is [`repair`](Self::repair).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use std::sync::Arc;
    /// # use bridgework::{Host, HostConfig, store::Memory};
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// print!("{}", host.recover()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The kernel or the store refused; all that could be done is done. It may be repeated.
    pub fn recover(&self) -> Result<Recovered> {
        self.try_recover()
            .map_err(|error| error.during("recover host"))
    }

    fn try_recover(&self) -> Result<Recovered> {
        let registry = &self.0.registry;
        let mut recovered = Recovered::default();
        let Some(ledger) = registry.ledger() else {
            recovered.repaired = self.repair()?;
            return Ok(recovered);
        };
        registry.catch_up()?;
        if are_lost(ledger) {
            recovered.rebuilt = self.rebuild_records(ledger)?;
        }
        recovered.forgotten = match self.follow_boot(ledger) {
            // another process has recovered them
            Err(error) if is_overtaken(&error) => {
                registry.catch_up()?;
                Vec::new()
            }
            followed => followed?,
        };
        let (taken_back, result) = registry.take_back_unfinished();
        recovered.taken_back = taken_back;
        let mut results = vec![result];
        match self.repair() {
            Ok(repaired) => recovered.repaired = repaired,
            Err(error) => results.push(Err(error)),
        }
        results.push(self.remove_orphans(ledger, &mut recovered));
        results.push(registry.claim_names(Claim::Vacant));
        recovered.dead = names(self.dead_containers()?);
        join(results).map(|()| recovered)
    }

    /// Whether records were lost: nothing is written down of the host itself, which is the first that is,
    /// unless links bear this crate's mark when there is no record at all. [`recover`](Self::recover) makes
    /// them again of what is there, and does no harm where that is nothing. Whoever ends with the verb that
    /// it is asked for looks before it, since what is written beside lost records may meet with what they
    /// were of. Never so of a host that keeps no [records](crate::HostConfig::store).
    ///
    /// ```no_run
    /// # use bridgework::{Host, HostConfig};
    /// let host = Host::open_with(HostConfig::new().watch(bridgework::plan::Switch::Off))?;
    /// if host.has_lost_records()? {
    ///     let _found = host.recover()?;
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// Needs no privilege beyond those of opening the host, and changes nothing.
    ///
    /// # Errors
    /// The records can't be read.
    pub fn has_lost_records(&self) -> Result<bool> {
        let Some(ledger) = self.0.registry.ledger() else {
            return Ok(false);
        };
        let read = ledger.look();
        read.map_err(|error| error.during("look for records"))?;
        Ok(are_lost(ledger))
    }

    /// Records begin with the boot that they are of, where nothing bears our mark yet. Where something
    /// does, records are lost, and [`recover`](Self::recover) makes them again.
    pub(super) fn begin_records(&self) -> Result<()> {
        let Some(ledger) = self.0.registry.ledger() else {
            return Ok(());
        };
        if ledger.any(|_| true) || has_marks(&self.snapshot()?, ledger.tag()) {
            return Ok(());
        }
        match self.follow_boot(ledger) {
            // another process has begun them
            Err(error) if is_overtaken(&error) => self.0.registry.catch_up(),
            begun => begun.map(|_none| ()),
        }
    }

    /// What the kernel had in another boot, or in another namespace, is gone. Returns what is forgotten.
    fn follow_boot(&self, ledger: &Ledger) -> Result<Vec<Key>> {
        let mut forgotten = Vec::new();
        let now = HostRecord {
            boot: boot_id()?,
            netns: self.netns().identity(),
        };
        let key = Body::Host(now.clone()).key();
        let known = ledger.get(&key).map(|record| record.body);
        if known == Some(Body::Host(now.clone())) {
            return Ok(forgotten);
        }
        if known.is_some() {
            for record in ledger.records() {
                if is_of_boot(&record) {
                    forgotten.push(record.key());
                    self.0.registry.drop_record(&record)?;
                }
            }
            self.follow_bridges(ledger)?;
        }
        let record = ledger.record(Body::Host(now), Phase::There, Tenure::Kept);
        let change = Change::new().put(record, ledger.expected(&key));
        ledger.write(|| "keep the host's boot".to_owned(), &change)?;
        Ok(forgotten)
    }

    fn remove_orphans(&self, ledger: &Ledger, recovered: &mut Recovered) -> Result<()> {
        let begun = Instant::now();
        while let Some(unowned) = self.await_unowned(ledger)? {
            if let Some(removed) = self.remove_unowned(unowned)? {
                recovered.orphans = removed;
                break;
            }
            if begun.elapsed() > PATIENCE {
                break;
            }
        }
        Ok(())
    }

    /// What differs between the host's records and the kernel, and is nobody's to repair.
    pub(super) fn check_records(&self) -> Result<Vec<Finding>> {
        let Some(ledger) = self.0.registry.ledger() else {
            return Ok(Vec::new());
        };
        let left = self.0.registry.left_unfinished()?.into_iter();
        let mut found: Vec<Finding> = left
            .map(|record| Finding::Unfinished {
                record: record.key(),
            })
            .collect();
        let unowned = self.await_unowned(ledger)?;
        let orphans = unowned.into_iter().flat_map(|unowned| unowned.orphans);
        found.extend(orphans.map(|orphan| Finding::Unowned {
            what: orphan.to_string(),
        }));
        Ok(found)
    }

    /// What is nobody's, as soon as no living process is about to make or remove anything, or was when it
    /// was looked for; `None` where one always is.
    fn await_unowned(&self, ledger: &Ledger) -> Result<Option<Unowned>> {
        let begun = Instant::now();
        loop {
            // what is seen there now was written down before, or is nobody's
            let seen = self.see_marked()?;
            self.0.registry.catch_up()?;
            let left = self.0.registry.left_unfinished()?;
            let is_busy =
                ledger.any(|record| record.phase != Phase::There && !left.contains(record));
            if !is_busy && self.is_recent(&seen)? {
                return Ok(Some(self.unowned(&seen, &ledger.records())));
            }
            if begun.elapsed() > PATIENCE {
                return Ok(None);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Who has records since they were lost, and did not recover, has none of the host itself.
fn are_lost(ledger: &Ledger) -> bool {
    !ledger.any(|record| matches!(record.body, Body::Host(_)))
}

/// Whether it is of the kernel that it was of: networks that are kept are made again.
fn is_of_boot(record: &Record) -> bool {
    match &record.body {
        Body::Endpoint(_) | Body::Container(_) => true,
        Body::Network(_) => record.tenure == Tenure::Held,
        Body::Host(_) | Body::Reservation(_) => false,
    }
}

//! Containers that are gone: which they are, and what becomes of them.

use std::collections::BTreeSet;

use crate::addr::{ContainerId, ContainerName, NamespaceId};
use crate::error::Result;
use crate::kernel::held;
use crate::network::join;

use super::Host;

/// A container that is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dead {
    pub(super) name: ContainerName,
    id: ContainerId,
}

impl Host {
    /// Disconnects containers that are gone from all of their networks, forgets them, and returns their
    /// names: their places, names, addresses and ports are anybody's. Needs `CAP_NET_ADMIN`, and
    /// `CAP_SYS_PTRACE` where something keeps the namespace of one that is gone.
    ///
    /// A container is gone when its network namespace is; and when that is not found any more where it
    /// was, since the process that it was opened by has ended or the file is gone, and nobody has it: no
    /// process is in it or has it open, in no mount namespace it has a name, and no living process holds
    /// one of its endpoints. The sockets of whoever [answers](Self::serve) in it are nobody: they are
    /// closed when it is pruned, by whatever process, and the namespace goes with them. Who has it is
    /// seen in `/proc`: prune where all processes are that containers may have. One that nobody could
    /// find from the beginning, since it was never pinned and is no process's, is gone with its wire alone.
    ///
    /// ```no_run
    /// # use bridgework::Host;
    /// # let host = Host::isolated()?;
    /// for name in host.prune_containers()? {
    ///     println!("{name} is gone");
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Network::disconnect`](crate::Network::disconnect); all that could be are disconnected.
    pub fn prune_containers(&self) -> Result<Vec<ContainerName>> {
        self.0.registry.catch_up()?;
        let dead = self.dead_containers()?;
        join(dead.iter().map(|one| self.bury(one)))
            .map(|()| names(dead))
            .map_err(|error| error.during("prune containers"))
    }

    fn bury(&self, dead: &Dead) -> Result<()> {
        // another one may have the name by now
        self.disconnect_everywhere(&dead.name, Some(dead.id))?;
        let registry = &self.0.registry;
        registry.attempt(|| {
            let record = registry
                .ledger()
                .and_then(|ledger| ledger.container(dead.id));
            record.map_or(Ok(()), |record| registry.keep_container_no_longer(&record))
        })
    }

    /// Those that are on a network by a link that is not there any more, or by none, in a namespace that
    /// is not; and those whose namespace nobody finds and nobody has.
    pub(super) fn dead_containers(&self) -> Result<BTreeSet<Dead>> {
        let registry = &self.0.registry;
        let snapshot = self.snapshot()?;
        let has_link = |index: u32| snapshot.link_at(index).is_some();
        let (mut dead, mut unfound) = (BTreeSet::new(), Vec::new());
        for network in registry.networks() {
            for spec in network.endpoints() {
                let (name, id) = (spec.container.clone(), spec.container_id);
                let one = Dead { name, id };
                if has_link(spec.host_link.index.get()) {
                    unfound.extend(registry.abandoned(&spec).map(|at| (one, at)));
                } else if !network.has_namespace(&spec) {
                    dead.insert(one);
                }
            }
        }
        let of_record = |name: &ContainerName, id| Dead {
            name: name.clone(),
            id,
        };
        let kept = registry.abandoned_on_no_network().into_iter();
        unfound.extend(kept.map(|one| (of_record(&one.name, one.id), one.namespace.identity)));
        let lodgers = registry.dead_lodgers().into_iter();
        dead.extend(lodgers.map(|one| of_record(&one.name, one.id)));
        dead.extend(had_by_nobody(unfound));
        Ok(dead)
    }
}

fn had_by_nobody(unfound: Vec<(Dead, NamespaceId)>) -> impl Iterator<Item = Dead> {
    let held = held(&unfound.iter().map(|(_, namespace)| *namespace).collect());
    let of_nobody = unfound.into_iter();
    let of_nobody = of_nobody.filter(move |(_, namespace)| !held.contains(namespace));
    of_nobody.map(|(dead, _)| dead)
}

pub(super) fn names(dead: BTreeSet<Dead>) -> Vec<ContainerName> {
    let mut names: Vec<_> = dead.into_iter().map(|dead| dead.name).collect();
    names.dedup();
    names
}

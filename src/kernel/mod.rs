//! The only door to the kernel and to files: plans are performed here, and taken back.
//!
//! What a plan means is decided elsewhere; nothing in this room chooses a name, an address or an
//! order.

mod doorway;
mod explain;
mod files;
mod inject;
mod netns;
mod perform;
mod random;
mod read;
mod reap;
mod reroute;
mod settle;

use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use explain::BRIDGE_PORTS_MAX;
pub(crate) use files::{FileOrigin, create_file, is_link, remove_file};
pub use inject::FaultInjector;
pub use netns::Netns;
pub(crate) use netns::WeakNetns;
pub(crate) use random::random_bytes;
pub(crate) use read::read_text;

use crate::error::{Error, Fault, Result};
use crate::netlink;
use crate::plan::{Link, Plan};
use crate::snapshot::Snapshot;
use doorway::Doorway;
use perform::Run;
use reap::Reaper;

/// Performs plans in one namespace, and in one other at a time.
///
/// A clone is another handle to the same. It holds a descriptor of its namespace, which keeps the
/// namespace alive, and some netlink sockets; dropping the last clone closes them and changes
/// nothing in the kernel. Threads do not wait for each other: each takes a socket of its own.
///
/// ```no_run
/// use bridgework::kernel::{Kernel, Netns};
/// use bridgework::plan::{Link, Plan, Side, Step};
/// use bridgework::LinkIndex;
///
/// let kernel = Kernel::new(Netns::create()?)?; // needs CAP_SYS_ADMIN, CAP_NET_ADMIN
/// let lo = Link::new(Side::Host, "lo".parse()?, LinkIndex::new(1)?);
/// kernel.apply(&Plan::from_iter([Step::SetUp { link: lo }]), None)?;
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Kernel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    namespace: Netns,
    /// Doorways that nobody uses at the moment.
    idle: Mutex<Vec<Doorway>>,
    injector: FaultInjector,
    reaper: Reaper,
    process: u32,
}

impl Kernel {
    /// The kernel as seen from `namespace`.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing in the user namespace that owns `namespace`, or `CAP_SYS_ADMIN`
    /// to enter it ([`Error::is_permission`]).
    pub fn new(namespace: Netns) -> Result<Self> {
        Self::with_injector(namespace, FaultInjector::new())
    }

    /// As [`new`](Self::new), with kernel calls that fail when the `injector` says so.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_injector(namespace: Netns, injector: FaultInjector) -> Result<Self> {
        let mut doorway = match namespace.take_doorway() {
            Some(doorway) => doorway,
            None => namespace
                .enter(Doorway::open)?
                .map_err(|errno| explain::plain("open a netlink socket", errno.into()))?,
        };
        doorway.check_privilege()?;
        let shared = Shared {
            namespace,
            idle: Mutex::new(vec![doorway]),
            injector,
            reaper: Reaper::default(),
            process: std::process::id(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The namespace that is a plan's host side.
    #[must_use]
    pub fn namespace(&self) -> &Netns {
        &self.shared.namespace
    }

    /// Performs all steps of `plan`, or none: if one fails, those that were done are taken back
    /// and the cause is returned. `container` is the namespace of the plan's container side.
    ///
    /// # Errors
    /// The first step that failed. What could not be taken back is in [`Error::left_behind`].
    pub fn apply(&self, plan: &Plan, container: Option<&Netns>) -> Result<()> {
        let mut run = Run::start(self, container)?;
        let progress = run.perform(plan);
        let Some(failure) = progress.failure else {
            return Ok(());
        };
        let fault = run.explain(plan, &failure);
        let left_behind = run.take_back(&plan.undo_only(&progress.done));
        Err(Error::of("apply plan", vec![fault]).leaving(left_behind))
    }

    /// Performs a plan that [`Plan::undo`] made: every step is tried, whatever became of the ones
    /// before, and what is gone already counts as done. It may be repeated.
    ///
    /// It returns when the links are gone for everybody. The kernel's own waiting (15 to 30 ms for
    /// a link) goes on after that on a thread of the crate's own.
    ///
    /// # Errors
    /// Some steps could not be performed; they are in [`Error::left_behind`].
    pub fn take_back(&self, plan: &Plan, container: Option<&Netns>) -> Result<()> {
        let mut run = Run::start(self, container)?;
        let left_behind = run.take_back(plan);
        match run.last_refusal() {
            None => Ok(()),
            Some(fault) => Err(Error::of("take back plan", vec![fault]).leaving(left_behind)),
        }
    }

    /// Deletes links of the host's side as one group, which costs the kernel one wait for all:
    /// 1.4 to 2 ms a link for a hundred, against 20 ms one by one.
    ///
    /// # Errors
    /// The kernel refused; the links are as they were.
    pub fn delete_together(&self, links: &[Link]) -> Result<()> {
        let mut run = Run::start(self, None)?;
        run.delete_together(links).map_err(|refusal| {
            let doing = format!("delete {} links together", links.len());
            let left = links
                .iter()
                .map(|link| crate::plan::Step::DeleteLink { link: link.clone() });
            explain::plain(&doing, refusal).leaving(Plan::from_iter(left))
        })
    }

    /// All links, addresses and routes of the namespace.
    ///
    /// # Errors
    /// The kernel refused, or did not come to rest for ten seconds.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.with_doorway("read links, addresses and routes", Doorway::snapshot)
    }

    fn with_doorway<T>(
        &self,
        doing: &str,
        act: impl FnOnce(&mut Doorway) -> std::result::Result<T, netlink::frame::Refusal>,
    ) -> Result<T> {
        if let Some(strike) = self.shared.injector.strike() {
            return Err(explain::plain(doing, strike.errno.into()));
        }
        let mut doorway = self.take_doorway()?;
        let result = act(&mut doorway);
        self.give_back(doorway);
        result.map_err(|refusal| explain::plain(doing, refusal))
    }

    fn take_doorway(&self) -> Result<Doorway> {
        if self.shared.process != std::process::id() {
            return Err(Error::of("use the kernel's sockets", vec![Fault::Forked]));
        }
        if let Some(doorway) = self.shared.idle.lock().pop() {
            return Ok(doorway);
        }
        let opened = self.shared.namespace.enter(Doorway::open)?;
        opened.map_err(|errno| explain::plain("open a netlink socket", errno.into()))
    }

    fn give_back(&self, doorway: Doorway) {
        const MOST_IDLE: usize = 16;
        let mut idle = self.shared.idle.lock();
        if idle.len() < MOST_IDLE {
            idle.push(doorway);
        }
    }
}

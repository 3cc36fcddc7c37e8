//! The only door to the kernel and to files: plans are performed here, and taken back.
//!
//! What a plan means is decided elsewhere; nothing in this room chooses a name, an address or an
//! order.

mod door;
mod doorway;
mod explain;
mod far;
mod files;
mod filter;
mod flows;
mod inject;
mod listen;
mod message;
mod netns;
mod perform;
mod ports;
mod random;
mod read;
mod reap;
mod redirect;
mod relay;
mod reroute;
mod seat;
mod settle;
mod survey;
mod watch;

use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use door::{Door, first_door};
pub(crate) use explain::BRIDGE_PORTS_MAX;
pub(crate) use files::{create_file, is_link, remove_file};
pub(crate) use filter::{Keeper, Repaired};
pub use inject::FaultInjector;
pub use netns::Netns;
pub(crate) use netns::{Visit, WeakNetns, Whereabouts, held, leads_to};
pub(crate) use ports::{Choice, HeldPort, HostPorts, Wish};
pub(crate) use random::random_bytes;
pub(crate) use read::{boot_id, read_text};
pub(crate) use relay::{Relay, RelayScope, Relayed};
pub(crate) use seat::{Claim, Holder, Seen, look_at_seat, take_seat, take_seen_seat};
#[cfg(test)]
pub(crate) use watch::tests::{alone, watch_descriptors};
pub(crate) use watch::{Events, Watch, is_of_one_peer, timeout_until};

use crate::error::{Error, Fault, Result};
use crate::netlink;
use crate::netlink::socket::NetlinkSocket;
use crate::plan::{ElementsEdit, HostFirewall, Link, Plan, Step, Switch};
use crate::snapshot::{LinkState, Snapshot, View};
use doorway::Doorway;
use filter::Filter;
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
    /// Opened when it is first needed, and then kept.
    netfilter: Mutex<Option<NetlinkSocket>>,
    injector: FaultInjector,
    reaper: Reaper,
    filter: Filter,
    process: u32,
}

impl Kernel {
    /// The kernel as seen from `namespace`.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing in the user namespace that owns `namespace`, or `CAP_SYS_ADMIN`
    /// to enter it where the calling thread is not inside ([`Error::is_permission`]).
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    ///
    /// match Kernel::new(Netns::named(&"blue".parse()?)?) {
    ///     Err(error) if error.is_permission() => eprintln!("{error}"),
    ///     kernel => println!("{} links", kernel?.snapshot()?.links.len()),
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn new(namespace: Netns) -> Result<Self> {
        Self::with_injector(namespace, FaultInjector::new())
    }

    /// As [`new`](Self::new), with kernel calls that fail when the `injector` says so.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    ///
    /// ```no_run
    /// use bridgework::Errno;
    /// use bridgework::kernel::{FaultInjector, Kernel, Netns};
    ///
    /// let injector = FaultInjector::new();
    /// let kernel = Kernel::with_injector(Netns::create()?, injector.clone())?;
    /// injector.fail_nth(1, Errno::ENOBUFS);
    /// assert!(kernel.snapshot().is_err());
    /// assert!(kernel.snapshot().is_ok());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
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
            netfilter: Mutex::default(),
            injector,
            reaper: Reaper::default(),
            filter: Filter::default(),
            process: std::process::id(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// From the first network on, what others change of ours is undone, as `keeper` has it.
    pub(crate) fn watch(&self, keeper: Arc<dyn Keeper>) {
        self.shared.filter.watch(keeper);
    }

    /// There is a network, whose tables are watched too if it has any.
    pub(crate) fn start_watching(&self, tables: Switch) -> Result<()> {
        let started = self.shared.filter.start_watching(self.namespace(), tables);
        started.map_err(|refusal| explain::plain("watch for changes by others", refusal))
    }

    /// What another process has done by `plan` is known of from now on, where it has to be made again
    /// if somebody removes it.
    pub(crate) fn recall(&self, plan: &Plan) {
        let (firewall, edit) = filtered(plan);
        self.shared.filter.recall(firewall, &edit);
    }

    /// What another process has taken back is not made again.
    pub(crate) fn forget_plan(&self, plan: &Plan) {
        let (_firewall, edit) = filtered(plan);
        self.shared.filter.forget(&edit.add);
    }

    /// The namespace that is a plan's host side.
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    ///
    /// let kernel = Kernel::new(Netns::create()?)?;
    /// let socket = kernel.namespace().run(|| std::net::UdpSocket::bind("0.0.0.0:0"))?;
    /// assert_ne!(*kernel.namespace(), Netns::current()?); // the thread is where it was
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn namespace(&self) -> &Netns {
        &self.shared.namespace
    }

    /// Performs all steps of `plan`, or none: if one fails, those that were done are taken back
    /// and the cause is returned. `container` is the namespace of the plan's container side.
    ///
    /// # Errors
    /// The first step that failed. What could not be taken back is in [`Error::left_behind`].
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    /// # use bridgework::LinkIndex;
    /// # use bridgework::plan::{Link, Plan, Side, Step};
    /// # let br0 = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// # let plan = Plan::from_iter([Step::SetUp { link: br0.clone() }]);
    ///
    /// let kernel = Kernel::new(Netns::create()?)?;
    /// let before = kernel.snapshot()?;
    /// match kernel.apply(&plan, None) {
    ///     Ok(()) => print!("{plan}"),
    ///     Err(error) if error.left_behind().is_empty() => assert_eq!(kernel.snapshot()?, before),
    ///     Err(error) => print!("{}", error.left_behind()), // to be taken back later
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
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

    /// As [`apply`](Self::apply), of what somebody may be taking away at the same time: nothing is waited
    /// for.
    pub(crate) fn apply_at_once(&self, plan: &Plan, container: Option<&Netns>) -> Result<()> {
        let mut run = Run::start(self, container)?.without_waiting();
        let progress = run.perform(plan);
        let Some(failure) = progress.failure else {
            return Ok(());
        };
        let fault = run.explain(plan, &failure);
        let left_behind = run.take_back(&plan.undo_only(&progress.done));
        Err(Error::of("apply plan", vec![fault]).leaving(left_behind))
    }

    /// Performs steps of the host's side that do not hold any more, each whatever became of the others.
    /// What is as it must be already, or of a link that has gone meanwhile, is passed over. Where a
    /// link can't be made again, nothing after it is tried.
    ///
    /// # Errors
    /// Some step was refused.
    pub(crate) fn restore(&self, plan: &Plan) -> Result<()> {
        if plan.is_empty() {
            return Ok(());
        }
        let mut run = Run::start(self, None)?;
        run.restore(plan);
        match run.last_refusal() {
            None => Ok(()),
            Some(fault) => Err(Error::of("restore what was made", vec![fault])),
        }
    }

    /// Performs a plan that [`Plan::undo`] made: every step is tried, whatever became of the ones
    /// before, and what is gone already counts as done. It may be repeated.
    ///
    /// It returns when the links are gone for everybody. The kernel's own waiting (15 to 30 ms for
    /// a link) goes on after that on a thread of the crate's own.
    ///
    /// # Errors
    /// Some steps could not be performed; they are in [`Error::left_behind`].
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    /// # use bridgework::plan::{BridgeOptions, Link, Plan, Side, Step};
    /// # use bridgework::{LinkIndex, MacAddr, Mtu};
    /// # let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// # let (mac, mtu) = (MacAddr::locally_administered([7; 6]), Mtu::ETHERNET);
    /// # let plan = Plan::from_iter([Step::AddBridge { link, mac, mtu, options: BridgeOptions::new() }]);
    ///
    /// let kernel = Kernel::new(Netns::create()?)?;
    /// kernel.apply(&plan, None)?;
    /// let undo = plan.undo(plan.steps().len());
    /// kernel.take_back(&undo, None)?;
    /// kernel.take_back(&undo, None)?; // what is gone counts as done
    /// # Ok::<(), bridgework::Error>(())
    /// ```
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
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    /// # use bridgework::LinkIndex;
    /// # use bridgework::plan::{Link, Plan, Side, Step};
    /// # let br0 = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// # let plan = Plan::from_iter([Step::SetUp { link: br0.clone() }]);
    /// # let br1 = Link::new(Side::Host, "br1".parse()?, LinkIndex::new(8)?);
    ///
    /// let kernel = Kernel::new(Netns::create()?)?;
    /// // … in which br0 and br1 are made …
    /// kernel.delete_together(&[br0, br1])?;
    /// assert_eq!(kernel.snapshot()?.link_named("br0"), None);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn delete_together(&self, links: &[Link]) -> Result<()> {
        let mut run = Run::start(self, None)?;
        run.delete_together(links).map_err(|refusal| {
            let doing = format!("delete {} links together", links.len());
            let left = links
                .iter()
                .map(|link| Step::DeleteLink { link: link.clone() });
            explain::plain(&doing, refusal).leaving(Plan::from_iter(left))
        })
    }

    /// The link of that number on the host's side.
    pub(crate) fn link_at(&self, link: &Link) -> Result<Option<LinkState>> {
        self.with_doorway("read a link", |doorway| {
            let request = netlink::link::get(link.index);
            match doorway.route.get(request, &netlink::read::LINK) {
                Err(refusal) if refusal.errno.is_absence() => Ok(None),
                found => found,
            }
        })
    }

    /// All links, addresses and routes of the namespace.
    ///
    /// # Errors
    /// The kernel refused, or did not come to rest for ten seconds.
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    ///
    /// let snapshot = Kernel::new(Netns::create()?)?.snapshot()?;
    /// assert_eq!(snapshot.links.len(), 1); // a new namespace has lo, which is down
    /// assert!(!snapshot.links[0].up && snapshot.routes.is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.with_doorway("read links, addresses and routes", Doorway::snapshot)
    }

    /// What the namespace has, as much of it as is asked for.
    pub(crate) fn view(&self, view: View) -> Result<Snapshot> {
        self.with_doorway("read links, addresses and routes", |doorway| {
            doorway.view(view)
        })
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
        self.check_process()?;
        if let Some(doorway) = self.shared.idle.lock().pop() {
            return Ok(doorway);
        }
        let opened = self.shared.namespace.enter(Doorway::open)?;
        opened.map_err(|errno| explain::plain("open a netlink socket", errno.into()))
    }

    fn check_process(&self) -> Result<()> {
        if self.shared.process != std::process::id() {
            return Err(Error::of("use the kernel's sockets", vec![Fault::Forked]));
        }
        Ok(())
    }

    fn give_back(&self, doorway: Doorway) {
        const MOST_IDLE: usize = 16;
        let mut idle = self.shared.idle.lock();
        if idle.len() < MOST_IDLE {
            idle.push(doorway);
        }
    }
}

/// What a plan puts into the packet filter of the host.
fn filtered(plan: &Plan) -> (Option<&HostFirewall>, ElementsEdit) {
    let mut firewall = None;
    let mut all = ElementsEdit::default();
    for step in plan.steps() {
        match step {
            Step::RaiseFirewall(raised) => firewall = Some(raised),
            Step::EditElements(edit) => all.extend(edit),
            _ => {}
        }
    }
    (firewall, all)
}

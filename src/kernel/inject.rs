//! The seam for tests, ours and our users': the n-th kernel call fails with a chosen error.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::errno::Errno;

/// Makes kernel calls fail on purpose, so that one can see what a program does then.
///
/// A call is one step of a plan, one deletion of a group of links, one reading of the kernel's
/// state or one socket that is to hold a port or to take queries, counted from 1 in the order in
/// which they are made. A clone counts and fails with its original.
///
/// ```
/// use bridgework::{Errno, FaultInjector};
///
/// let injector = FaultInjector::new();
/// injector.fail_nth(3, Errno::ENOMEM); // the third call from now is not made
/// assert_eq!(injector.calls(), 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct FaultInjector(Arc<Mutex<Armed>>);

#[derive(Debug, Default)]
struct Armed {
    calls: u64,
    strikes: Vec<(u64, Strike)>,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) errno: Errno,
    pub(crate) moment: Moment,
}

/// When the call is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is never made.
    Before,
    /// It is made, and the answer is lost.
    After,
}

impl FaultInjector {
    /// One that lets every call pass, and counts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The `n`-th call from now, counted from 1, is not made and fails with `errno`.
    ///
    /// ```no_run
    /// use bridgework::Errno;
    /// use bridgework::kernel::{FaultInjector, Kernel, Netns};
    ///
    /// let injector = FaultInjector::new();
    /// let kernel = Kernel::with_injector(Netns::create()?, injector.clone())?;
    /// injector.fail_nth(2, Errno::ENOMEM);
    /// assert!(kernel.snapshot().is_ok());
    /// assert_eq!(kernel.snapshot().unwrap_err().errno(), Some(Errno::ENOMEM));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn fail_nth(&self, n: u64, errno: Errno) {
        self.arm(
            n,
            Strike {
                errno,
                moment: Moment::Before,
            },
        );
    }

    /// The `n`-th call from now, counted from 1, is made, but its answer is lost and `errno` is
    /// all that is known.
    ///
    /// ```no_run
    /// use bridgework::{Errno, FaultInjector, Host, HostConfig, Netns, NetworkConfig};
    ///
    /// let (netns, injector) = (Netns::create()?, FaultInjector::new());
    /// let config = HostConfig::new().netns(netns.clone()).fault_injector(injector.clone());
    /// let host = Host::open_with(config)?;
    /// injector.lose_nth_answer(5, Errno::EIO); // whatever was made by then is taken back
    /// assert!(host.create_network(NetworkConfig::bridge("web").bridge_name("br-web")).is_err());
    /// assert!(netns.snapshot()?.link_named("br-web").is_none());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn lose_nth_answer(&self, n: u64, errno: Errno) {
        self.arm(
            n,
            Strike {
                errno,
                moment: Moment::After,
            },
        );
    }

    /// How many calls were made or failed so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    fn arm(&self, n: u64, strike: Strike) {
        let mut armed = self.0.lock();
        let at = armed.calls.saturating_add(n);
        armed.strikes.push((at, strike));
    }

    /// Counts a call that is about to be made, and says what happens to it.
    pub(crate) fn strike(&self) -> Option<Strike> {
        let mut armed = self.0.lock();
        armed.calls += 1;
        let now = armed.calls;
        let position = armed.strikes.iter().position(|&(at, _)| at == now)?;
        Some(armed.strikes.swap_remove(position).1)
    }

    /// Makes the call, unless it is struck: it is `refused` then, though it may have been made.
    pub(super) fn strike_or<T, E>(
        &self,
        refused: impl FnOnce(Errno) -> E,
        call: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        match self.strike() {
            None => call(),
            Some(Strike { errno, moment }) => {
                if moment == Moment::After {
                    let _lost = call();
                }
                Err(refused(errno))
            }
        }
    }
}

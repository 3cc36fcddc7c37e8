//! A process that serves what others have connected, as long as a handle is there.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::kernel::Claim;
use crate::network::{Registry, join};
use crate::record::Revision;

use super::Host;

/// How soon after another process has connected a container it is served, at the latest but for the
/// work itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// So long it rests where something went wrong.
const AFTER_TROUBLE: Duration = Duration::from_millis(200);

/// As long as this is there, its process takes upon itself what other processes connect: see
/// [`Host::serve`].
///
/// Dropping it waits for the thread that looks for them, some milliseconds. What is served by then is
/// served as long as there is a handle to the host.
///
/// ```no_run
/// # use std::sync::Arc;
/// use bridgework::{Host, HostConfig, store::Memory};
///
/// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
/// let service = host.serve()?;
/// std::thread::park(); // until somebody ends it
/// drop(service);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[must_use = "dropping it ends the looking for others' containers"]
pub struct Service {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    process: u32,
    registry: Weak<Registry>,
}

impl Host {
    /// Does for all containers of the host's [records](crate::HostConfig::store) what takes a process
    /// that lives as long as they do: their questions at 127.0.0.11 and at the
    /// [gateways](crate::ResolverScope) are answered, their published ports are held by sockets, and
    /// what the kernel can't lead there is carried over. A thread looks every 20 ms for what other
    /// processes have connected and disconnected; what is there already is served when this returns.
    /// What can't be served, a port whose former holder has not ended yet say, is tried again every
    /// 200 ms. Needs `CAP_NET_ADMIN` in the containers' namespaces and `CAP_SYS_ADMIN`
    /// to enter them.
    ///
    /// A container's sockets keep its network namespace when its last process has ended, so that its place on
    /// its networks stays, too, until it is [pruned](Self::prune_containers) or
    /// [removed](Self::remove_container), by any process: they are closed then.
    ///
    /// One-shot processes leave that to the one that serves: as long as somebody answers a container,
    /// whoever else connects it does not. They need no [`resolver`](crate::HostConfig::resolver), and
    /// save two sockets each without. A second one that serves takes the containers' questions over; that
    /// is how one takes the place of another. Where that one ends, however, those who could answer
    /// before do so again within a tenth of a second, as long as their hosts are there.
    ///
    /// Without [records](crate::HostConfig::store) there are no others' containers: the host answers
    /// its own anyway, and nothing is left to do.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use bridgework::{Host, HostConfig, store::Memory};
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// let service = host.serve()?;
    /// std::thread::park();
    /// drop(service);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// This host answers nobody, since [`resolver`](crate::HostConfig::resolver) is off
    /// ([`Fault::ResolverOff`], [`Error::is_invalid`]). The records can't be read, or no thread is to be
    /// had.
    pub fn serve(&self) -> Result<Service> {
        let attempt = "serve containers";
        let registry = &self.0.registry;
        if registry.names().is_none() {
            return Err(Error::of(attempt, vec![Fault::ResolverOff]));
        }
        registry.catch_up().map_err(|error| error.during(attempt))?;
        // a container that can't be served now is tried again
        let _tried_by_each_look = registry.claim_names(Claim::Any);
        let mut served = None;
        let _tried_again = registry.serve(&mut served);
        let (stop, stopped) = sync_channel::<()>(1);
        let followed = Arc::downgrade(registry);
        let thread = std::thread::Builder::new()
            .name("bridgework-serve".to_owned())
            .spawn(move || {
                let mut rest = BETWEEN_LOOKS;
                while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
                    match look(&followed, &mut served) {
                        Some(next) => rest = next,
                        None => return,
                    }
                }
            });
        let thread = thread.map_err(|error| {
            let fault = Fault::Kernel {
                doing: "start a thread".to_owned(),
                errno: Errno::from(&error),
                words: None,
            };
            Error::of(attempt, vec![fault])
        })?;
        Ok(Service {
            stop: Some(stop),
            thread: Some(thread),
            process: std::process::id(),
            registry: Arc::downgrade(registry),
        })
    }
}

/// How long to rest then; `None` when the host is gone.
fn look(registry: &Weak<Registry>, served: &mut Option<Revision>) -> Option<Duration> {
    let registry = registry.upgrade()?;
    Some(match registry.serve(served) {
        Ok(()) => BETWEEN_LOOKS,
        Err(_) => AFTER_TROUBLE,
    })
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Serves what others have connected by now, at once: when it returns, all of it is served, unless
    /// somebody else who lives answers. Also where somebody has removed what leads questions here. Where
    /// the host is gone, since its last handle is, there is nothing to serve. Needs what
    /// [`Host::serve`] needs.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use bridgework::{Host, HostConfig, store::Memory};
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// let service = host.serve()?;
    /// service.look()?; // somebody says that there is something new
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// Something can't be served, and is tried again later; or the records can't be read.
    pub fn look(&self) -> Result<()> {
        let served = self.registry.upgrade();
        let served = served.map_or(Ok(()), |registry| {
            let served = registry.serve(&mut None);
            join([served, registry.claim_names(Claim::Vacant)])
        });
        served.map_err(|error| error.during("serve containers"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        // the thread is the parent's
        if self.process != std::process::id() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

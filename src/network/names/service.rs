//! The thread that answers the containers of a host: it is there as long as one of them is served.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::addr::HostName;
use crate::error::{Error, Fault, Result};
use crate::kernel::{Claim, Door, Kernel, Netns, Visit};
use crate::resolver::INTERNAL_SERVER;
use crate::resolver::server::{Audience, Listeners, Seat, Server, ServerConfig, ServerHandle};

use super::super::join;
use super::redirect;
use super::vigil::{Post, Stationed, Vigil};

/// So often others may change something meanwhile.
const ATTEMPTS: usize = 8;

/// Serves the containers of a host.
#[derive(Debug)]
pub(crate) struct NameService {
    /// The host's.
    netns: Netns,
    config: ServerConfig,
    domain: Option<HostName>,
    running: Mutex<Weak<Running>>,
    company: Company,
    vigil: Mutex<Weak<Vigil>>,
}

/// Who else may answer the same containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    Nobody,
    /// Other processes, by the records that the host keeps.
    Others,
}

/// A place at the server, and what keeps that running.
#[derive(Debug)]
pub(in crate::network) struct Served {
    // given up before the thread may end
    _seat: Seat,
    _running: Arc<Running>,
}

/// The thread. It ends with whoever is served last.
#[derive(Debug)]
struct Running {
    handle: Option<ServerHandle>,
    visit: Option<Visit<()>>,
}

impl NameService {
    /// One that serves nobody yet, of the host whose namespace this is.
    pub(crate) fn new(
        (netns, company): (Netns, Company),
        config: ServerConfig,
        domain: Option<HostName>,
    ) -> Self {
        Self {
            netns,
            config,
            domain,
            running: Mutex::default(),
            company,
            vigil: Mutex::default(),
        }
    }

    /// Opens sockets inside a container. Where others may answer it, too, it is to be kept an eye on.
    pub(super) fn open_door(
        &self,
        kernel: &Kernel,
        netns: &Netns,
    ) -> Result<(Door, Option<Stationed>)> {
        if self.company == Company::Nobody {
            let door = kernel.open_door(netns, INTERNAL_SERVER)?;
            return Ok((door, None));
        }
        let (door, bell) = kernel.open_shared_door(netns, INTERNAL_SERVER)?;
        let Some(bell) = bell else {
            return Ok((door, None));
        };
        let post = Post::new(netns.clone(), redirect(door.port), bell);
        let stationed = Stationed::new(self.vigil()?, post);
        Ok((door, Some(stationed)))
    }

    /// What is answered here is so from now on, as far as `claim` says. All of it is tried. Whoever ends
    /// that has said so before: between seeing that questions are led elsewhere and leading them here
    /// `listen` takes account of it.
    pub(crate) fn claim(&self, claim: Claim, listen: impl Fn() -> Result<()>) -> Result<()> {
        let vigil = self.vigil.lock().upgrade();
        let mut posts = vigil.map(|vigil| vigil.posts()).unwrap_or_default();
        let mut failed = Vec::new();
        for _ in 0..ATTEMPTS {
            let mut seen = Vec::new();
            for post in std::mem::take(&mut posts) {
                match post.look(claim) {
                    Ok(to_take) => seen.extend(to_take.map(|as_it_is| (post, as_it_is))),
                    Err(errno) => failed.push(errno),
                }
            }
            if seen.is_empty() {
                break;
            }
            listen()?;
            for (post, as_it_was) in seen {
                match post.take_seen(as_it_was) {
                    Ok(true) => {}
                    Ok(false) => posts.push(post),
                    Err(errno) => failed.push(errno),
                }
            }
        }
        failed.extend(posts.iter().map(|_| crate::Errno::EBUSY));
        let failed = failed.into_iter();
        join(failed.map(|errno| Err(refused("lead questions here", errno))))
    }

    fn vigil(&self) -> Result<Arc<Vigil>> {
        let mut vigil = self.vigil.lock();
        if let Some(vigil) = vigil.upgrade() {
            return Ok(vigil);
        }
        let begun = Vigil::begin().map_err(not_started)?;
        *vigil = Arc::downgrade(&begun);
        Ok(begun)
    }

    /// What all names are known under, and nobody else is asked of.
    pub(in crate::network) fn domain(&self) -> Option<&HostName> {
        self.domain.as_ref()
    }

    /// Whoever asks by these sockets is answered until what is returned is dropped.
    pub(super) fn serve(&self, listeners: Listeners, audience: Audience) -> Result<Served> {
        let running = self.running()?;
        let Some(handle) = &running.handle else {
            return Err(not_started(crate::Errno::EIO));
        };
        let seat = handle.serve(listeners, audience)?;
        Ok(Served {
            _seat: seat,
            _running: Arc::clone(&running),
        })
    }

    fn running(&self) -> Result<Arc<Running>> {
        let mut running = self.running.lock();
        if let Some(running) = running.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(self.start()?);
        *running = Arc::downgrade(&started);
        Ok(started)
    }

    fn start(&self) -> Result<Running> {
        let (server, handle) = Server::new(self.config.clone())?;
        let visit = self.netns.start(move || {
            server.run();
            Ok(())
        });
        Ok(Running {
            handle: Some(handle),
            visit: Some(visit.map_err(not_started)?),
        })
    }
}

fn not_started(errno: crate::Errno) -> Error {
    refused("start the thread that answers", errno)
}

fn refused(doing: &str, errno: crate::Errno) -> Error {
    let fault = Fault::Kernel {
        doing: doing.to_owned(),
        errno,
        words: None,
    };
    Error::of("serve names", vec![fault])
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.take();
        if let Some(visit) = self.visit.take() {
            let _ended = visit.end();
        }
    }
}

//! The thread that answers the containers of a host: it is there as long as one of them is served.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::addr::HostName;
use crate::error::{Error, Fault, Result};
use crate::kernel::{Netns, Visit};
use crate::resolver::server::{Audience, Listeners, Seat, Server, ServerConfig, ServerHandle};

/// Serves the containers of a host.
#[derive(Debug)]
pub(crate) struct NameService {
    /// The host's.
    netns: Netns,
    config: ServerConfig,
    domain: Option<HostName>,
    running: Mutex<Weak<Running>>,
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
    pub(crate) fn new(netns: Netns, config: ServerConfig, domain: Option<HostName>) -> Self {
        Self {
            netns,
            config,
            domain,
            running: Mutex::default(),
        }
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
    let fault = Fault::Kernel {
        doing: "start the thread that answers".to_owned(),
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

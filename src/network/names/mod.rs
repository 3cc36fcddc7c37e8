//! How the containers of one stack are answered at 127.0.0.11: from the first network whose names
//! resolve until the last one, by whose names, and whom else they may ask.

mod gateway;
mod service;
mod vigil;

use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::{HostName, Subnet};
use crate::config::ResolverScope;
use crate::error::Result;
use crate::kernel::{Claim, Holder, Kernel, Netns, first_door};
use crate::plan::{Redirect, Step};
use crate::record::DnsOverrides;
use crate::resolver::server::{Audience, Listeners};
use crate::resolver::{
    Client, ClientTerms, Forwarding, INTERNAL_SERVER, NameServer, ResolvOverrides, SearchDomain,
    View,
};
use crate::spec::{NetworkSpec, Origin};
pub(super) use gateway::Gateway;
use service::Served;
pub(crate) use service::{Company, NameService};
use vigil::Stationed;

/// Where a program asks.
const DNS_PORT: u16 = 53;

/// How one stack is answered.
#[derive(Debug)]
pub(super) struct Names {
    client: Arc<Client>,
    outlook: Outlook,
    open: Option<Open>,
    /// Whether another process has led questions somewhere, as far as is known.
    recalled: bool,
    /// What the stack's containers want, as it was last heard of.
    wishes: Option<DnsOverrides>,
}

/// The sockets inside, and how questions get there.
#[derive(Debug)]
pub(super) struct Open {
    redirect: Redirect,
    _served: Served,
    /// Where other processes may answer, too.
    shared: Option<Stationed>,
}

/// What the stack's containers want in the place of what the host has.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlook {
    pub(super) servers: Vec<NameServer>,
    pub(super) search: Vec<SearchDomain>,
    /// The host's networks' own.
    pub(super) domain: Option<HostName>,
}

/// What an endpoint brings a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// A way out.
    Outside,
    /// A way to these subnets, and no further.
    Inside(Vec<Subnet>),
}

/// What is going to be. Dropping it closes what was opened for it.
#[derive(Debug)]
pub(super) enum NamesChange {
    /// All stays as it is.
    None,
    /// Whether the stack is answered stays as it is, and by what its containers want is said anew.
    Renews(Outlook),
    /// The stack is answered from now on.
    Begins(Box<Beginning>),
    /// It is not answered any more.
    Ends(Redirect),
}

#[derive(Debug)]
pub(super) struct Beginning {
    outlook: Outlook,
    open: Open,
    /// Who answers until then. Of one that lives nothing is taken.
    holder: Holder,
}

impl Names {
    /// Of a stack whose names these are. Nobody answers yet.
    pub(super) fn new(view: &Arc<View>) -> Self {
        let terms = ClientTerms {
            forwarding: Forwarding::Nobody,
            search: Vec::new(),
            domain: None,
        };
        Self {
            client: Arc::new(Client::new(Arc::clone(view), terms)),
            outlook: Outlook::default(),
            open: None,
            recalled: false,
            wishes: None,
        }
    }

    /// What the stack's containers want, as another process has written it down.
    pub(super) fn inform(&mut self, wishes: &DnsOverrides, outlook: Outlook) {
        self.outlook = outlook;
        self.wishes = Some(wishes.clone());
    }

    /// As what its containers want comes to now.
    pub(super) fn renew(&mut self, outlook: Outlook) {
        self.outlook = outlook;
    }

    /// Whether that is news.
    pub(super) fn is_news(&self, wishes: &DnsOverrides) -> bool {
        self.wishes.as_ref() != Some(wishes)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn recall(&mut self) {
        self.recalled = true;
    }

    /// Who asks, when the stack's containers do.
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// What it takes for the stack to be answered, if it is not yet. The sockets are there from now
    /// on, and nobody knows of them. Of whom the seat may be taken says `claim`.
    pub(super) fn begin(
        &self,
        (service, kernel): (&NameService, &Kernel),
        (netns, claim): (&Netns, Claim),
        outlook: Outlook,
    ) -> Result<NamesChange> {
        if self.open.is_some() {
            return Ok(NamesChange::Renews(outlook));
        }
        let (door, shared) = service.open_door(kernel, netns)?;
        let redirect = redirect(door.port);
        let holder = match &shared {
            // nobody else has ever answered it, as far as is written down
            Some(_) if !self.recalled || claim == Claim::Any => Holder::Nobody,
            Some(shared) => shared.post().take(Claim::Nothing).unwrap_or(Holder::Nobody),
            None => Holder::Nobody,
        };
        let listeners = Listeners {
            udp: vec![door.udp],
            tcp: vec![door.tcp],
        };
        let audience = Audience::Container {
            client: Arc::clone(&self.client),
            netns: Some(netns.clone()),
        };
        let served = service.serve(listeners, audience)?;
        Ok(NamesChange::Begins(Box::new(Beginning {
            outlook,
            open: Open {
                redirect,
                _served: served,
                shared,
            },
            holder,
        })))
    }

    /// The step that it takes, as far as can be said where nothing is opened.
    pub(super) fn begin_on_paper(&self) -> Option<Step> {
        let step = Step::AddRedirect(redirect(first_door()));
        self.open.is_none().then_some(step)
    }

    /// What it takes for the stack not to be answered any more. It is settled whatever comes of it.
    pub(super) fn end(&self) -> NamesChange {
        match &self.open {
            Some(open) => {
                open.shared.iter().for_each(Stationed::end);
                NamesChange::Ends(open.redirect)
            }
            // to whatever port it leads
            None if self.recalled => NamesChange::Ends(redirect(first_door())),
            None => NamesChange::None,
        }
    }

    /// Where others may be asked from now on, by what all endpoints bring.
    pub(super) fn look_out(&self, reaches: &[Reach]) {
        self.client.set_terms(ClientTerms {
            forwarding: self.outlook.forwarding(reaches),
            search: self.outlook.search.clone(),
            domain: self.outlook.domain.clone(),
        });
    }
}

/// Whether the names of a network resolve.
pub(super) fn resolve_on(network: &NetworkSpec) -> bool {
    network.origin == Origin::Custom && network.resolver != ResolverScope::Nowhere
}

/// Whether its containers are answered inside themselves.
pub(super) fn answers_inside(network: &NetworkSpec) -> bool {
    resolve_on(network) && network.resolver.is_inside()
}

/// The subnets of a network.
pub(super) fn subnets(network: &NetworkSpec) -> Vec<Subnet> {
    network.ranges().map(|range| range.subnet).collect()
}

fn redirect(port: crate::addr::Port) -> Redirect {
    let server = INTERNAL_SERVER;
    Redirect { server, port }
}

impl NamesChange {
    /// The kernel's part.
    pub(super) fn step(&self) -> Option<Step> {
        match self {
            Self::None | Self::Renews(_) => None,
            Self::Begins(beginning) if beginning.holder == Holder::Other => None,
            Self::Begins(beginning) => Some(Step::AddRedirect(beginning.open.redirect)),
            Self::Ends(redirect) => Some(Step::DeleteRedirect(*redirect)),
        }
    }

    /// It was performed. What is returned is used no more.
    pub(super) fn settle(self, names: &mut Names) -> Option<Open> {
        match self {
            Self::None => None,
            Self::Renews(outlook) => {
                names.outlook = outlook;
                None
            }
            Self::Begins(beginning) => {
                let Beginning {
                    outlook,
                    mut open,
                    holder,
                } = *beginning;
                names.outlook = outlook;
                if let Some(shared) = &mut open.shared {
                    shared.begin(holder);
                }
                names.open.replace(open)
            }
            Self::Ends(_) => {
                names.recalled = false;
                names.open.take()
            }
        }
    }
}

impl Outlook {
    pub(super) fn new(
        overrides: &ResolvOverrides,
        search: Vec<SearchDomain>,
        domain: Option<HostName>,
    ) -> Self {
        Self {
            servers: overrides.nameservers.clone(),
            search,
            domain,
        }
    }

    /// Whoever has no way out asks nobody but who is where it has a way to.
    fn forwarding(&self, reaches: &[Reach]) -> Forwarding {
        let has_way_out = reaches.contains(&Reach::Outside);
        // itself is no server of its own
        let others = self.servers.iter();
        let others = others.filter(|server| server.address() != IpAddr::V4(INTERNAL_SERVER));
        match (has_way_out, self.servers.is_empty()) {
            (true, true) => Forwarding::Host,
            (false, true) => Forwarding::Nobody,
            (true, false) => Forwarding::Own(others.cloned().collect()),
            (false, false) => {
                let near = |server: &&NameServer| {
                    let address = server.address();
                    reaches.iter().any(|reach| reach.leads_to(address))
                };
                match others.filter(near).cloned().collect::<Arc<[_]>>() {
                    near if near.is_empty() => Forwarding::Nobody,
                    near => Forwarding::Own(near),
                }
            }
        }
    }
}

impl Reach {
    /// What an endpoint on that network brings.
    pub(super) fn of(network: &NetworkSpec) -> Self {
        match network.internal.is_on() {
            true => Self::Inside(subnets(network)),
            false => Self::Outside,
        }
    }

    fn leads_to(&self, address: IpAddr) -> bool {
        match self {
            Self::Outside => true,
            Self::Inside(subnets) => subnets.iter().any(|subnet| subnet.contains(address)),
        }
    }
}

#[cfg(test)]
mod tests;

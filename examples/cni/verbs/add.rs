//! `ADD`: the container is on the network when the result is printed, or nothing has changed.

use std::path::Path;

use bridgework::{Container, ContainerConfig, Device, Endpoint, Family, Host, Netns, Network};
use serde_json::Value;

use crate::attachment::Attachment;
use crate::call::Call;
use crate::conf::{Conf, Dns, Range, Route};
use crate::failure::{Code, Failure, Outcome};
use crate::host;
use crate::ipam::{Delegate, Lease};
use crate::network::{get_or_create, remove_unused};
use crate::outcome;
use crate::wish::Wish;

/// So often others may remove the network that they were alone on.
const TRIES: usize = 64;

pub(crate) fn add(call: &Call, conf: &Conf, at: &Attachment, netns: &Path) -> Outcome<Value> {
    let wish = Wish::new(call, conf)?;
    let inside = Netns::at(netns)?;
    let host = host::open(&conf.state_dir())?;
    let before = Before::of(&host, conf, at)?;
    if let Before::There = before {
        let words = format!("{at} is on network {} already", conf.keys.name);
        return Err(Failure::new(Code::Refused, words));
    }
    let Some(delegate) = Delegate::of(call, conf) else {
        return connect(&host, conf, &wish, (at, &inside, netns));
    };
    if let Before::EarlierLife = before {
        // if it still has its addresses, its plugin says so now
        let _as_never_added = delegate.tell("DEL");
    }
    let wish = wish.on_lease(delegate.add()?);
    let added = connect(&host, conf, &wish, (at, &inside, netns));
    if added.is_err() {
        // the first failure is the one to be told
        let _as_before = delegate.tell("DEL");
    }
    added
}

/// What was on the network under the attachment's name.
enum Before {
    Nothing,
    /// Of a namespace that is gone, without a `DEL`: it is taken back.
    EarlierLife,
    There,
}

impl Before {
    fn of(host: &Host, conf: &Conf, at: &Attachment) -> Outcome<Self> {
        let network = host.network_named(&conf.keys.name).filter(|network| {
            let mut endpoints = network.endpoints().into_iter();
            endpoints.any(|spec| spec.container.as_str() == at.name())
        });
        let Some(network) = network else {
            return Ok(Self::Nothing);
        };
        match host.container(at.name()) {
            Ok(_alive) => return Ok(Self::There),
            Err(error) if !error.is_not_found() => return Err(error.into()),
            Err(_) => {}
        }
        match network.disconnect(at.name()) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(Self::EarlierLife),
        }
    }
}

impl Wish {
    /// The same with the addresses that another plugin has given.
    fn on_lease(mut self, lease: Lease) -> Self {
        let ranges = lease.ips.iter().map(|leased| Range {
            subnet: Some(leased.address.trunc()),
            gateway: leased.gateway,
            ..Range::default()
        });
        self.ranges = ranges.collect();
        self.addresses = lease
            .ips
            .iter()
            .map(|leased| leased.address.addr())
            .collect();
        self.routes = lease.routes;
        if self.dns == Dns::default() {
            self.dns = lease.dns;
        }
        self
    }
}

fn connect(
    host: &Host,
    conf: &Conf,
    wish: &Wish,
    (at, inside, netns): (&Attachment, &Netns, &Path),
) -> Outcome<Value> {
    let mut config = ContainerConfig::new(at.name(), inside.clone());
    if let Some(hostname) = wish.hostname.as_ref() {
        config = config.hostname(hostname.as_str());
    }
    let container = Container::open(config)?;
    let (network, endpoint) = enter(host, conf, wish, (at, &container))?;
    let finished = finish(wish, &endpoint);
    let kept = finished.and_then(|routes| Ok((endpoint.persist()?, routes)));
    match kept {
        Ok((spec, routes)) => Ok(outcome::result(
            (conf, wish),
            (network.spec(), &spec),
            (netns, &routes),
        )),
        Err(failure) => {
            remove_unused(&network)?;
            Err(failure)
        }
    }
}

/// On the network, which others may have removed meanwhile.
fn enter(
    host: &Host,
    conf: &Conf,
    wish: &Wish,
    (at, container): (&Attachment, &Container),
) -> Outcome<(Network, Endpoint)> {
    for _ in 0..TRIES {
        let network = get_or_create(host, conf, wish)?;
        let error = match network.connect_with(container, wish.config(conf, &at.link)) {
            Ok(endpoint) => return Ok((network, endpoint)),
            Err(error) => error,
        };
        let same = host
            .network_named(&conf.keys.name)
            .is_some_and(|there| there.id() == network.id());
        if same || !error.is_not_found() {
            remove_unused(&network)?;
            return Err(error.into());
        }
    }
    let words = format!("network {} is removed again and again", conf.keys.name);
    Err(Failure::new(Code::TryAgainLater, words))
}

/// What the crate leaves to the container, and all routes as the result has them.
fn finish(wish: &Wish, endpoint: &Endpoint) -> Outcome<Vec<Route>> {
    let inside = Device::open(endpoint.container().netns(), endpoint.link_name().clone())?;
    let network = endpoint.network().spec();
    let gateway = |family| match family {
        Family::V4 => network.ipv4.as_ref()?.gateway,
        Family::V6 => network.ipv6.as_ref()?.gateway,
    };
    let mut routes = Vec::new();
    for route in &wish.routes {
        let family = Family::of(route.dst.addr());
        let by = route.gw.or(gateway(family));
        if !route.is_default() {
            inside.add_route(route.destination(), by)?;
        } else if by != gateway(family) {
            let words = format!("{} by another gateway than the network's", route.dst);
            return Err(Failure::unsupported("ipam.routes", words));
        }
        routes.push(route.clone());
    }
    for address in endpoint.spec().addresses() {
        let family = Family::of(address.address.addr());
        let is_told = routes
            .iter()
            .any(|route: &Route| route.is_default() && Family::of(route.dst.addr()) == family);
        if address.gateway.is_some() && !is_told {
            routes.push(Route::default_by(family, address.gateway));
        }
    }
    Ok(routes)
}

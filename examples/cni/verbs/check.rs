//! `CHECK`: the attachment is as `ADD` made it, on the host's side and inside, and as the runtime
//! remembers it. What somebody has changed is said, and left as it is.

use std::path::Path;

use bridgework::snapshot::Snapshot;
use bridgework::spec::EndpointSpec;
use bridgework::{Family, Finding, Host, Netns, Network};
use serde_json::Value;

use crate::attachment::Attachment;
use crate::call::Call;
use crate::conf::Conf;
use crate::failure::{Code, Failure, Outcome};
use crate::fold::fold;
use crate::host;
use crate::ipam::Delegate;

pub(crate) fn check(call: &Call, conf: &Conf, at: &Attachment, netns: &Path) -> Outcome {
    let host = host::open_if_there(&conf.state_dir())?;
    let network = host
        .as_ref()
        .and_then(|host| host.network_named(&conf.keys.name));
    let spec = network.as_ref().and_then(|network| {
        let mut endpoints = network.endpoints().into_iter();
        endpoints.find(|spec| spec.container.as_str() == at.name())
    });
    let (Some(host), Some(network), Some(spec)) = (host, network, spec) else {
        let words = format!("{at} is not on network {}", conf.keys.name);
        return Err(Failure::new(Code::UnknownContainer, words));
    };
    let inside = Netns::at(netns)?;
    let mut wrong = outside(&host, &network, &spec)?;
    wrong.extend(within(&spec, &inside.snapshot()?));
    wrong.extend(remembered(conf, &spec));
    if let Some(first) = wrong.first() {
        let words = format!("{at} on network {}: {first}", conf.keys.name);
        return Err(Failure::new(Code::NotAsMade, words).with_details(wrong.join("\n")));
    }
    Delegate::of(call, conf).map_or(Ok(()), |delegate| delegate.tell("CHECK"))
}

/// What the crate finds wrong on the host's side, but for what only others' attachments are about.
fn outside(host: &Host, network: &Network, spec: &EndpointSpec) -> Outcome<Vec<String>> {
    let marks = |spec: &EndpointSpec| {
        let addresses = spec.addresses().map(|a| a.address.addr().to_string());
        let links = [spec.host_link.name.to_string(), spec.container.to_string()];
        links.into_iter().chain(addresses).collect::<Vec<_>>()
    };
    let networks = host.networks();
    let mut others: Vec<String> = Vec::new();
    for other in &networks {
        let endpoints = other.endpoints();
        let theirs = endpoints.iter().filter(|other| other.id != spec.id);
        others.extend(theirs.flat_map(marks));
        if other.id() != network.id() {
            others.push(other.spec().link.name.to_string());
        }
    }
    let own = marks(spec);
    let mut found = host.check()?;
    found.retain(keeps_it_from_working);
    let mut found: Vec<String> = found.iter().map(ToString::to_string).collect();
    found.retain(|finding| mentions(finding, &own) || !mentions(finding, &others));
    Ok(found)
}

/// Not what the dead have left, what may be, and links that came after the network.
fn keeps_it_from_working(finding: &Finding) -> bool {
    !matches!(
        finding,
        Finding::Unfinished { .. }
            | Finding::Unowned { .. }
            | Finding::LegacyFilter { .. }
            | Finding::Uplink { .. }
    )
}

/// Whether one of the words stands in the text as a whole.
fn mentions(text: &str, words: &[String]) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    let mut parts = text.split(|c| !is_part(c));
    parts.any(|part| {
        words
            .iter()
            .any(|word| word == part.trim_end_matches([':', '.']))
    })
}

/// What is wrong inside the container.
fn within(spec: &EndpointSpec, now: &Snapshot) -> Vec<String> {
    let name = &spec.link.name;
    let Some(link) = now.link_named(name.as_str()) else {
        return vec![format!("interface {name} is gone")];
    };
    let mut wrong = Vec::new();
    if link.index != spec.link.index.get() {
        wrong.push(format!("interface {name} is another one"));
    }
    if link.mac != Some(spec.mac) {
        wrong.push(format!("interface {name} has not the address {}", spec.mac));
    }
    if !link.up {
        wrong.push(format!("interface {name} is down"));
    }
    for address in spec.addresses() {
        let is_it = |state: &&bridgework::snapshot::AddressState| {
            state.link == link.index && state.address == address.address
        };
        if !now.addresses.iter().any(|state| is_it(&state)) {
            wrong.push(format!("address {} of {name} is gone", address.address));
        }
        let family = Family::of(address.address.addr());
        if address.gateway.is_some() && !has_default_route(now, family) {
            wrong.push(format!(
                "the default route of IPv{} is gone",
                family.digit()
            ));
        }
    }
    wrong
}

/// By whichever of the container's networks it leads.
fn has_default_route(now: &Snapshot, family: Family) -> bool {
    now.routes.iter().any(|route| {
        let destination = route.destination;
        destination.prefix_len() == 0 && Family::of(destination.addr()) == family
    })
}

/// What the runtime remembers otherwise.
fn remembered(conf: &Conf, spec: &EndpointSpec) -> Vec<String> {
    let Some(previous) = conf.previous.as_ref().map(fold) else {
        return Vec::new();
    };
    let list = |name: &str| previous.get(name).and_then(Value::as_array).cloned();
    let mut wrong = Vec::new();
    let ips = list("ips").unwrap_or_default();
    for address in spec.addresses() {
        let text = address.address.to_string();
        if !ips.iter().any(|ip| ip["address"] == text.as_str()) {
            wrong.push(format!("prevResult has not the address {text}"));
        }
    }
    let interfaces = list("interfaces").unwrap_or_default();
    let is_it = |interface: &Value| {
        let mac = interface["mac"].as_str().unwrap_or_default();
        interface["name"] == spec.link.name.as_str()
            && interface["sandbox"].is_string()
            && mac.eq_ignore_ascii_case(&spec.mac.to_string())
    };
    if !interfaces.iter().any(is_it) {
        wrong.push(format!("prevResult has not interface {}", spec.link.name));
    }
    wrong
}

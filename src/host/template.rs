//! Configuration-only networks: a name, and a request that others are completed with. They take no
//! subnet, and nothing of them is in the kernel.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{FamilyRequest, NetworkConfig, NetworkRequest};
use crate::driver::{Driver, NoneDriver};
use crate::error::{Error, Fault, Result};
use crate::network::{Draft, Members, Network, Pools, Registered, Template};
use crate::plan::{Plan, Switch};
use crate::spec::{NetworkRange, NetworkSpec, Origin};

use super::Host;
use super::builtin::linkless;

impl Host {
    pub(super) fn create_template(
        &self,
        config: &NetworkConfig,
        begun: Instant,
    ) -> Result<Network> {
        let (registered, request) = self.register_template(config)?;
        let spec = spec_of(&request).inspect_err(|_| registered.cancel())?;
        let network = self.settle_linkless(spec, Arc::new(NoneDriver), registered, begun)?;
        self.0.registry.offer(&network, request);
        Ok(network)
    }

    pub(super) fn draft_template(&self, config: &NetworkConfig) -> Result<Draft> {
        let (registered, request) = self.register_template(config)?;
        registered.cancel();
        let spec = spec_of(&request)?;
        let members = Members::new(&spec.name, Pools::default());
        let registry = Arc::clone(&self.0.registry);
        Ok(Draft::new(
            spec,
            Arc::new(NoneDriver),
            Plan::new(),
            members,
            registry,
        ))
    }

    fn register_template(&self, config: &NetworkConfig) -> Result<(Registered, NetworkRequest)> {
        let mut faults = Vec::new();
        self.check_instance(config, &mut faults);
        let Some(request) = config.check(None, &mut faults) else {
            return Err(Error::of("", faults));
        };
        let take_none = |_: &[_]| match faults.is_empty() {
            true => Ok(Vec::new()),
            false => Err(faults),
        };
        let registered = self.0.registry.register((&request.name, None), take_none);
        let registered = registered.map_err(|faults| Error::of("", faults))?;
        Ok((registered, request))
    }

    /// The request with all that its template gives, and the template.
    pub(super) fn complete(
        &self,
        request: NetworkRequest,
        driver_keys: Option<&[&str]>,
        faults: &mut Vec<Fault>,
    ) -> (NetworkRequest, Option<Template>) {
        let Some(name) = &request.config_from else {
            return (request, None);
        };
        let Some(template) = self.0.registry.template(name) else {
            faults.push(Fault::TemplateNotFound { name: name.clone() });
            return (request, None);
        };
        let keys = driver_keys.unwrap_or_default();
        let whole = request.completed_by(&template.request, keys, faults);
        (whole, Some(template))
    }
}

fn spec_of(request: &NetworkRequest) -> Result<NetworkSpec> {
    let linkless = linkless(request.name.clone(), NoneDriver.name())?;
    Ok(NetworkSpec {
        origin: Origin::Custom,
        ipv4: request.ipv4.as_ref().and_then(range),
        ipv6: request.ipv6.as_ref().and_then(range),
        further: request.further.iter().filter_map(range).collect(),
        mtu: request.mtu.unwrap_or(linkless.mtu),
        bridge: request.bridge.clone(),
        mac_policy: request.mac_policy,
        hosts: request.hosts,
        resolver: request.resolver,
        labels: request.labels.clone(),
        options: request.options.clone(),
        config_only: Switch::On,
        ..linkless
    })
}

/// As far as it was asked for: nothing is chosen for a template.
fn range(asked: &FamilyRequest) -> Option<NetworkRange> {
    Some(NetworkRange {
        subnet: asked.subnet?,
        gateway: asked.gateway,
        range: asked.range,
        auxiliary: asked.auxiliary.clone(),
    })
}

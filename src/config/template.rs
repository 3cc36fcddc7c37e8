//! Configuration-only networks: requests that others are completed with. What a template gives,
//! nobody who depends on it may give too.

use crate::addr::NetworkName;
use crate::error::Fault;
use crate::plan::{BridgeOptions, Switch};

use super::check::NetworkRequest;
use super::network::{MacPolicy, NetworkConfig};
use super::options::NetworkOptions;
use super::scope::{HostsScope, ResolverScope};
use super::take;

/// Docker's name for the driver of what is no network.
const NO_DRIVER: &str = "null";

impl NetworkConfig {
    /// A configuration-only network: a template of subnets, options and labels, that no container
    /// can be connected to. Whether a network is internal is of each network's own.
    ///
    /// ```
    /// use bridgework::NetworkConfig;
    ///
    /// let template = NetworkConfig::config_only("small").subnet("10.89.0.0/29");
    /// let web = NetworkConfig::bridge("web").config_from("small").internal();
    /// assert_ne!(template, web);
    /// ```
    #[must_use]
    pub fn config_only(name: impl Into<String>) -> Self {
        Self {
            config_only: Switch::On,
            ..Self::new(NO_DRIVER, name)
        }
    }

    /// Whether it is of a configuration-only network.
    pub(crate) fn is_template(&self) -> bool {
        self.config_only.is_on()
    }

    /// The configuration-only network that subnets, options and labels come from. Nothing of the
    /// kind may be given beside it.
    #[must_use]
    pub fn config_from<V>(mut self, template: V) -> Self
    where
        V: TryInto<NetworkName>,
        V::Error: Into<Fault>,
    {
        self.config_from = take(template, &mut self.faults).or(self.config_from);
        self
    }

    /// What neither a template nor who depends on one may say.
    pub(super) fn check_template(&self, options: &NetworkOptions, faults: &mut Vec<Fault>) {
        let says_internal = self.internal.is_on() || options.internal.is_some();
        if self.config_only.is_on() && says_internal {
            faults.push(Fault::TemplateInternal);
        }
        if self.config_from.is_none() {
            return;
        }
        if self.config_only.is_on() {
            faults.push(Fault::TemplateOfTemplate);
        }
        let given: Vec<String> = self.given().map(str::to_owned).collect();
        if !given.is_empty() {
            faults.push(Fault::GivenByTemplate { given });
        }
        let keys: Vec<String> = options.by_key().into_keys().collect();
        if !keys.is_empty() {
            faults.push(Fault::OptionsByTemplate { keys });
        }
    }

    /// What was given of that which a template gives, but for options.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let parts = [
            (!self.subnets.is_empty(), "subnet"),
            (!self.further.is_empty(), "further subnet"),
            (!self.gateways.is_empty(), "gateway"),
            (!self.ranges.is_empty(), "ip-range"),
            (!self.auxiliary.is_empty(), "aux-address"),
            (self.ipv4 == Some(Switch::Off), "ipv4"),
            (self.ipv6 == Some(Switch::On), "ipv6"),
            (self.mac.is_some(), "bridge mac"),
            (self.bridge != BridgeOptions::default(), "bridge options"),
            (self.mac_policy != MacPolicy::default(), "mac policy"),
            (self.hosts != HostsScope::default(), "hosts"),
            (self.resolver != ResolverScope::default(), "resolver"),
            (!self.labels.is_empty(), "label"),
        ];
        parts
            .into_iter()
            .filter_map(|(is_given, part)| is_given.then_some(part))
    }
}

impl NetworkRequest {
    /// The same request, with all that `template` gives. `driver_keys` are the own options of this
    /// request's driver, which nobody asked when the template was made.
    pub(crate) fn completed_by(
        self,
        template: &Self,
        driver_keys: &[&str],
        faults: &mut Vec<Fault>,
    ) -> Self {
        faults.extend(template.options.unknown_to(driver_keys));
        let mut whole = Self {
            name: self.name,
            driver: self.driver,
            internal: self.internal,
            config_only: self.config_only,
            config_from: self.config_from,
            ..template.clone()
        };
        whole.choose_gateways(faults);
        whole
    }
}

#[cfg(test)]
mod tests;

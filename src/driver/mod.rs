//! Drivers decide: from a spec to the plan that makes it so. Pure: no socket, file, clock or
//! thread.
//!
//! There is no verb for taking down. Disconnecting and removing perform the same plan backwards
//! ([`Plan::undo`]), so a driver that can connect can disconnect.

mod bridge;
mod container;
mod gateway;
mod host;
mod none;

use std::fmt;

pub use bridge::BridgeDriver;
pub(crate) use bridge::settings_of;
pub use container::ContainerDriver;
pub(crate) use gateway::{Exit, doors, lead_out, moves};
pub use host::HostDriver;
pub use none::NoneDriver;

pub use crate::spec::Stack;

use crate::addr::ContainerName;
use crate::error::Fault;
use crate::plan::Plan;
use crate::snapshot::{Snapshot, View};
use crate::spec::{EndpointSpec, NetworkSpec};

/// What a kind of network consists of. Register one with
/// [`HostConfig::driver`](crate::HostConfig::driver) and ask for it by its name with
/// [`NetworkConfig::new`](crate::NetworkConfig::new); `examples/own_driver.rs` is a whole one.
///
/// All methods are pure: the same arguments give the same plan. Ids, names, indexes, addresses
/// and hardware addresses are in the specs, chosen before. A refusal changes nothing.
///
/// ```
/// use bridgework::driver::{BridgeDriver, Driver};
///
/// assert_eq!(BridgeDriver.name(), "bridge");
/// ```
pub trait Driver: Send + Sync + fmt::Debug {
    /// The name that networks are asked for by.
    ///
    /// ```
    /// use bridgework::driver::{BridgeDriver, Driver, HostDriver, NoneDriver};
    ///
    /// let drivers: [&dyn Driver; 3] = [&BridgeDriver, &HostDriver, &NoneDriver];
    /// let wanted = drivers.iter().find(|driver| driver.name() == "null");
    /// assert!(wanted.is_some());
    /// ```
    fn name(&self) -> &str;

    /// The keys of options that this driver alone knows. They come to it as they were given, in
    /// [`NetworkOptions::of_driver`](crate::config::NetworkOptions::of_driver). Default: none.
    ///
    /// ```
    /// use bridgework::driver::Driver;
    /// # use bridgework::{Fault, plan::Plan, snapshot::Snapshot};
    /// # use bridgework::spec::{EndpointSpec, NetworkSpec};
    ///
    /// #[derive(Debug)]
    /// struct Vlan;
    ///
    /// impl Driver for Vlan {
    ///     fn name(&self) -> &str {
    ///         "vlan"
    ///     }
    ///     fn option_keys(&self) -> &[&str] {
    ///         &["vlan.id"] // NetworkConfig::new("vlan", "shop").option("vlan.id", "7")
    ///     }
    ///     // …
    /// # fn create(&self, _: &NetworkSpec, _: &Snapshot) -> Result<Plan, Fault> {
    /// #     Ok(Plan::new())
    /// # }
    /// # fn connect(&self, _: &NetworkSpec, _: &EndpointSpec) -> Result<Plan, Fault> {
    /// #     Ok(Plan::new())
    /// # }
    /// }
    /// assert_eq!(Vlan.option_keys(), ["vlan.id"]);
    /// ```
    fn option_keys(&self) -> &[&str] {
        &[]
    }

    /// What the network itself needs on the host's side: `host` is what is there now.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    ///
    /// ```no_run
    /// use bridgework::driver::{BridgeDriver, Driver};
    /// use bridgework::{Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let draft = host.draft_network(&NetworkConfig::bridge("shop"))?;
    /// let plan = BridgeDriver.create(draft.spec(), &host.snapshot()?)?;
    /// assert_eq!(&plan, draft.plan());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault>;

    /// How much of the host [`create`](Self::create) looks at, where a process meets with a network of
    /// the host's [records](crate::HostConfig::store) and finds out what was done for it: `host` is as
    /// little as that then. Where a network is made it is all of it. Default: all of it.
    ///
    /// ```
    /// use bridgework::driver::{BridgeDriver, Driver};
    /// use bridgework::snapshot::{Snapshot, View};
    /// # use bridgework::{Fault, plan::Plan, spec::{EndpointSpec, NetworkSpec}};
    ///
    /// #[derive(Debug)]
    /// struct Shop;
    ///
    /// impl Driver for Shop {
    ///     fn name(&self) -> &str {
    ///         "shop"
    ///     }
    ///     fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault> {
    ///         BridgeDriver.create(network, host) // and looks at nothing itself
    ///     }
    ///     fn view(&self) -> View {
    ///         BridgeDriver.view()
    ///     }
    ///     // …
    /// # fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
    /// #     BridgeDriver.connect(network, endpoint)
    /// # }
    /// }
    /// assert_eq!(Shop.view(), View::Uplinks);
    /// ```
    fn view(&self) -> View {
        View::Whole
    }

    /// What one more container needs. The plan's container side is the endpoint's container.
    ///
    /// Default routes are no part of it: which of a container's networks they lead by changes as
    /// networks come and go. What an endpoint has to offer is in its addresses' `gateway`.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    ///
    /// ```no_run
    /// use bridgework::driver::{BridgeDriver, Driver};
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
    /// # let app = Container::isolated("app")?;
    ///
    /// let endpoint = network.connect(&app)?;
    /// let plan = BridgeDriver.connect(network.spec(), endpoint.spec())?;
    /// assert_eq!(plan.container(), Some(app.name()));
    /// print!("{plan}"); // without its default routes and its names
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault>;

    /// Whose stack its containers have. Where it is not their own, they belong to the network from
    /// when they are opened, by [`open`](Self::open), and can't be connected later.
    ///
    /// ```
    /// use bridgework::driver::{BridgeDriver, Driver, HostDriver, Stack};
    ///
    /// let can_connect = |driver: &dyn Driver| driver.stack() == Stack::Own;
    /// assert!(can_connect(&BridgeDriver));
    /// assert!(!can_connect(&HostDriver));
    /// ```
    fn stack(&self) -> Stack {
        Stack::Own
    }

    /// What a container needs that is opened with this driver's stack and never connected.
    ///
    /// ```
    /// use bridgework::driver::{BridgeDriver, Driver, NoneDriver};
    ///
    /// let web = "web".parse()?;
    /// assert!(BridgeDriver.open(&web).is_empty()); // it is connected later
    /// assert_eq!(NoneDriver.open(&web).to_string(), "ip -n web link set dev lo up\n");
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    fn open(&self, container: &ContainerName) -> Plan {
        Plan::with_container(container.clone())
    }

    /// The first half of [`connect`](Self::connect), for a container whose namespace is not there
    /// yet: its end of the wire is left on the host's side, where `endpoint.link` is.
    ///
    /// # Errors
    /// What the driver can't make of the request; by default all of it.
    ///
    /// ```no_run
    /// use bridgework::driver::{BridgeDriver, Driver};
    /// # use bridgework::EndpointConfig;
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
    /// # let app = Container::isolated("app")?;
    ///
    /// let staged = network.stage("app", EndpointConfig::new())?;
    /// let plan = BridgeDriver.stage(network.spec(), staged.spec())?;
    /// print!("{plan}"); // both ends are the host's
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn stage(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let _unused = (network, endpoint);
        let why = "it does not make endpoints before their containers".to_owned();
        let driver = self.name().to_owned();
        Err(Fault::Driver { driver, why })
    }

    /// The second half, for an end that is in the container's namespace by now.
    ///
    /// # Errors
    /// As for [`stage`](Self::stage).
    ///
    /// ```no_run
    /// use bridgework::driver::{BridgeDriver, Driver};
    /// # use bridgework::EndpointConfig;
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
    /// # let app = Container::isolated("app")?;
    ///
    /// let staged = network.stage("app", EndpointConfig::new())?;
    /// let endpoint = staged.join(&app)?;
    /// let plan = BridgeDriver.join(network.spec(), endpoint.spec())?;
    /// assert_eq!(plan.container(), Some(app.name()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn join(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        self.stage(network, endpoint)
    }
}

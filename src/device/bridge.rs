//! A bridge of one's own.

use std::fmt;

use crate::addr::{LinkIndex, LinkName, MacAddr, Mtu};
use crate::error::{Error, Fault, Result};
use crate::kernel::{Kernel, Netns};
use crate::plan::{BridgeOptions, Link, Plan, PortOptions, Side, Step};

use super::{Device, Ending, choose_mac, delete, find, mark, new_link};

/// What a bridge is made with.
///
/// ```
/// use bridgework::plan::{BridgeOptions, Switch};
/// use bridgework::BridgeConfig;
///
/// let config = BridgeConfig::new("br0").options(BridgeOptions::new().stp(Switch::On));
/// ```
///
/// Its address and its MTU are the kernel's from the start:
///
/// ```no_run
/// use bridgework::{Bridge, BridgeConfig, Mtu, Netns};
///
/// let (mac, mtu) = ("02:00:00:00:00:01".parse()?, Mtu::new(9000)?);
/// let bridge = Bridge::create(&Netns::create()?, BridgeConfig::new("br0").mac(mac).mtu(mtu))?;
/// let state = bridge.device().state()?;
/// assert_eq!((state.mac, state.mtu_bytes), (Some(mac), 9000));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BridgeConfig {
    name: std::result::Result<LinkName, Fault>,
    mac: Option<MacAddr>,
    mtu: Mtu,
    options: BridgeOptions,
}

impl BridgeConfig {
    /// A bridge of that name, with a random hardware address and an MTU of 1500 bytes.
    #[must_use]
    pub fn new<V>(name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        Self {
            name: name.try_into().map_err(Into::into),
            mac: None,
            mtu: Mtu::ETHERNET,
            options: BridgeOptions::default(),
        }
    }

    /// Its hardware address. It does not follow those of the ports.
    #[must_use]
    pub fn mac(mut self, mac: MacAddr) -> Self {
        self.mac = Some(mac);
        self
    }

    /// Its MTU. It does not follow those of the ports.
    #[must_use]
    pub fn mtu(mut self, mtu: Mtu) -> Self {
        self.mtu = mtu;
        self
    }

    /// Its options.
    #[must_use]
    pub fn options(mut self, options: BridgeOptions) -> Self {
        self.options = options;
        self
    }
}

/// A bridge.
///
/// **Dropping one that [`create`](Self::create) made deletes it**; what goes wrong then is lost. To
/// delete it on purpose and hear of it, call [`delete`](Self::delete); to let it outlive the
/// process, [`persist`](Self::persist). One that was [opened](Self::open) is left alone.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Bridge, BridgeConfig, Netns, VethConfig, VethPair};
///
/// let (switch, node) = (Netns::create()?, Netns::create()?);
/// let bridge = Bridge::create(&switch, BridgeConfig::new("br0"))?;
/// let pair = VethPair::create((&switch, "port1"), (&node, "eth0"), VethConfig::new())?;
/// bridge.attach(pair.near())?;
/// bridge.device().set_up()?;
/// # Ok(()) }
/// ```
///
/// Ports come and go; the bridge outlives its handle if it is told to:
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::plan::{PortOptions, Switch};
/// # use bridgework::{Bridge, BridgeConfig, Netns, VethConfig, VethPair};
/// # let switch = Netns::create()?;
/// # let bridge = Bridge::create(&switch, BridgeConfig::new("br0"))?;
/// # let pair = VethPair::create((&switch, "port1"), (&switch, "port2"), VethConfig::new())?;
/// # bridge.attach(pair.near())?;
/// bridge.set_port(pair.near(), &PortOptions::new().hairpin(Switch::On))?;
/// bridge.detach(pair.near())?;
/// bridge.persist(); // it is nobody's now
///
/// let found = Bridge::open(&switch, "br0")?;
/// assert_eq!(found.name().as_str(), "br0");
/// found.delete()?;
/// assert!(Bridge::open(&switch, "br0").unwrap_err().is_not_found());
/// # Ok(()) }
/// ```
pub struct Bridge {
    device: Device,
    ending: Ending,
}

impl Bridge {
    /// Makes a bridge, down. Needs `CAP_NET_ADMIN` in the namespace.
    ///
    /// # Errors
    /// The name is taken ([`Error::is_exists`]) or does not have its form.
    pub fn create(netns: &Netns, config: BridgeConfig) -> Result<Self> {
        let attempt = "create bridge";
        let name = config
            .name
            .map_err(|fault| Error::of(attempt, vec![fault]))?;
        let kernel = Kernel::new(netns.clone())?;
        let link = new_link(Side::Host, name)?;
        let add = Step::AddBridge {
            link: link.clone(),
            mac: choose_mac(config.mac)?,
            mtu: config.mtu,
            options: config.options,
        };
        let plan = Plan::from_iter([add, mark(&link)]);
        let made = kernel.apply(&plan, None);
        made.map_err(|error| error.during(format!("{attempt} {}", link.name)))?;
        Ok(Self {
            device: Device::new(kernel, link),
            ending: Ending::Delete,
        })
    }

    /// The bridge of that name, whoever made it.
    ///
    /// # Errors
    /// There is none of that name ([`Error::is_not_found`]), or it is no bridge
    /// ([`Error::is_invalid`]).
    pub fn open<V>(netns: &Netns, name: V) -> Result<Self>
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        let attempt = "open bridge";
        let name = name
            .try_into()
            .map_err(|error| Error::of(attempt, vec![error.into()]))?;
        let kernel = Kernel::new(netns.clone())?;
        let state = find(&kernel.snapshot()?, &name, netns)?;
        if state.kind != "bridge" {
            let fault = Fault::LinkKind {
                name,
                expected: "bridge",
            };
            return Err(Error::of(attempt, vec![fault]));
        }
        let link = Link::new(Side::Host, name, LinkIndex::new(state.index)?);
        Ok(Self {
            device: Device::new(kernel, link),
            ending: Ending::Nothing,
        })
    }

    /// Makes `port` a port of the bridge. It must be in the same namespace.
    ///
    /// # Errors
    /// It is a port of another bridge, or the bridge is full ([`Error::is_exhausted`]).
    pub fn attach(&self, port: &Device) -> Result<()> {
        if port.netns() != self.device.netns() {
            let why = format!(
                "{} and {} are in different namespaces",
                port.name(),
                self.name()
            );
            return Err(Error::of("attach to bridge", vec![Fault::Conflicting(why)]));
        }
        let (link, master) = (port.link.clone(), Some(self.device.link.clone()));
        port.perform("attach to bridge", Step::SetMaster { link, master })
    }

    /// Takes `port` off the bridge.
    ///
    /// # Errors
    /// It is gone.
    pub fn detach(&self, port: &Device) -> Result<()> {
        let link = port.link.clone();
        port.perform("detach from bridge", Step::SetMaster { link, master: None })
    }

    /// Sets options of a port: hairpin, isolation, learning.
    ///
    /// # Errors
    /// It is no port.
    pub fn set_port(&self, port: &Device, options: &PortOptions) -> Result<()> {
        let step = Step::SetPort {
            link: port.link.clone(),
            options: options.clone(),
        };
        port.perform("set port options of", step)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &LinkName {
        self.device.name()
    }

    /// The bridge as a device, for addresses, routes, up and down.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Deletes it, also if it was opened. If it is gone already, that is done. Its ports stay.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing.
    pub fn delete(mut self) -> Result<()> {
        self.ending = Ending::Nothing;
        delete(&self.device.kernel, &self.device.link)
    }

    /// Leaves it when the handle is dropped.
    pub fn persist(mut self) {
        self.ending = Ending::Nothing;
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if self.ending == Ending::Delete {
            let _lost = delete(&self.device.kernel, &self.device.link);
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bridge({} in {:?})", self.name(), self.device.netns())
    }
}

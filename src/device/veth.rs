//! A veth pair of one's own: a cable between two namespaces, or within one.

use std::fmt;

use crate::addr::{LinkName, MacAddr, Mtu};
use crate::error::{Error, Fault, Result};
use crate::kernel::{Kernel, Netns};
use crate::plan::{Link, Plan, Side, Step, VethStep};

use super::{Device, Ending, choose_mac, delete, mark, new_link};

/// What a pair is made with.
///
/// ```
/// use bridgework::{Mtu, VethConfig};
///
/// let config = VethConfig::new().mtu(Mtu::new(9000)?);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
///
/// With hardware addresses of the caller's own:
///
/// ```no_run
/// use bridgework::{Netns, VethConfig, VethPair};
///
/// let (near, far) = ("02:00:00:00:00:01".parse()?, "02:00:00:00:00:02".parse()?);
/// let config = VethConfig::new().near_mac(near).far_mac(far);
/// let pair = VethPair::create((&Netns::create()?, "a"), (&Netns::create()?, "b"), config)?;
/// assert_eq!((pair.near().state()?.mac, pair.far().state()?.mac), (Some(near), Some(far)));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VethConfig {
    near_mac: Option<MacAddr>,
    far_mac: Option<MacAddr>,
    mtu: Mtu,
}

impl Default for VethConfig {
    fn default() -> Self {
        Self {
            near_mac: None,
            far_mac: None,
            mtu: Mtu::ETHERNET,
        }
    }
}

impl VethConfig {
    /// Random hardware addresses and an MTU of 1500 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The hardware address of the near end.
    #[must_use]
    pub fn near_mac(mut self, mac: MacAddr) -> Self {
        self.near_mac = Some(mac);
        self
    }

    /// The hardware address of the far end.
    #[must_use]
    pub fn far_mac(mut self, mac: MacAddr) -> Self {
        self.far_mac = Some(mac);
        self
    }

    /// The MTU of both ends.
    #[must_use]
    pub fn mtu(mut self, mtu: Mtu) -> Self {
        self.mtu = mtu;
        self
    }
}

/// Two links, of which each receives what the other sends.
///
/// **Dropping it deletes both**; what goes wrong then is lost. To delete them on purpose and hear
/// of it, call [`delete`](Self::delete); to let them outlive the process,
/// [`persist`](Self::persist).
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Device, Netns, VethConfig, VethPair};
///
/// let (a, b) = (Netns::create()?, Netns::create()?);
/// let pair = VethPair::create((&a, "eth0"), (&b, "eth0"), VethConfig::new())?;
/// pair.near().add_address("10.0.0.1/24".parse().unwrap())?;
/// pair.far().add_address("10.0.0.2/24".parse().unwrap())?;
/// pair.near().set_up()?;
/// pair.far().set_up()?;
///
/// pair.delete()?; // or else pair.persist()
/// assert!(Device::open(&b, "eth0").unwrap_err().is_not_found()); // both are gone
///
/// VethPair::create((&a, "eth0"), (&b, "eth0"), VethConfig::new())?.persist();
/// assert!(Device::open(&b, "eth0").is_ok());
/// # Ok(()) }
/// ```
pub struct VethPair {
    near: Device,
    far: Device,
    ending: Ending,
}

impl VethPair {
    /// Makes a pair, both ends down, each born in its namespace under its name. Needs
    /// `CAP_NET_ADMIN` in both.
    ///
    /// # Errors
    /// A name is taken ([`Error::is_exists`]) or does not have its form; both ends' faults are
    /// reported.
    pub fn create<N, F>(
        (near_netns, near_name): (&Netns, N),
        (far_netns, far_name): (&Netns, F),
        config: VethConfig,
    ) -> Result<Self>
    where
        N: TryInto<LinkName>,
        N::Error: Into<Fault>,
        F: TryInto<LinkName>,
        F::Error: Into<Fault>,
    {
        let attempt = "create veth pair";
        let names = (near_name.try_into(), far_name.try_into());
        let (near_name, far_name) = match names {
            (Ok(near), Ok(far)) => (near, far),
            (near, far) => {
                let faults = [near.err().map(Into::into), far.err().map(Into::into)];
                return Err(Error::of(attempt, faults.into_iter().flatten().collect()));
            }
        };
        let far_side = if near_netns == far_netns {
            Side::Host
        } else {
            Side::Container
        };
        let veth = VethStep {
            link: new_link(Side::Host, near_name)?,
            mac: choose_mac(config.near_mac)?,
            master: None,
            peer: new_link(far_side, far_name)?,
            peer_mac: choose_mac(config.far_mac)?,
            mtu: config.mtu,
        };
        let near = Device::new(Kernel::new(near_netns.clone())?, veth.link.clone());
        let far_link = Link::new(Side::Host, veth.peer.name.clone(), veth.peer.index);
        let far = Device::new(Kernel::new(far_netns.clone())?, far_link);
        let plan = Plan::from_iter([Step::AddVeth(veth), mark(&near.link)]);
        let made = near.kernel.apply(&plan, Some(far_netns));
        let names = || format!("{attempt} {} and {}", near.name(), far.name());
        made.map_err(|error| error.during(names()))?;
        Ok(Self {
            near,
            far,
            ending: Ending::Delete,
        })
    }

    /// The end that was named first.
    #[must_use]
    pub fn near(&self) -> &Device {
        &self.near
    }

    /// The end that was named second.
    #[must_use]
    pub fn far(&self) -> &Device {
        &self.far
    }

    /// Deletes both ends. If they are gone already, that is done.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing.
    pub fn delete(mut self) -> Result<()> {
        self.ending = Ending::Nothing;
        delete(&self.near.kernel, &self.near.link)
    }

    /// Leaves both ends when the handle is dropped.
    pub fn persist(mut self) {
        self.ending = Ending::Nothing;
    }
}

impl Drop for VethPair {
    fn drop(&mut self) {
        if self.ending == Ending::Delete {
            let _lost = delete(&self.near.kernel, &self.near.link);
        }
    }
}

impl fmt::Debug for VethPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VethPair({:?}, {:?})", self.near, self.far)
    }
}

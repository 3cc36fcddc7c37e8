//! Addresses that are kept for containers' names.

use std::net::IpAddr;

use crate::addr::ContainerName;
use crate::error::{Error, Result};
use crate::record::Reservation;

use super::Network;

impl Network {
    /// Keeps an address for a container of that name: it gets it whenever it connects, and nobody
    /// else does, whether it is connected or not. To ask for what is kept already changes nothing, so that
    /// it can be repeated.
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let lab = NetworkConfig::bridge("lab").subnet("10.89.0.0/24");
    /// let network = Host::isolated()?.create_network(lab)?;
    /// let (app, db) = (Container::isolated("app")?, Container::isolated("db")?);
    /// network.reserve(db.name(), [10, 89, 0, 2])?;
    /// assert_eq!(network.connect(&app)?.ip().to_string(), "10.89.0.3");
    /// assert_eq!(network.connect(&db)?.ip().to_string(), "10.89.0.2");
    /// network.unreserve(db.name())?; // anybody may have it when its time has come
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The address is in use, reserved, or in none of the network's subnets.
    pub fn reserve(&self, container: &ContainerName, address: impl Into<IpAddr>) -> Result<()> {
        let address = address.into();
        let reserved = self.attempt(|| self.try_reserve(container, address));
        reserved.map_err(|error| {
            error.during(format!(
                "reserve {address} for {container} on {}",
                self.name()
            ))
        })
    }

    fn try_reserve(&self, container: &ContainerName, address: IpAddr) -> Result<()> {
        let reservation = Reservation {
            network: self.id(),
            container: container.clone(),
            address,
        };
        let reserved = self.0.members.lock().reserve(container, address);
        reserved.map_err(|fault| Error::of("", vec![fault]))?;
        self.write_reservation(reservation).inspect_err(|_| {
            self.0.members.lock().unreserve_at(container, address);
        })
    }

    /// Keeps no address for that name any more. A container that has one by it keeps it until it is
    /// disconnected. If none was kept, that is done.
    ///
    /// # Errors
    /// The host's records can't be written.
    pub fn unreserve(&self, container: &ContainerName) -> Result<()> {
        self.strike_reservations(container)?;
        self.0.members.lock().unreserve(container);
        Ok(())
    }
}

//! A container on its way into a network: all that was asked for is checked, its addresses are
//! held, and the kernel was not asked for anything yet.

use std::time::Instant;

use crate::config::{EndpointConfig, EndpointRequest};
use crate::container::Container;
use crate::error::{Error, Fault, Result};
use crate::trace::operation;

use super::Network;
use super::connect::retreat;
use super::draft::{check_request, requested};
use super::endpoint::Endpoint;
use super::members::Admission;
use super::unrecalled::Concern;
use super::wiring::{Place, link_prefix};

/// It is turned away when this is dropped.
pub(super) struct Arrival<'c> {
    network: Network,
    container: &'c Container,
    request: EndpointRequest,
    admission: Admission,
    /// The name that was asked for. One that is chosen is taken last, so that interfaces have their
    /// numbers in the order in which they come.
    named: Option<Place>,
    is_in: bool,
}

impl Network {
    /// All that is wrong with connecting a container that is not open yet, if anything is known to
    /// be. What else there may be, connecting it tells.
    pub(crate) fn check_stranger(
        &self,
        container: &str,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) {
        check_request(&self.0.spec, request, faults);
        if let (Ok(name), false) = (container.parse(), faults.is_empty()) {
            let nothing = self.admit(&name, request, faults);
            debug_assert!(nothing.is_none(), "nobody is admitted with faults");
        }
    }

    /// Holds all that `container` asks for. `None` if there are faults, with which it began or
    /// which it adds.
    pub(super) fn expect<'c>(
        &self,
        container: &'c Container,
        config: &EndpointConfig,
        faults: &mut Vec<Fault>,
    ) -> Option<Arrival<'c>> {
        faults.extend(self.refuses(container));
        let request = requested(&self.0.spec, container, config, faults);
        let wiring = self.0.registered.wirings().of(container.netns());
        faults.extend(wiring.refuses().filter(|fault| !faults.contains(fault)));
        let wanted = request.link_name.as_ref();
        let named = wanted.and_then(|name| wiring.take_name(name, container.name(), faults));
        let admission = self.admit(container.name(), &request, faults)?;
        Some(Arrival {
            network: self.clone(),
            container,
            request,
            admission,
            named,
            is_in: false,
        })
    }
}

impl Arrival<'_> {
    /// Connects the container.
    pub(super) fn enter(mut self, begun: Instant) -> Result<Endpoint> {
        let place = match self.named.take() {
            Some(place) => place,
            None => self.next_place()?,
        };
        self.network.stands()?;
        let asked = (&self.request, &self.admission);
        let attachment = self.network.wire(self.container, asked, place)?;
        self.is_in = true;
        let endpoint = Endpoint::new(attachment);
        if let Err(error) = self.network.introduce(&endpoint, begun) {
            return Err(retreat(error, vec![endpoint]));
        }
        if !self.request.recalls() {
            self.network.forget(self.container);
        }
        Ok(endpoint)
    }

    fn next_place(&self) -> Result<Place> {
        let wiring = self.network.0.registered.wirings();
        let wiring = wiring.of(self.container.netns());
        let place = wiring.take_next(link_prefix(&self.network.0.spec));
        place.map_err(|fault| Error::of("", vec![fault]))
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        if !self.is_in {
            let mut members = self.network.0.members.lock();
            members.turn_away(self.container.name(), &self.admission);
        }
    }
}

/// Connects one container to several networks in their order, or to none.
pub(crate) fn connect_in_order(
    container: &Container,
    places: &[(&Network, EndpointConfig)],
    faults: &[Fault],
) -> Result<Vec<Endpoint>> {
    let Some((first, _)) = places.first() else {
        return Ok(Vec::new());
    };
    let concern = Concern::Container(container);
    first.attempt_on(concern, || {
        try_connect_in_order(container, places, faults.to_vec())
    })
}

fn try_connect_in_order(
    container: &Container,
    places: &[(&Network, EndpointConfig)],
    mut faults: Vec<Fault>,
) -> Result<Vec<Endpoint>> {
    // who asks for a name gets it before one is chosen for the others
    let mut arrivals = Vec::new();
    for (network, config) in places {
        // what is wrong with one does not let go of what the others hold
        let mut of_one = Vec::new();
        arrivals.extend(network.expect(container, config, &mut of_one));
        faults.extend(of_one);
    }
    if !faults.is_empty() {
        return Err(Error::of(attempt(container, places), faults));
    }
    let mut endpoints = Vec::new();
    for arrival in arrivals {
        match arrival.enter_observed() {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => return Err(retreat(error, endpoints)),
        }
    }
    Ok(endpoints)
}

fn attempt(container: &Container, places: &[(&Network, EndpointConfig)]) -> String {
    let names: Vec<&str> = places.iter().map(|(n, _)| n.name().as_str()).collect();
    format!("connect {} to {}", container.name(), names.join(", "))
}

impl Arrival<'_> {
    /// As [`enter`](Self::enter), in a span of its own.
    fn enter_observed(self) -> Result<Endpoint> {
        let (network, container) = (self.network.clone(), self.container);
        network.observe_connect(container, |begun| self.enter(begun))
    }
}

impl Network {
    /// Connects by `act`, which is told when it began, within a span that says how that went.
    pub(super) fn observe_connect(
        &self,
        container: &Container,
        act: impl FnOnce(Instant) -> Result<Endpoint>,
    ) -> Result<Endpoint> {
        let operation = operation!("connect", self.name(), container);
        act(Instant::now())
            .inspect(|endpoint| operation.concerns(endpoint.id()))
            .map_err(|error| {
                let (container, network) = (container.name(), self.name());
                operation.refused(error.during(format!("connect {container} to {network}")))
            })
    }
}

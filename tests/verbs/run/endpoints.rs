//! Containers are connected and disconnected, at once or in two halves.

use bridgework::Endpoint;

use super::Run;
use crate::check::check_spec;
use crate::model::Planned;
use crate::verbs::{Ask, CONTAINERS, How, Strike};
use crate::world::{classes, endpoint_config, facts, outcome};

impl Run {
    pub(super) fn connect(&mut self, at: usize, net: usize, ask: &Ask, strike: Option<Strike>) {
        if self.model.open[at].is_none() {
            self.open_own(at);
        }
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let expected = self.model.plan_connect(at, net, ask);
        let config = endpoint_config(ask, self.model.addresses(net, ask));
        let (connected, struck) = self.world.connect((at, &network), config, strike);
        match (connected, expected) {
            (Ok(endpoint), Ok(planned)) => self.connected(at, net, endpoint, planned),
            (Err(_), Ok(planned)) if struck => self.model.refused(at, net, &planned),
            (connected, expected) => {
                assert_eq!(outcome(connected).map(drop), expected.map(drop));
            }
        }
    }

    pub(super) fn connected(
        &mut self,
        at: usize,
        net: usize,
        endpoint: Endpoint,
        planned: Planned,
    ) {
        check_spec(endpoint.spec(), &planned);
        assert_eq!(endpoint.link_name().as_str(), planned.link);
        let facts = facts(endpoint.spec());
        let former = self.world.endpoints.insert((at, net), endpoint);
        assert!(former.is_none(), "it had no handle");
        self.model.connected(at, net, planned, facts);
    }

    pub(super) fn disconnect(&mut self, at: usize, net: usize, how: How) {
        if let How::Name | How::Force = how {
            return self.disconnect_by_name(at, net, how);
        }
        let place = self.model.handle(at, net);
        let handle = self.world.endpoints.remove(&(at, net));
        assert_eq!(
            handle.is_some(),
            place.is_some(),
            "whether there is a handle"
        );
        let (Some(handle), Some(place)) = (handle, place) else {
            return;
        };
        match how {
            How::Handle => {
                handle.disconnect().expect("disconnected");
                self.model.disconnected(place);
            }
            How::Drop => {
                drop(handle);
                self.model.drop_handle(place);
            }
            How::Persist => {
                let _spec = handle.persist().unwrap();
                self.model.persist(place);
            }
            How::Leave | How::Name | How::Force => {
                let expected = self.model.leave(place, at);
                match handle.leave() {
                    Ok(staged) => drop(self.world.staged.insert((at, net), staged)),
                    Err(refused) => {
                        let (error, handle) = refused.into_parts();
                        assert_eq!(Err(classes(&error)), expected);
                        self.world.endpoints.insert((at, net), handle);
                        return;
                    }
                }
                assert_eq!(Ok(()), expected);
            }
        }
    }

    pub(super) fn disconnect_by_name(&mut self, at: usize, net: usize, how: How) {
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let name = CONTAINERS[at];
        let gone = match how {
            How::Force => network
                .disconnect_by_force(name)
                .map(|left| assert!(left.is_empty())),
            _ => network.disconnect(name),
        };
        assert_eq!(outcome(gone), self.model.disconnect(name, net));
        if self.model.handle(at, net).is_none() {
            let former = self.world.endpoints.remove(&(at, net));
            former
                .map_or(Ok(()), Endpoint::disconnect)
                .expect("nothing is left to do");
        }
    }

    pub(super) fn disconnect_together(&mut self, at: Option<usize>, net: Option<usize>) {
        let is_meant = |(a, n): &(usize, usize)| {
            at.is_none_or(|at| at == *a) && net.is_none_or(|net| net == *n)
        };
        let all = std::mem::take(&mut self.world.endpoints);
        let (going, staying) = all.into_iter().partition(|(key, _)| is_meant(key));
        self.world.endpoints = staying;
        let going: std::collections::BTreeMap<(usize, usize), Endpoint> = going;
        for (at, net) in going.keys() {
            let place = self.model.handle(*at, *net).expect("it has a handle");
            self.model.disconnected(place);
        }
        Endpoint::disconnect_all(going.into_values()).expect("disconnected");
    }

    pub(super) fn stage(&mut self, at: usize, net: usize, ask: &Ask) {
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let config = endpoint_config(ask, self.model.addresses(net, ask));
        let staged = network.stage(CONTAINERS[at], config);
        match (staged, self.model.plan_stage(at, net, ask)) {
            (Ok(staged), Ok(planned)) => {
                check_spec(staged.spec(), &planned);
                let facts = facts(staged.spec());
                self.model.stage(at, net, planned, facts);
                self.world.staged.insert((at, net), staged);
            }
            (staged, expected) => assert_eq!(outcome(staged).map(drop), expected.map(drop)),
        }
    }

    pub(super) fn join(&mut self, at: usize, net: usize, into: usize) {
        let Some(place) = self.model.staged(at, net) else {
            return;
        };
        if self.model.open[into].is_none() {
            self.open_own(into);
        }
        let staged = self
            .world
            .staged
            .remove(&(at, net))
            .expect("it has a handle");
        let expected = self.model.join(place, into);
        match staged.join(self.world.container(into)) {
            Ok(endpoint) => {
                assert_eq!(Ok(()), expected);
                self.world.endpoints.insert((into, net), endpoint);
            }
            Err(refused) => {
                let (error, staged) = refused.into_parts();
                assert_eq!(Err(classes(&error)), expected);
                self.world.staged.insert((at, net), staged);
            }
        }
    }

    pub(super) fn delete(&mut self, at: usize, net: usize, how: How) {
        let Some(place) = self.model.staged(at, net) else {
            return;
        };
        let staged = self
            .world
            .staged
            .remove(&(at, net))
            .expect("it has a handle");
        match how {
            How::Drop => drop(staged),
            _ => staged.delete().expect("deleted"),
        }
        self.model.delete(place);
    }
}

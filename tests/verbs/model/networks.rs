//! Networks as they come and go.

use super::{Class, Faults, Model, Net, Outcome, Pool};
use crate::verbs::{BRIDGE, CreateFlaw, Families, Kind, Mark, NETWORKS};

/// What the network that every host has is made of.
const BUILTIN: Kind = Kind {
    families: Families::V4,
    marks: Vec::new(),
};

impl Net {
    pub fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.v4.iter().chain(&self.v6)
    }

    pub fn pools_mut(&mut self) -> impl Iterator<Item = &mut Pool> {
        self.v4.iter_mut().chain(&mut self.v6)
    }

    pub fn pool(&self, is_ipv6: bool) -> Option<&Pool> {
        if is_ipv6 {
            self.v6.as_ref()
        } else {
            self.v4.as_ref()
        }
    }

    pub fn is_builtin(&self) -> bool {
        self.name == NETWORKS[BRIDGE]
    }
}

/// The subnets of a network of that number, as they are asked for.
pub fn subnets(net: usize, kind: &Kind) -> [Option<(std::net::IpAddr, u8)>; 2] {
    let number = u8::try_from(net).expect("there are few networks");
    let v4 = (
        [10, 9, number, 0].into(),
        if kind.is(Mark::Small) { 30 } else { 29 },
    );
    let v6 = [0xfd00, 9, number.into(), 0, 0, 0, 0, 0];
    let v6 = (v6.into(), if kind.is(Mark::Small) { 126 } else { 125 });
    [
        Some(v4).filter(|_| kind.families != Families::V6),
        Some(v6).filter(|_| kind.families != Families::V4),
    ]
}

impl Model {
    fn begin(&mut self, net: usize, kind: Kind, subnets: [Option<(std::net::IpAddr, u8)>; 2]) {
        let [v4, v6] = subnets.map(|subnet| subnet.map(|(base, prefix)| Pool::new(base, prefix)));
        self.nets_so_far += 1;
        self.nets[net] = Some(Net {
            name: NETWORKS[net],
            serial: self.nets_so_far,
            kind,
            v4,
            v6,
            handle: true,
            persisted: false,
            bridge: (String::new(), [0; 6]),
        });
    }

    pub fn create(&mut self, net: usize, kind: &Kind, flaw: Option<CreateFlaw>) -> Outcome {
        let mut faults = Faults::new();
        if net != BRIDGE && self.nets[net].is_some() {
            faults.insert(Class::Exists);
        }
        if flaw.is_some() || net == BRIDGE {
            faults.insert(Class::Invalid);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.begin(net, kind.clone(), subnets(net, kind));
        Ok(())
    }

    /// A network is meant by its name. That of every host is made when it is first asked for.
    pub fn look_up(&mut self, net: usize) -> Outcome {
        if net == BRIDGE && self.nets[BRIDGE].is_none() {
            self.begin(BRIDGE, BUILTIN, [Some(([172, 17, 0, 0].into(), 16)), None]);
        }
        match &self.nets[net] {
            Some(_) => Ok(()),
            None => Err([Class::NotFound].into()),
        }
    }

    /// How many containers are on a network or on their way.
    pub fn active(&self, net: usize) -> usize {
        let ends = self.ends.iter().filter(|end| end.net == net).count();
        ends + self.staged.iter().filter(|s| s.net == net).count()
    }

    pub fn remove(&mut self, net: usize) -> Outcome {
        self.look_up(net)?;
        if net == BRIDGE {
            return Err([Class::Invalid].into());
        }
        if self.active(net) > 0 {
            self.note("removed while in use");
            return Err([Class::InUse].into());
        }
        self.nets[net] = None;
        Ok(())
    }

    /// The names of those that go.
    pub fn prune(&mut self) -> Vec<&'static str> {
        let unused = (0..BRIDGE).filter(|net| self.nets[*net].is_some() && self.active(*net) == 0);
        let unused: Vec<usize> = unused.collect();
        let mut names = Vec::new();
        for net in unused {
            names.extend(self.nets[net].take().map(|net| net.name));
        }
        names.sort_unstable();
        names.iter().for_each(|_| self.note("pruned"));
        names
    }

    pub fn let_go(&mut self, net: usize) {
        if let Some(net) = &mut self.nets[net] {
            net.handle = false;
        }
        self.sweep();
    }
}

//! The records against a list that is searched from end to end.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;

use super::endpoint;
use crate::addr::Family;
use crate::resolver::{Answer, Names, Owner, Records};

const NETWORK: &str = "Net.x";
const NAMES: [&str; 8] = [
    "a",
    "A",
    "b",
    "b.c",
    "a.net.x",
    "B.C.NET.X",
    "net.x",
    "c.net.x.net.x",
];

#[derive(Debug, Clone)]
enum Change {
    Insert(Owner),
    Remove(u32),
    RemoveContainer(&'static str),
}

fn changes() -> impl Strategy<Value = Change> {
    let names = prop::collection::vec(select(&NAMES[..]), 1..4);
    let addresses = prop::collection::vec((0_u8..6, any::<bool>()), 0..3);
    let owners = (0_u32..5, names, addresses).prop_map(|(number, names, addresses)| {
        let mut names = names.into_iter().map(|name| name.parse().unwrap());
        let names = Names::new(names.next().unwrap(), names);
        let addresses = addresses.into_iter().map(|(last, v4)| match v4 {
            true => IpAddr::from([10, 0, 0, last]),
            false => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
        });
        Owner::new(endpoint(number), names, addresses)
    });
    prop_oneof![
        3 => owners.prop_map(Change::Insert),
        1 => (0_u32..5).prop_map(Change::Remove),
        1 => select(&NAMES[..]).prop_map(Change::RemoveContainer),
    ]
}

#[derive(Default)]
struct Model(Vec<Owner>);

impl Model {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Insert(owner) => {
                let same = |held: &&mut Owner| held.endpoint() == owner.endpoint();
                match self.0.iter_mut().find(same) {
                    Some(held) => *held = owner.clone(),
                    None => self.0.push(owner.clone()),
                }
            }
            Change::Remove(number) => self.0.retain(|held| *held.endpoint() != endpoint(*number)),
            Change::RemoveContainer(name) => {
                let first = |held: &Owner| held.names().first().as_str() == *name;
                if let Some(index) = self.0.iter().position(first) {
                    self.0.remove(index);
                }
            }
        }
    }

    fn lookup(&self, name: &str, family: Family) -> Answer {
        let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
        let suffix = format!(".{}", NETWORK.to_lowercase());
        let mut owners = self.called(&name);
        if let (true, Some(bare)) = (owners.is_empty(), name.strip_suffix(&suffix)) {
            owners = self.called(bare);
        }
        let addresses = owners
            .iter()
            .flat_map(|owner| owner.addresses().iter().copied());
        let addresses: Vec<IpAddr> = addresses
            .filter(|address| address.is_ipv4() == (family == Family::V4))
            .collect();
        match (owners.is_empty(), addresses.is_empty()) {
            (true, _) => Answer::Unknown,
            (false, true) => Answer::NoData,
            (false, false) => Answer::Addresses(addresses),
        }
    }

    fn called(&self, name: &str) -> Vec<&Owner> {
        let is = |owner: &&Owner| {
            owner
                .names()
                .iter()
                .any(|n| n.as_str().to_lowercase() == name)
        };
        self.0.iter().filter(is).collect()
    }

    fn reverse(&self, address: IpAddr) -> Option<String> {
        let owner = self
            .0
            .iter()
            .find(|owner| owner.addresses().contains(&address))?;
        Some(format!("{}.{NETWORK}.", owner.names().first()))
    }
}

proptest! {
    #[test]
    fn records_answer_as_a_list_would(changes in prop::collection::vec(changes(), 0..30)) {
        let records = Records::new(NETWORK.parse().unwrap());
        let mut model = Model::default();
        for change in changes {
            model.change(&change);
            match change {
                Change::Insert(owner) => drop(records.insert(owner)),
                Change::Remove(number) => drop(records.remove(&endpoint(number))),
                Change::RemoveContainer(name) => {
                    drop(records.remove_container(&name.parse().unwrap()));
                }
            }
            for name in NAMES {
                let (dotted, qualified) = (format!("{name}."), format!("{name}.net.X"));
                for name in [name, &dotted, &qualified, &name.to_uppercase()] {
                    for family in [Family::V4, Family::V6] {
                        prop_assert_eq!(
                            records.lookup(name, family), model.lookup(name, family), "{}", name
                        );
                    }
                }
            }
            for last in 0..6 {
                let v4 = IpAddr::from([10, 0, 0, last]);
                let v6 = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]);
                prop_assert_eq!(records.reverse(v4), model.reverse(v4));
                prop_assert_eq!(records.reverse(v6), model.reverse(v6));
            }
            let owners = records.owners();
            prop_assert!(owners.iter().map(|owner| &**owner).eq(&model.0));
        }
    }
}

//! Elements of the sets that there are, whatever they may be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::addr::{Family, LinkName, MacAddr, Port, Protocol, Subnet};
use crate::plan::nft::{Element, Field, FieldType, Keys, Set, SetValue, Table, Value, Verdict};

fn field(of_type: FieldType, keys: Keys) -> BoxedStrategy<Field> {
    let subnet = |address: IpAddr, bits: u8| {
        let net = ipnet::IpNet::new(address, bits).expect("bits of the family");
        Field::Subnet(Subnet::of(net))
    };
    let v4 = any::<u32>().prop_map(Ipv4Addr::from);
    let v6 = any::<u128>().prop_map(Ipv6Addr::from);
    match (of_type, keys) {
        (FieldType::Ipv4, Keys::Exact) => v4.prop_map(Field::Ipv4).boxed(),
        (FieldType::Ipv6, Keys::Exact) => v6.prop_map(Field::Ipv6).boxed(),
        (FieldType::Ipv4, Keys::Prefixes) => (v4, 0..=32u8)
            .prop_map(move |(address, bits)| subnet(address.into(), bits))
            .boxed(),
        (FieldType::Ipv6, Keys::Prefixes) => (v6, 0..=128u8)
            .prop_map(move |(address, bits)| subnet(address.into(), bits))
            .boxed(),
        (FieldType::Target, _) => v6.prop_map(Field::Target).boxed(),
        (FieldType::Ether, _) => any::<[u8; 6]>()
            .prop_map(|mut octets| {
                octets[0] = octets[0] & 0xfc | 2;
                Field::Ether(MacAddr::new(octets).expect("one link's own"))
            })
            .boxed(),
        (FieldType::Protocol, _) => select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp])
            .prop_map(Field::Protocol)
            .boxed(),
        (FieldType::Port, _) => (1..=65_535u32)
            .prop_map(|number| Field::Port(Port::new(number).expect("in range")))
            .boxed(),
        (FieldType::Family, _) => select(vec![Family::V4, Family::V6])
            .prop_map(Field::Family)
            .boxed(),
        (FieldType::LinkName, _) => "[a-zA-Z][a-zA-Z0-9._-]{0,14}"
            .prop_map(|name| Field::Link(name.parse::<LinkName>().expect("a name")))
            .boxed(),
    }
}

fn fields(types: &[FieldType], keys: Keys) -> BoxedStrategy<Vec<Field>> {
    let each: Vec<_> = types.iter().map(|of_type| field(*of_type, keys)).collect();
    each.boxed()
}

fn value(table: &Table, set: &Set) -> BoxedStrategy<Value> {
    let chains: Vec<&'static str> = table.chains.iter().map(|chain| chain.name).collect();
    match &set.value {
        SetValue::None => Just(Value::None).boxed(),
        SetValue::Fields(types) => fields(types, Keys::Exact).prop_map(Value::Fields).boxed(),
        SetValue::Verdict => prop_oneof![
            Just(Verdict::Accept),
            Just(Verdict::Drop),
            Just(Verdict::Return),
            select(chains.clone()).prop_map(Verdict::Jump),
            select(chains).prop_map(Verdict::Goto),
        ]
        .prop_map(Value::Verdict)
        .boxed(),
    }
}

/// Any element of that set.
fn element(table: &Table, set: &Set) -> BoxedStrategy<Element> {
    let (family, table_name, set_name) = (table.family, table.name, set.name);
    let comment = prop_oneof![Just(String::new()), "[a-zA-Z0-9 ._/:-]{1,128}"];
    (fields(&set.key, set.keys), value(table, set), comment)
        .prop_map(move |(key, value, comment)| Element {
            family,
            table: table_name,
            set: set_name,
            key,
            value,
            comment,
        })
        .boxed()
}

/// Some elements of one set, the same in each run.
pub(crate) fn draw(table: &Table, set: &Set, count: usize) -> Vec<Element> {
    let mut runner = TestRunner::deterministic();
    let strategy = element(table, set);
    let tree = |_| strategy.new_tree(&mut runner).expect("a tree").current();
    (0..count).map(tree).collect()
}

/// All sets of the tables with their tables.
pub(crate) fn each_set(tables: &[Table]) -> impl Iterator<Item = (&Table, &Set)> {
    let of = |table| move |set| (table, set);
    tables
        .iter()
        .flat_map(move |table: &Table| table.sets.iter().map(of(table)))
}

/// Those that a kernel can have at the same time: no key twice, no prefix within another, no chain
/// that is not only jumped to, and no chain that could lead back to itself.
pub(crate) fn together(elements: Vec<Element>) -> Vec<Element> {
    let mut kept: BTreeMap<Vec<Field>, Element> = BTreeMap::new();
    for element in elements {
        let clashes = |other: &Vec<Field>| {
            let mut pairs = other.iter().zip(&element.key);
            pairs.all(|(one, other)| overlap(one, other))
        };
        let leads_on = matches!(
            element.value,
            Value::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))
                if !["published", "routed"].contains(&chain)
        );
        if !leads_on && !kept.keys().any(clashes) {
            kept.insert(element.key.clone(), element);
        }
    }
    kept.into_values().collect()
}

fn overlap(one: &Field, other: &Field) -> bool {
    match (one, other) {
        (Field::Subnet(one), Field::Subnet(other)) => one.overlaps(*other),
        (one, other) => one == other,
    }
}

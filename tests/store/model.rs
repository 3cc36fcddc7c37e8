//! The store in a directory does what the one in memory does, whatever it is told.

use bridgework::record::{Record, Revision};
use bridgework::store::{Change, Changes, Expected, Memory, Sqlite, Store, StoreError};
use proptest::prelude::*;

use crate::records::{container, network, reservation};
use crate::scratch::Scratch;

/// What is expected of a record, as a choice: it depends on what is there.
#[derive(Debug, Clone, Copy)]
enum Expectation {
    Absent,
    Right,
    Stale,
    Anything,
}

#[derive(Debug, Clone)]
struct Drawn {
    put: Vec<(Record, Expectation)>,
    delete: Vec<(Record, Expectation)>,
    /// Whether the change is told to another opener than the one that is asked.
    by_other: bool,
    /// So many changes back is asked from.
    back: u64,
}

fn any_record() -> impl Strategy<Value = Record> {
    let subnets = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "10.2.0.0/16",
        "10.1.2.128/25",
    ];
    let addresses = [
        "0.0.0.0",
        "127.0.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "255.255.255.255",
    ];
    let names = ["a", "b", "c"];
    prop_oneof![
        (0..4u8, 0..3usize, 0..5usize).prop_map(move |(id, name, subnet)| network(
            id,
            names[name],
            subnets[subnet]
        )),
        (
            0..4u32,
            0..3usize,
            prop::collection::vec((0..6usize, 80..82u32), 0..3)
        )
            .prop_map(move |(id, name, ports)| {
                let ports: Vec<_> = ports.iter().map(|(a, p)| (addresses[*a], *p)).collect();
                container(id, names[name], &ports)
            }),
        (0..4u16, 0..3usize).prop_map(move |(number, name)| reservation(number, names[name])),
    ]
}

fn any_expectation() -> impl Strategy<Value = Expectation> {
    prop_oneof![
        3 => Just(Expectation::Absent),
        3 => Just(Expectation::Right),
        1 => Just(Expectation::Stale),
        6 => Just(Expectation::Anything),
    ]
}

fn any_change() -> impl Strategy<Value = Drawn> {
    let some = |most| prop::collection::vec((any_record(), any_expectation()), 0..most);
    (some(4), some(3), any::<bool>(), 0..8u64).prop_map(|(put, delete, by_other, back)| Drawn {
        put,
        delete,
        by_other,
        back,
    })
}

/// A store with its revisions told from where it began.
struct Counted<'a>(&'a dyn Store, u64);

impl Counted<'_> {
    fn new(store: &dyn Store) -> Counted<'_> {
        let begun = store.changes(None).expect("a view").revision.number();
        Counted(store, begun)
    }

    fn expected(&self, record: &Record, expectation: Expectation) -> Expected {
        let kept = self.0.changes(None).expect("a view").records;
        let found = kept.iter().find(|(_, kept)| kept.key() == record.key());
        match (expectation, found) {
            (Expectation::Absent, _) => Expected::Absent,
            (Expectation::Right, Some((at, _))) => Expected::At(*at),
            (Expectation::Right, None) => Expected::Absent,
            (Expectation::Stale, _) => Expected::At(Revision::new(self.1 + 1)),
            (Expectation::Anything, _) => Expected::Anything,
        }
    }

    fn commit(&self, through: &dyn Store, drawn: &Drawn) -> Result<u64, StoreError> {
        let each = |(record, expectation): &(Record, Expectation)| {
            (record.clone(), self.expected(record, *expectation))
        };
        let delete = drawn.delete.iter().map(each);
        let change = Change {
            put: drawn.put.iter().map(each).collect(),
            delete: delete
                .map(|(record, expected)| (record.key(), expected))
                .collect(),
        };
        through.commit(&change).map(|at| at.number() - self.1)
    }

    fn changes(&self, since: Option<u64>) -> Changes {
        let since = since.map(|since| Revision::new(since + self.1));
        let mut seen = self.0.changes(since).expect("a view");
        let from_begin = |at: Revision| Revision::new(at.number() - self.1);
        seen.revision = from_begin(seen.revision);
        for (at, _) in &mut seen.records {
            *at = from_begin(*at);
        }
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_does_as_the_one_in_memory(changes in prop::collection::vec(any_change(), 1..24)) {
        let scratch = Scratch::new();
        let memory = Memory::new();
        let [one, two] = [(); 2].map(|()| Sqlite::open(scratch.store()).expect("a store"));
        let (model, real) = (Counted::new(&memory), Counted::new(&one));
        for drawn in &changes {
            let through = if drawn.by_other { &two } else { &one };
            let at = model.commit(&memory, drawn);
            prop_assert_eq!(&real.commit(through, drawn), &at);
            let whole = model.changes(None);
            prop_assert_eq!(&real.changes(None), &whole);
            let since = Some(whole.revision.number().saturating_sub(drawn.back));
            prop_assert_eq!(real.changes(since), model.changes(since));
        }
    }
}

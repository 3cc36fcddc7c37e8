//! Against the kernel, with `nft` as the oracle: each test runs once more in a process of its own,
//! in a private namespace.

mod inside;
mod redirect;

use std::time::Instant;

use inside::{feed, inside, nft};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SndBuf;

use super::{CommitError, NftSocket};
use crate::addr::{Port, Protocol};
use crate::errno::Errno;
use crate::firewall::tables;
use crate::netlink::nft::read::RuleState;
use crate::netlink::nft::tests::elements::{draw, each_set, together};
use crate::netlink::nft::{Absence, Change, Place, Presence, encode, whole};
use crate::plan::nft::{Element, Field, Ownership, Set, Table, TableFamily, Value};

fn made() -> (NftSocket, Vec<Table>) {
    let mut socket = NftSocket::open().expect("a socket");
    let tables = tables(Ownership::Shared);
    let changes: Vec<Change<'_>> = tables.iter().flat_map(whole).collect();
    let made = socket.commit(&changes, None);
    if let Err(CommitError::Refused {
        place: Some(place), ..
    }) = &made
    {
        panic!("{made:?} {:?}", changes.get(place.change));
    }
    made.expect("both tables");
    (socket, tables)
}

/// Some elements that one set can have together, the same in each run.
fn some(table: &Table, set: &Set, count: usize) -> Vec<Element> {
    together(draw(table, set, count))
}

fn sorted(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort();
    elements
}

#[test]
fn both_tables_are_made_in_one_transaction_and_made_again_change_nothing() {
    inside(
        "both_tables_are_made_in_one_transaction_and_made_again_change_nothing",
        || {
            let (mut socket, tables) = made();
            assert_eq!(socket.generation(), Ok(2));
            let before = nft("list ruleset");
            let changes: Vec<Change<'_>> = tables.iter().flat_map(whole).collect();
            socket.commit(&changes, Some(2)).expect("once more");
            assert_eq!(nft("list ruleset"), before);
        },
    );
}

#[test]
fn what_is_put_into_a_set_is_read_back_and_gone_when_it_is_deleted() {
    inside(
        "what_is_put_into_a_set_is_read_back_and_gone_when_it_is_deleted",
        || {
            let (mut socket, tables) = made();
            for (table, set) in each_set(&tables) {
                let put = some(table, set, 400);
                let add = [Change::AddElements(&put, Presence::Refused)];
                socket.commit(&add, None).expect(set.name);
                let found = socket.elements(table, set).expect(set.name);
                assert_eq!(found.strange, 0, "{}", set.name);
                assert_eq!(sorted(found.elements), sorted(put.clone()), "{}", set.name);
                let (gone, kept) = put.split_at(put.len() / 2);
                let delete = [Change::DeleteElements(gone, Absence::Refused)];
                socket.commit(&delete, None).expect(set.name);
                let found = socket.elements(table, set).expect(set.name);
                assert_eq!(
                    sorted(found.elements),
                    sorted(kept.to_vec()),
                    "{}",
                    set.name
                );
                let flush = [Change::FlushSet(table, set)];
                socket.commit(&flush, None).expect(set.name);
                assert_eq!(socket.elements(table, set), Ok(Default::default()));
            }
        },
    );
}

fn refusal_of(answer: Result<(), CommitError>) -> (Option<Place>, Errno) {
    match answer {
        Err(CommitError::Refused { place, refusal }) => (place, refusal.errno),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_element_that_is_there_already_is_named_and_nothing_is_done() {
    inside(
        "an_element_that_is_there_already_is_named_and_nothing_is_done",
        || {
            let (mut socket, tables) = made();
            for (table, set) in each_set(&tables) {
                // those of one set do not fit into one message
                let count = if set.name == "published4" { 1500 } else { 40 };
                let all = some(table, set, count);
                // the last in key order, so that no other is found first
                let (first, taken) = (&all[..1], all.len() - 1);
                let add = [Change::AddElements(&all[taken..], Presence::Refused)];
                socket.commit(&add, None).expect(set.name);
                let changes = [
                    Change::AddElements(first, Presence::Accepted),
                    Change::AddElements(&all[1..], Presence::Refused),
                ];
                let (place, errno) = refusal_of(socket.commit(&changes, None));
                assert_eq!(errno, Errno::EEXIST, "{}", set.name);
                let expected = Place {
                    change: 1,
                    element: Some(taken - 1),
                };
                assert_eq!(place, Some(expected), "{} of {}", set.name, all.len());
                let found = socket.elements(table, set).expect(set.name).elements;
                assert_eq!(found, all[taken..], "{}", set.name);
                let changes = [Change::AddElements(&all, Presence::Accepted)];
                socket.commit(&changes, None).expect(set.name);
            }
        },
    );
}

#[test]
fn an_element_that_is_not_there_is_named_or_passed_over() {
    inside(
        "an_element_that_is_not_there_is_named_or_passed_over",
        || {
            let (mut socket, tables) = made();
            for (table, set) in each_set(&tables) {
                let all = some(table, set, 20);
                let add = [Change::AddElements(&all[..2], Presence::Refused)];
                socket.commit(&add, None).expect(set.name);
                let delete = [
                    Change::FlushChain(table, &table.chains[0]),
                    Change::DeleteElements(&all, Absence::Refused),
                ];
                let (place, errno) = refusal_of(socket.commit(&delete, None));
                let expected = Place {
                    change: 1,
                    element: Some(2),
                };
                assert_eq!(
                    (place, errno),
                    (Some(expected), Errno::ENOENT),
                    "{}",
                    set.name
                );
                let delete = [Change::DeleteElements(&all, Absence::Accepted)];
                socket.commit(&delete, None).expect(set.name);
                assert_eq!(socket.elements(table, set), Ok(Default::default()));
            }
        },
    );
}

#[test]
fn a_transaction_of_a_generation_that_has_passed_is_stale() {
    inside(
        "a_transaction_of_a_generation_that_has_passed_is_stale",
        || {
            let (mut socket, tables) = made();
            let generation = socket.generation().expect("a generation");
            nft("add table ip foreign");
            let changes = whole(&tables[0]);
            let stale = socket.commit(&changes, Some(generation));
            assert_eq!(stale, Err(CommitError::Stale));
            assert_eq!(socket.commit(&changes, Some(generation + 1)), Ok(()));
        },
    );
}

#[test]
fn a_change_to_what_is_not_there_is_named_with_the_kernels_errno() {
    inside(
        "a_change_to_what_is_not_there_is_named_with_the_kernels_errno",
        || {
            let (mut socket, tables) = made();
            let gone = Change::DeleteTable(tables[1].family, "nobody", Absence::Refused);
            let changes = [
                Change::AddTable(&tables[0]),
                gone,
                Change::AddTable(&tables[1]),
            ];
            let (place, errno) = refusal_of(socket.commit(&changes, None));
            assert_eq!(
                (place.map(|place| place.change), errno),
                (Some(1), Errno::ENOENT)
            );
            let passed = Change::DeleteTable(tables[1].family, "nobody", Absence::Accepted);
            assert_eq!(socket.commit(&[passed], None), Ok(()));
            let delete = Change::DeleteTable(tables[1].family, tables[1].name, Absence::Refused);
            assert_eq!(socket.commit(&[delete], None), Ok(()));
            assert!(!nft("list ruleset").contains("table bridge"));
        },
    );
}

#[test]
fn rules_of_the_users_own_stay_where_they_are_and_can_be_put_back() {
    inside(
        "rules_of_the_users_own_stay_where_they_are_and_can_be_put_back",
        || {
            let (mut socket, tables) = made();
            let table = &tables[0];
            nft(
                "add rule inet bridgework user ip saddr 203.0.113.0/24 tcp dport 25 counter drop comment mail",
            );
            nft("add rule inet bridgework user accept");
            let shown = nft("-s list ruleset");
            socket.commit(&whole(table), None).expect("once more");
            assert_eq!(nft("-s list ruleset"), shown);
            let rules = socket
                .rules(table.family, table.name, "user")
                .expect("rules");
            assert_eq!(rules.len(), 2);
            let add = |state| Change::AddRawRule(table, "user", state);
            let user = table.chains.iter().find(|chain| chain.name == "user");
            let mut changes = vec![Change::FlushChain(table, user.expect("a chain"))];
            changes.extend(rules.iter().map(|state| add(&state.rule)));
            socket.commit(&changes, None).expect("put back");
            assert_eq!(nft("-s list ruleset"), shown);
            let handles =
                |rules: &[RuleState]| rules.iter().map(|rule| rule.handle).collect::<Vec<_>>();
            let after = socket
                .rules(table.family, table.name, "user")
                .expect("rules");
            assert_ne!(handles(&after), handles(&rules));
        },
    );
}

#[test]
fn what_there_is_of_others_is_told_as_nft_shows_it() {
    inside("what_there_is_of_others_is_told_as_nft_shows_it", || {
        let (mut socket, tables) = made();
        nft("add table ip foreign { comment \"theirs\"; }");
        nft("add chain ip foreign FORWARD { type filter hook forward priority -7; policy drop; }");
        let found = socket.tables().expect("tables");
        let theirs = found
            .iter()
            .find(|table| table.name == "foreign")
            .expect("it");
        assert_eq!((theirs.family, theirs.comment.as_str()), (2, "theirs"));
        assert_eq!(found.len(), 3);
        let chains = socket.chains().expect("chains");
        let forward = chains
            .iter()
            .find(|chain| chain.table == "foreign")
            .expect("it");
        let base = forward.base.as_ref().expect("a hook");
        assert_eq!((base.hook, base.priority, base.policy), (2, -7, 0));
        let ours = chains
            .iter()
            .filter(|chain| chain.family == 1)
            .map(|chain| chain.name.as_str());
        let names = tables[0].chains.iter().map(|chain| chain.name);
        assert!(ours.eq(names));
        let sets = socket.sets(tables[0].family, tables[0].name).expect("sets");
        let names = tables[0].sets.iter().map(|set| set.name);
        assert!(sets.iter().map(|set| set.name.as_str()).eq(names));
    });
}

/// What `nft -j list ruleset` has, without what the kernel counts and in an order of its own.
fn listed() -> Vec<String> {
    let mut listed: serde_json::Value =
        serde_json::from_str(&nft("-j list ruleset")).expect("json");
    let items = listed["nftables"].as_array_mut().expect("a list");
    for item in items.iter_mut() {
        for object in item.as_object_mut().expect("an object").values_mut() {
            let object = object.as_object_mut().expect("an object");
            object.remove("handle");
            if let Some(serde_json::Value::Array(elements)) = object.get_mut("elem") {
                elements.sort_by_key(ToString::to_string);
            }
        }
    }
    items.iter().map(ToString::to_string).collect()
}

fn delete_all(socket: &mut NftSocket, tables: &[Table]) {
    let delete = |table: &Table| Change::DeleteTable(table.family, table.name, Absence::Refused);
    let changes: Vec<Change<'_>> = tables.iter().map(delete).collect();
    socket.commit(&changes, None).expect("they go");
}

#[test]
fn the_tables_text_is_what_nft_shows_and_what_it_takes() {
    inside(
        "the_tables_text_is_what_nft_shows_and_what_it_takes",
        || {
            let (mut socket, tables) = made();
            let ours: Vec<String> = tables.iter().map(ToString::to_string).collect();
            for (table, text) in tables.iter().zip(&ours) {
                let shown = nft(&format!("list table {} {}", table.family, table.name));
                assert_eq!(&shown, text);
            }
            let before = listed();
            delete_all(&mut socket, &tables);
            feed("nft -f -", &ours.concat());
            assert_eq!(nft("list ruleset"), ours.concat());
            assert_eq!(listed(), before);
        },
    );
}

#[test]
fn the_elements_lines_do_in_a_shell_what_we_do() {
    inside("the_elements_lines_do_in_a_shell_what_we_do", || {
        let (mut socket, tables) = made();
        let empty = listed();
        let sets = each_set(&tables);
        let all: Vec<Element> = sets.flat_map(|(table, set)| some(table, set, 12)).collect();
        let add = [Change::AddElements(&all, Presence::Refused)];
        socket.commit(&add, None).expect("elements");
        let ours = listed();
        delete_all(&mut socket, &tables);
        made();
        let lines = |line: fn(&Element) -> String| -> String {
            all.iter().map(|element| line(element) + "\n").collect()
        };
        feed("sh -e", &lines(Element::to_string));
        assert_eq!(listed(), ours);
        feed("sh -e", &lines(Element::to_delete));
        assert_eq!(listed(), empty);
    });
}

/// Ports of 0.0.0.0, as many as there can be.
fn published(count: u32) -> Vec<Element> {
    let to = std::net::Ipv4Addr::new(10, 1, 0, 2);
    let numbers = (0..count).map(|number| (number % 32_768 + 1, number / 32_768));
    let element = |(number, protocol)| {
        let port = Field::Port(Port::new(number).expect("in range"));
        let protocol = match protocol {
            0 => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        Element {
            family: TableFamily::Inet,
            table: "bridgework",
            set: "published_any4",
            key: vec![Field::Protocol(protocol), port.clone()],
            value: Value::Fields(vec![Field::Ipv4(to), port]),
            comment: "hmall/mysql".to_owned(),
        }
    };
    numbers.map(element).collect()
}

#[test]
fn sixty_five_thousand_elements_are_one_transaction_or_an_error_that_says_how_many_bytes_are() {
    inside(
        "sixty_five_thousand_elements_are_one_transaction_or_an_error_that_says_how_many_bytes_are",
        || {
            let (mut socket, tables) = made();
            let all = published(65_536);
            let generation = socket.generation().expect("a generation");
            let add = [Change::AddElements(&all, Presence::Refused)];
            let (table, set) = (&tables[0], &tables[0].sets[2]);
            let answer = socket.commit(&add, Some(generation));
            match &answer {
                Ok(()) => {
                    assert_eq!(socket.generation(), Ok(generation + 1));
                    let mut told = || {
                        let found = socket.elements(table, set).expect("elements");
                        sorted(found.elements)
                    };
                    let all = sorted(all.clone());
                    // while the kernel's table still grows, it may tell of one twice and not of
                    // another (rhashtable_walk_next)
                    let all_are_told = (0..100).any(|_| told() == all);
                    assert!(all_are_told, "{} elements", told().len());
                    let delete = [Change::DeleteElements(&all, Absence::Refused)];
                    assert_eq!(socket.commit(&delete, None), Ok(()));
                }
                // in a user namespace the host's limit holds
                Err(CommitError::TooLarge { bytes, limit }) => {
                    assert!(bytes > limit, "{answer:?}");
                    let fewer = [Change::AddElements(&all[..4096], Presence::Refused)];
                    assert_eq!(socket.commit(&fewer, Some(generation)), Ok(()));
                }
                Err(error) => panic!("{error:?}"),
            }
            println!("{answer:?}, limit {}", socket.limit());
        },
    );
}

#[test]
fn a_transaction_that_is_too_large_is_refused_with_its_length_and_the_limit() {
    inside(
        "a_transaction_that_is_too_large_is_refused_with_its_length_and_the_limit",
        || {
            let (mut socket, _) = made();
            setsockopt(&socket.wire.socket, SndBuf, &100_000).expect("a buffer");
            let all = published(10_000);
            let add = |count: usize| [Change::AddElements(&all[..count], Presence::Refused)];
            let bytes = encode(&add(10_000), None, 1).bytes.len();
            let limit = 2 * 100_000 - 32;
            let answer = socket.commit(&add(10_000), None);
            assert_eq!(answer, Err(CommitError::TooLarge { bytes, limit }));
            // as much as the limit allows, and no more
            let counts: Vec<usize> = (1..10_000).collect();
            let fits = |count: &usize| encode(&add(*count), None, 1).bytes.len() <= limit;
            let most = counts.partition_point(fits);
            assert!(matches!(
                socket.commit(&add(most + 1), None),
                Err(CommitError::TooLarge { .. })
            ));
            assert_eq!(socket.commit(&add(most), None), Ok(()));
        },
    );
}

#[test]
#[ignore = "it measures"]
fn figures() {
    inside("figures", || {
        let (mut socket, tables) = made();
        let all = published(65_536);
        for crowd in [0, 1_000, 10_000] {
            let add = [Change::AddElements(&all[..crowd], Presence::Refused)];
            socket.commit(&add, None).expect("a crowd");
            let mut spent = Vec::new();
            for one in all[crowd..].chunks(1).take(2_000) {
                let begin = Instant::now();
                let add = [Change::AddElements(one, Presence::Refused)];
                socket.commit(&add, None).expect("one");
                spent.push(begin.elapsed());
                let delete = [Change::DeleteElements(one, Absence::Refused)];
                socket.commit(&delete, None).expect("one");
            }
            spent.sort();
            let (half, most) = (spent[spent.len() / 2], spent[spent.len() * 99 / 100]);
            println!("one at {crowd}: p50 {half:?} p99 {most:?}");
            let flush = [Change::FlushSet(&tables[0], &tables[0].sets[2])];
            socket.commit(&flush, None).expect("flush");
        }
        for count in [1_000, 10_000, 65_536] {
            let begin = Instant::now();
            let add = [Change::AddElements(&all[..count], Presence::Refused)];
            let bytes = encode(&add, None, 1).bytes.len();
            let encoded = begin.elapsed();
            let begin = Instant::now();
            socket.commit(&add, None).expect("many");
            let added = begin.elapsed();
            let begin = Instant::now();
            let found = socket
                .elements(&tables[0], &tables[0].sets[2])
                .expect("elements");
            let read = begin.elapsed();
            assert_eq!(found.elements.len(), count);
            println!("{count}: encode {encoded:?}, {bytes} bytes, commit {added:?}, read {read:?}");
            let flush = [Change::FlushSet(&tables[0], &tables[0].sets[2])];
            socket.commit(&flush, None).expect("flush");
        }
    });
}

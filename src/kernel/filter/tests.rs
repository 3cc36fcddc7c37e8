//! Where somebody else removes all that there is, again and again.

use std::process::Command;

use super::{Filter, Refusal};
use crate::firewall::tables;
use crate::kernel::Netns;
use crate::netlink::nft::tests::elements::draw;
use crate::netlink::nft::{Absence, Change};
use crate::netlink::socket::nft::NftSocket;
use crate::plan::ElementsEdit;
use crate::plan::nft::{Element, Ownership, Table};

fn remove_all(socket: &mut NftSocket, tables: &[Table]) {
    let remove = |table: &Table| Change::DeleteTable(table.family, table.name, Absence::Accepted);
    let changes: Vec<Change<'_>> = tables.iter().map(remove).collect();
    socket.commit(&changes, None).expect("they go");
}

#[test]
fn what_is_removed_before_each_try_is_made_together_with_what_goes_into_it() {
    let (netns, filter) = (Netns::create().expect("a host"), Filter::default());
    let tables = tables(Ownership::Shared);
    let of_bridges = tables[0].sets.iter().find(|set| set.name == "bridges");
    let edit = ElementsEdit {
        remove: Vec::new(),
        superseded: Vec::new(),
        add: draw(&tables[0], of_bridges.expect("that set"), 1),
    };
    let opened = netns.run(NftSocket::open).expect("inside");
    let mut somebody = opened.expect("a socket");
    let mut state = filter.open(&netns).expect("a socket");
    let taken: Result<Vec<Element>, Refusal> = state.until_taken(&tables, |state, before| {
        remove_all(&mut somebody, &tables);
        state.commit_or_inherit(&edit, before)
    });
    assert_eq!(taken, Ok(Vec::new()));
    let list = || Command::new("nft").args(["list", "ruleset"]).output();
    let listed = netns.run(list).expect("inside").expect("nft");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert!(listed.contains(&edit.add[0].comment), "{listed}");
    let chains = tables.iter().flat_map(|table| &table.chains);
    for chain in chains {
        assert!(
            listed.contains(&format!("chain {} {{", chain.name)),
            "{listed}"
        );
    }
}

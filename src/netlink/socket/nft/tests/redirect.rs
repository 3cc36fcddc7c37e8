//! The table of a redirect, with `nft` as the oracle.

use super::inside::{feed, inside, nft};
use crate::addr::Port;
use crate::netlink::nft::audit::{Contained, Expected, Observed, deviations};
use crate::netlink::nft::{Absence, Change, whole};
use crate::netlink::socket::nft::NftSocket;
use crate::plan::Redirect;
use crate::plan::nft::{Part, State, Table};

#[test]
fn the_table_of_a_redirect_is_shown_as_its_text_and_known_again() {
    inside(
        "redirect::the_table_of_a_redirect_is_shown_as_its_text_and_known_again",
        || {
            let mut socket = NftSocket::open().expect("a socket");
            let of_port = |number| {
                let port = Port::new(number).expect("in range");
                let server = [127, 0, 0, 11].into();
                Redirect { server, port }.table()
            };
            let (table, other) = (of_port(65_053), of_port(65_054));
            socket.commit(&whole(&table), None).expect("the table");
            assert_eq!(nft("list ruleset"), table.to_string());
            assert_eq!(faults(&mut socket, &table), []);
            // all rules but the first have the port in them
            let rules = Part::Rules("names");
            assert_eq!(faults(&mut socket, &other), [(rules, State::Altered)]);
            let bytes = nft("--debug=netlink list ruleset");
            let gone = Change::DeleteTable(table.family, table.name, Absence::Refused);
            socket.commit(&[gone], None).expect("it was there");
            assert_eq!(nft("list ruleset"), "");
            feed("nft -f -", &table.to_string());
            assert_eq!(faults(&mut socket, &table), []);
            assert_eq!(nft("--debug=netlink list ruleset"), bytes);
        },
    );
}

/// What an audit finds in a namespace that has to have this table.
fn faults(socket: &mut NftSocket, table: &Table) -> Vec<(Part, State)> {
    let rules = socket.all_rules(table.family, table.name).expect("rules");
    let contained = Contained {
        rules,
        ..Contained::default()
    };
    let observed = Observed {
        tables: socket.tables().expect("tables"),
        chains: socket.chains().expect("chains"),
        contents: [(table.family, contained)].into(),
    };
    let expected = Expected {
        tables: std::slice::from_ref(table),
        elements: &Default::default(),
        learned: &Default::default(),
        port: socket.port(),
    };
    let found = deviations(&observed, &expected).into_iter();
    found.map(|found| (found.part, found.state)).collect()
}

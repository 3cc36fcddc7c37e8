//! What is told of a redirect that is refused, and whose tables stay as they are.

use std::net::Ipv4Addr;

use super::{FIRST_REWRITING, explain, whole};
use crate::addr::Port;
use crate::errno::Errno;
use crate::error::{Fault, FaultClass};
use crate::kernel::{Kernel, Netns};
use crate::netlink::frame::Refusal;
use crate::netlink::nft::Place;
use crate::netlink::socket::nft::{CommitError, NftSocket};
use crate::plan::nft::{Ownership, Statement};
use crate::plan::{Plan, Redirect, Step};

fn redirect() -> Redirect {
    Redirect {
        server: Ipv4Addr::new(127, 0, 0, 11),
        port: Port::new(65_053).expect("a port"),
    }
}

/// The fault of a redirect that the kernel refused, because of that change if it says so.
fn fault_of(change: Option<usize>, errno: Errno) -> Fault {
    let place = change.map(|change| Place {
        change,
        element: None,
    });
    let refusal: Refusal = explain(CommitError::Refused {
        place,
        refusal: errno.into(),
    });
    let plan = Plan::from_iter([Step::AddRedirect(redirect())]);
    let failure = crate::kernel::explain::Failure { step: 0, refusal };
    crate::kernel::explain::step(&plan, &failure, |_| Ok(None))
}

#[test]
fn who_may_not_change_tables_is_told_of_the_privilege_and_where_it_is_needed() {
    for errno in [Errno::EPERM, Errno::EACCES] {
        let fault = fault_of(None, errno);
        assert_eq!(fault.class(), FaultClass::Permission);
        let expected = "CAP_NET_ADMIN is missing: lead what is sent to 127.0.0.11:53 to port \
                        65053: it is needed in the user namespace that owns the network \
                        namespace; run as root, or call sandbox::enter() first";
        assert_eq!(fault.to_string(), expected);
    }
}

#[test]
fn what_a_kernel_does_not_have_is_named() {
    let unsupported = |change, errno| match fault_of(change, errno) {
        Fault::Unsupported { feature, .. } => feature,
        other => panic!("{other}"),
    };
    for errno in [
        Errno::EPROTONOSUPPORT,
        Errno::EOPNOTSUPP,
        Errno::EAFNOSUPPORT,
    ] {
        assert_eq!(unsupported(None, errno), "nf_tables for IPv4");
    }
    // the kind of chain
    assert_eq!(unsupported(Some(1), Errno::ENOENT), "nf_tables for IPv4");
    let rewriting = unsupported(Some(FIRST_REWRITING), Errno::ENOENT);
    assert_eq!(rewriting, "notrack of nf_tables (nft_ct)");
}

#[test]
fn the_changes_before_the_first_that_rewrites_do_not_rewrite() {
    let table = redirect().table();
    let rules = &table.chains[0].rules;
    let rewrites =
        |rule: &&crate::plan::nft::Rule| matches!(rule.statement, Statement::SetPort(..));
    let first = rules.iter().position(|rule| rewrites(&rule)).expect("one");
    // the table and the chain come before the rules
    assert_eq!(FIRST_REWRITING, 2 + first);
    assert_eq!(whole(&table).len(), 2 + rules.len());
}

#[test]
fn a_table_of_that_name_that_another_socket_owns_stays_and_is_named() {
    let [host, container] = [(); 2].map(|()| Netns::create().expect("a namespace"));
    let kernel = Kernel::new(host).expect("its kernel");
    let opened = container.enter(NftSocket::open).expect("inside");
    let mut owner = opened.expect("a socket");
    let mut owned = redirect().table();
    owned.ownership = Ownership::Exclusive;
    owned.chains.clear();
    owner.commit(&whole(&owned), None).expect("its table");
    let plan = Plan::from_iter([Step::AddRedirect(redirect())]);
    for refused in [
        kernel.apply(&plan, Some(&container)),
        kernel.take_back(&plan.undo(1), Some(&container)),
    ] {
        let error = refused.expect_err("it is not ours");
        let text = error.to_string();
        assert!(
            text.contains("the table bridgework there is another process's own"),
            "{text}"
        );
        assert_eq!(error.faults()[0].class(), FaultClass::Permission, "{text}");
    }
    let tables = owner.tables().expect("tables");
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].owner, Some(owner.port()));
}

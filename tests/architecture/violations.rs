//! Sources that break each law, so that no check is one that can not fail.

use crate::source::Source;
use crate::{dependencies, effects, layers, shown, sizes, words};

fn tree(files: &[(&str, &str)]) -> Vec<Source> {
    Source::tree(
        files
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_string()))
            .collect(),
    )
}

fn says(complaints: &[String], expected: &[&str]) {
    let shown = complaints.join("\n");
    assert_eq!(complaints.len(), expected.len(), "{shown}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(
            complaint.contains(expected),
            "{complaint:?} does not say {expected:?}"
        );
    }
}

#[test]
fn what_is_in_comments_literals_and_tests_is_not_code() {
    let text = r##"//! unsafe
fn a<'a>(c: char) -> &'a str { /* unsafe /* unsafe */ unsafe */
    let _ = ('"', '\'', b'"', "unsafe \" unsafe", r#"unsafe " unsafe"#, br"\");
    "kept" // unsafe
}
#[cfg(test)]
mod tests { fn unsafe_() { unsafe {} } }
#[cfg(test)]
mod more;
fn b() {}
"##;
    let sources = tree(&[
        ("lib.rs", text),
        ("more.rs", "unsafe"),
        ("more/b.rs", "unsafe"),
    ]);
    let names = |source: &Source| -> Vec<String> {
        source
            .identifiers()
            .iter()
            .map(|word| word.name.to_owned())
            .collect()
    };
    let kept = "fn a a c char a str let _ b fn b";
    assert_eq!(names(&sources[0]).join(" "), kept);
    assert_eq!(names(&sources[1]).len() + names(&sources[2]).len(), 0);
    assert_eq!(sources[0].code.lines().count(), text.lines().count());
}

#[test]
fn a_file_without_a_layer_is_named() {
    let sources = tree(&[
        ("addr/mod.rs", ""),
        ("addresses.rs", ""),
        ("cache/mod.rs", ""),
    ]);
    says(
        &layers::unplaced(&sources),
        &["src/addresses.rs:1", "src/cache/mod.rs:1"],
    );
}

#[test]
fn arrows_upwards_are_found_however_they_are_written() {
    let sources = tree(&[
        (
            "lib.rs",
            "mod host;\npub use addr::Mtu;\npub use host::{Host, Shown};",
        ),
        ("spec.rs", "use crate::Mtu; fn f() { crate::Mtu::new() }"),
        (
            "plan/mod.rs",
            "use crate::addr::Mtu; use self::step::Step; use super::errno::Errno;",
        ),
        (
            "plan/step.rs",
            "use super::link::Link;\nuse crate::{\n addr::{Mtu, X},\n error::Y};",
        ),
        (
            "ipam/pool.rs",
            "fn f() { super::super::kernel::act(); crate::spec::new() }",
        ),
        (
            "driver/mod.rs",
            "use crate::Error; use crate::Shown; macro_rules! m { () => { $crate::host::h() } }",
        ),
        ("netlink/mod.rs", "use self::socket::Socket;"),
        ("netlink/socket.rs", "use super::route::Route;"),
        (
            "host.rs",
            "use crate::kernel::{self, Kernel}; use super::network::*;",
        ),
        (
            "errno.rs",
            "pub(crate) fn f() { <crate::addr::Mtu>::new() }",
        ),
    ]);
    let expected = [
        "src/plan/step.rs:2: plan uses crate::error::Y",
        "src/ipam/pool.rs:1: ipam uses crate::kernel::act",
        "src/driver/mod.rs:1: crate::Error is not in ORDER",
        "src/driver/mod.rs:1: driver uses crate::Shown, and host",
        "src/driver/mod.rs:1: driver uses crate::host::h",
        "src/netlink/mod.rs:1: netlink uses crate::netlink::socket::Socket",
        "src/errno.rs:1: errno uses crate::addr::Mtu",
    ];
    says(&layers::upward_arrows(&sources), &expected);
}

#[test]
fn effects_in_pure_layers_are_found() {
    let act = "use std::fs;\nfn f() { Instant::now(); }";
    let sources = tree(&[
        ("ipam/pool.rs", act),
        ("kernel/mod.rs", act),
        ("spec.rs", "use offs::a;"),
    ]);
    let expected = [
        "src/ipam/pool.rs:1: `std::fs`",
        "src/ipam/pool.rs:2: `Instant::now`",
    ];
    says(&effects::in_pure_layers(&sources), &expected);
}

#[test]
fn global_state_and_subprocesses_are_found() {
    let sources = tree(&[
        ("kernel/a.rs", "use std::process::Command;"),
        ("kernel/b.rs", "fn f() { std::env::var(x); env!(x) }"),
        (
            "kernel/c.rs",
            "static mut A: u8 = 0;\nstatic B: Mutex<u8> = x; static C: u8 = 0;",
        ),
        (
            "kernel/d.rs",
            "fn f(m: &'static Mutex<u8>) { let forked = Commander; }",
        ),
    ]);
    let expected = [
        "a.rs:1: `Command`",
        "b.rs:1: `std::env`",
        "b.rs:1: `env::`",
        "c.rs:1: `static mut`",
        "c.rs:2: global state",
    ];
    says(&effects::forbidden_everywhere(&sources), &expected);
}

#[test]
fn unsafe_code_may_stand_in_one_file() {
    let one = [
        ("kernel/a.rs", "unsafe {}"),
        ("kernel/b.rs", "#![forbid(unsafe_code)]"),
    ];
    says(&effects::unsafe_beyond_one_file(&tree(&one)), &[]);
    let two = [one[0], ("kernel/c.rs", "\nunsafe {}")];
    says(
        &effects::unsafe_beyond_one_file(&tree(&two)),
        &["a.rs:1", "c.rs:2"],
    );
}

#[test]
fn long_files_and_functions_are_found() {
    let function = |lines: usize| format!("fn f(a: [u8; 6])\n{{{}}}\n", "\n".repeat(lines - 2));
    let long = |path, text: &str| tree(&[(path, text), ("a.rs", ""), ("b.rs", "fn g() {}")]);
    says(&sizes::long_files(&long("x.rs", &"\n".repeat(500))), &[]);
    says(
        &sizes::long_files(&long("x.rs", &"\n".repeat(501))),
        &["src/x.rs:501"],
    );
    says(
        &sizes::long_files(&tree(&[("x.rs", &"\n".repeat(201))])),
        &["more than 201"],
    );
    let nested = format!("fn h();\n{}", function(70));
    says(
        &sizes::long_functions(&tree(&[("x.rs", &nested), ("y.rs", "fn i() {} fn j() {}")])),
        &[],
    );
    says(
        &sizes::long_functions(&tree(&[("x.rs", &function(11))])),
        &["more than 11"],
    );
    let mixed = tree(&[("x.rs", &function(71)), ("y.rs", "fn i() {} fn j() {}")]);
    says(
        &sizes::long_functions(&mixed),
        &["src/x.rs:1: f has 71 lines"],
    );
}

#[test]
fn effects_that_outweigh_decisions_are_found() {
    let of = |decide: usize, act: usize| {
        let lines = |count| format!("struct A;{}", "\n".repeat(count));
        let (decide, act) = (lines(decide), lines(act));
        sizes::heavy_effects(&tree(&[("plan/mod.rs", &decide), ("kernel/mod.rs", &act)]))
    };
    says(&of(0, 500), &[]);
    says(&of(2500, 1000), &[]);
    says(&of(2499, 1000), &["1000 lines act"]);
}

#[test]
fn names_that_say_nothing_are_found_and_foreign_ones_are_not() {
    let sources = tree(&[
        (
            "plan/mod.rs",
            "struct LinkInfo;\nfn string_utils() {}\nenum E { DataPath }",
        ),
        (
            "netlink/mod.rs",
            "use x::LinkInfo;\nfn data_len(metadata: Datagram) {}",
        ),
    ]);
    let expected = [
        "`LinkInfo`",
        "`string_utils`",
        "`DataPath`",
        "netlink/mod.rs:2: `data_len`",
    ];
    says(&words::empty_names(&sources), &expected);
}

#[test]
fn marks_of_unfinished_work_are_found() {
    let sources = tree(&[
        (
            "a.rs",
            "//! TODO\n// it is so for now\n// hackney, and mastodons",
        ),
        (
            "b.rs",
            "fn f() { x.unwrap(); x.unwrap_or(1); dbg!(x); println!(); }\n// x.unwrap()",
        ),
    ]);
    let expected = [
        "a.rs:1: `todo`",
        "a.rs:2: `for now`",
        "`dbg!`",
        "`println!`",
        "`.unwrap()`",
    ];
    says(&words::leftovers(&sources), &expected);
    says(&words::without_heading(&sources), &["src/b.rs:1"]);
}

#[test]
fn methods_that_no_example_shows_are_found() {
    let front = "mod room;\npub mod hall;\npub use room::{A, B};";
    let room = "
/// ```
/// A::new().used(); // a.unused()
/// let other = (AA::named(), Other::named());
/// let text = \"a.unused()\";
/// ```
pub struct A;

impl A {
    pub fn new() -> Self {}
    pub fn named() -> Self {}
    pub const fn used(&self) {}
    pub fn unused(&self) {}
    pub(crate) fn hidden(&self) {}
    fn private(&self) {}
    /// ```text
    /// a.in_text()
    /// ```
    #[must_use]
    pub fn in_text(&self) {}
    #[doc(hidden)]
    pub fn secret(&self) {}
}

impl Clone for A {
    fn clone(&self) -> Self {}
}

#[cfg(test)]
impl A {
    pub fn of_tests(&self) {}
}

macro_rules! b {
    () => {
        impl B {
            pub fn generated(&self) {}
        }
    };
}

/// ```
/// impl B for C {
///     fn told(&self) {}
/// }
/// ```
pub trait B {
    fn told(&self);
    fn untold(&self) {}
}

pub struct Private;

impl Private {
    pub fn unseen(&self) {}
}";
    let more = "
impl A {
    /// ```
    /// let all = (a.later(), list.map(A::by_path), a.used_more());
    /// ```
    pub fn later<T>(&self) {}
    pub fn by_path(&self) {}
    pub fn used_mo(&self) {}
}";
    let hall = "//! ```
//! crate::hall::C.of_module();
//! ```
pub struct C;

impl C {
    pub fn of_module(&self) {}
    pub fn alone(&self) {}
}";
    let sources = tree(&[
        ("lib.rs", front),
        ("room/mod.rs", room),
        ("room/more.rs", more),
        ("hall.rs", hall),
    ]);
    let expected = [
        "src/hall.rs:8: no example on the page of C calls alone",
        "src/room/mod.rs:11: no example on the page of A calls named",
        "src/room/mod.rs:13: no example on the page of A calls unused",
        "src/room/mod.rs:20: no example on the page of A calls in_text",
        "src/room/more.rs:8: no example on the page of A calls used_mo",
        "src/room/mod.rs:49: no example on the page of B calls untold",
    ];
    says(&shown::methods_without_example(&sources), &expected);
}

#[test]
fn young_foreign_and_many_dependencies_are_found() {
    let package = |id: &str, rust: &str, links: Option<&str>| serde_json::json!({ "id": id, "name": id, "rust_version": rust, "links": links });
    let edge = |id: &str, kind: Option<&str>| serde_json::json!({ "name": id, "pkg": id, "dep_kinds": [{ "kind": kind }] });
    let many: Vec<String> = (0..46).map(|number| format!("x{number}")).collect();
    let mut packages = vec![
        package("root", "1.85", None),
        package("a", "1.85.1", None),
        package("b", "1.9", Some("z")),
        package("tests", "1.99", Some("z")),
    ];
    packages.extend(many[3..].iter().map(|id| package(id, "1.56", None)));
    let mut linked = vec![edge("a", None), edge("tests", Some("dev"))];
    linked.extend(many[3..].iter().map(|id| edge(id, None)));
    let mut metadata = serde_json::json!({
        "packages": packages,
        "resolve": { "root": "root", "nodes": [
            { "id": "root", "deps": linked },
            { "id": "a", "deps": [edge("b", None)] },
            { "id": "b", "deps": [edge("cc", Some("build"))] },
        ] },
    });
    let foreign = [
        "a needs Rust [1, 85, 1]",
        "b links \"z\"",
        "b is built with a C compiler",
    ];
    says(&dependencies::complaints(&metadata), &foreign);
    let last = package("x0", "1.85.0", None);
    metadata["packages"]
        .as_array_mut()
        .expect("it is a list")
        .push(last);
    let node = serde_json::json!({ "id": "x3", "deps": [edge("x0", None)] });
    metadata["resolve"]["nodes"]
        .as_array_mut()
        .expect("it is a list")
        .push(node);
    let all = [&foreign[..], &["46 crates"]].concat();
    says(&dependencies::complaints(&metadata), &all);
}

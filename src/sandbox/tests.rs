//! The tests of the library's own parts are in a private network, as those below `tests` are.

// it enters the sandbox before the test harness starts
use bridgework_ground as _;

#[test]
fn the_tests_see_a_network_with_lo_alone() {
    let lines = std::fs::read_to_string("/proc/net/dev").unwrap();
    let links: Vec<&str> = lines.lines().skip(2).collect();
    assert_eq!(links.len(), 1, "{links:?}");
    assert!(links[0].trim_start().starts_with("lo:"));
}

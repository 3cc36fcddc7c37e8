//! A private network for the tests that stand in the library itself. It is a crate of its own since
//! the library has no unsafe code, and there is no other word for "before main".
//!
//! A test that starts itself once more says by [`STAY`] whether the new process is to be in the same
//! private network as it is itself.

/// Where it is in the environment, the process stays where it was started.
pub const STAY: &str = "BRIDGEWORK_TEST_STAYS";

/// Runs before the test harness starts its threads, since a user namespace can only be entered by
/// a process with one thread.
#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn() = {
    extern "C" fn enter() {
        if std::env::var_os(STAY).is_some() {
            return;
        }
        if let Err(error) = bridgework::sandbox::enter() {
            eprintln!("NOT TESTED: {error}");
            std::process::exit(1);
        }
    }
    enter
};

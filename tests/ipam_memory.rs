//! What a pool takes of the memory, counted by the allocator: nearly nothing when it is new, and
//! never more for addresses that were held than the documented bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bridgework::ipam::{Owner, Pool, Release};
use bridgework::{ContainerName, Subnet};

/// The system's allocator, with the balance of each thread.
struct Counting;

thread_local! {
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let bytes = isize::try_from(bytes).expect("a layout is no larger");
    // The balance of a thread that ends is of no interest.
    let _ = HELD_BYTES.try_with(|held| held.set(held.get() + sign * bytes));
}

// SAFETY: every call is passed on as it is; counting does not allocate, since the thread's cell has
// a constant initial value and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `block` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that what `make` returns holds on the heap.
fn heap_bytes<T>(make: impl FnOnce() -> T) -> (T, isize) {
    let before = HELD_BYTES.get();
    let made = make();
    (made, HELD_BYTES.get() - before)
}

fn pool(subnet: &str) -> Pool {
    let subnet = subnet.parse().expect("a subnet");
    Pool::new(subnet, None).expect("a whole subnet is a range")
}

fn name(index: u32) -> ContainerName {
    format!("container-{index}").parse().expect("a name")
}

const MIB: isize = 1 << 20;

#[test]
fn an_empty_pool_of_any_size_takes_less_than_a_kibibyte() {
    for subnet in [
        "10.0.0.0/32",
        "10.0.0.0/24",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "fd00::/64",
        "::/0",
    ] {
        let (pool, bytes) = heap_bytes(|| {
            let mut pool = pool(subnet);
            pool.reserve_gateway(None).unwrap();
            pool
        });
        assert!(bytes > 0, "the allocator does not count");
        assert!(
            bytes + (size_of_val(&pool) as isize) < 1024,
            "{subnet}: {bytes}"
        );
    }
}

#[test]
fn addresses_held_without_a_name_take_nothing() {
    let (pool, bytes) = heap_bytes(|| {
        let mut pool = pool("10.0.0.0/8");
        for _ in 0..1_000_000 {
            let _ = pool.allocate().unwrap();
        }
        pool
    });
    assert!(bytes < 1024, "{pool:?}: {bytes}");
}

#[test]
fn a_million_released_addresses_take_no_more_than_the_quarantine() {
    let (pool, bytes) = heap_bytes(|| {
        let mut pool = pool("10.0.0.0/8");
        let leases: Vec<_> = (0..1_000_000).map(|_| pool.allocate().unwrap()).collect();
        for lease in leases {
            assert_eq!(pool.release(lease.address), Release::Released);
        }
        pool
    });
    assert!(bytes < 9 * MIB, "{pool:?}: {bytes}");
}

#[test]
fn names_that_come_and_go_take_no_more_than_the_quarantine() {
    for subnet in ["10.0.0.0/16", "10.0.0.0/8", "fd00::/64"] {
        let (pool, bytes) = heap_bytes(|| {
            let mut pool = pool(subnet);
            for index in 0..400_000 {
                let lease = pool.allocate_for(&name(index)).unwrap();
                assert_eq!(pool.release(lease.address), Release::Released);
            }
            pool
        });
        // With 48 bytes for the text and counts of each name.
        let names = 48 * Pool::QUARANTINE_MAX as isize;
        assert!(bytes < 13 * MIB + names, "{pool:?}: {bytes}");
    }
}

#[test]
fn fixed_addresses_that_come_and_go_take_no_more_than_the_quarantine() {
    let subnet: Subnet = "fd00::/64".parse().unwrap();
    let (pool, bytes) = heap_bytes(|| {
        let mut pool = Pool::new(subnet, None).unwrap();
        for index in 1..300_000_u128 {
            let address = subnet
                .nth(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 64))
                .unwrap();
            assert!(pool.reserve(address, Owner::Container(name(7))).is_ok());
            assert_eq!(pool.release(address), Release::Released);
        }
        pool
    });
    assert!(bytes < 9 * MIB, "{pool:?}: {bytes}");
}

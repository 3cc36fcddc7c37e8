//! The arithmetic of subnets, held against plain 128-bit numbers at every prefix length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bridgework::{Subnet, addr::Reason};
use proptest::prelude::*;

/// No file of past failures: the smallest failing input is printed, and belongs in a test.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A subnet as two plain numbers.
#[derive(Debug, Clone, Copy)]
struct Model {
    width: u8,
    prefix_len: u8,
    first: u128,
}

impl Model {
    fn new(width: u8, prefix_len: u8, bits: u128) -> Self {
        let bits = if width == 32 {
            u128::from(bits as u32)
        } else {
            bits
        };
        let host_bits = u32::from(width - prefix_len);
        let first = bits & !u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        Self {
            width,
            prefix_len,
            first,
        }
    }

    /// The offset of the last address.
    fn last_offset(self) -> u128 {
        let host_bits = u32::from(self.width - self.prefix_len);
        u128::MAX.checked_shr(128 - host_bits).unwrap_or(0)
    }

    fn last(self) -> u128 {
        self.first + self.last_offset()
    }

    fn address(self, bits: u128) -> IpAddr {
        match u32::try_from(bits) {
            Ok(bits) if self.width == 32 => Ipv4Addr::from_bits(bits).into(),
            _ => Ipv6Addr::from_bits(bits).into(),
        }
    }

    fn subnet(self) -> Subnet {
        Subnet::new(self.address(self.first), self.prefix_len).expect("no host bits are set")
    }

    fn overlaps(self, other: Self) -> bool {
        self.width == other.width && self.first <= other.last() && other.first <= self.last()
    }

    fn covers(self, other: Self) -> bool {
        self.width == other.width && self.first <= other.first && other.last() <= self.last()
    }
}

fn agrees_at_offset(model: Model, offset: u128) {
    let subnet = model.subnet();
    let inside = offset <= model.last_offset();
    let expected = inside.then(|| model.address(model.first + offset));
    assert_eq!(subnet.nth(offset), expected, "{model:?} at {offset}");
    if let Some(address) = expected {
        assert!(subnet.contains(address));
        assert_eq!(subnet.offset_of(address), Some(offset));
        let interface = subnet.interface(address).expect("it lies in the subnet");
        assert_eq!(Subnet::of(interface), subnet);
    }
}

fn agrees_at_address(model: Model, bits: u128) {
    let subnet = model.subnet();
    let address = model.address(bits);
    let inside = (model.first..=model.last()).contains(&bits);
    assert_eq!(subnet.contains(address), inside, "{model:?}, {address}");
    assert_eq!(
        subnet.offset_of(address),
        inside.then(|| bits - model.first)
    );
    assert_eq!(subnet.interface(address).is_some(), inside);
}

fn agrees_with(model: Model) {
    let subnet = model.subnet();
    assert_eq!(subnet.first(), model.address(model.first));
    assert_eq!(subnet.last(), model.address(model.last()));
    assert_eq!(subnet.prefix_len(), model.prefix_len);
    assert_eq!(subnet.host_bits(), model.width - model.prefix_len);
    assert_eq!(
        (subnet.is_ipv4(), subnet.is_ipv6()),
        (model.width == 32, model.width == 128)
    );
    assert_eq!(subnet.to_string().parse(), Ok(subnet));
    let last = model.last_offset();
    for offset in [
        0,
        1,
        last / 2,
        last,
        last.saturating_add(1),
        1 << 32,
        u128::MAX,
    ] {
        agrees_at_offset(model, offset);
    }
    let max = Model::new(model.width, 0, 0).last();
    for bits in [
        0,
        model.first.saturating_sub(1),
        model.last().saturating_add(1).min(max),
        max,
    ] {
        agrees_at_address(model, bits);
    }
}

fn all_prefix_lengths() -> impl Iterator<Item = (u8, u8)> {
    (0..=32)
        .map(|len| (32, len))
        .chain((0..=128).map(|len| (128, len)))
}

#[test]
fn subnets_agree_with_plain_numbers_at_every_prefix_length() {
    const PATTERN: u128 = 0xfd00_1234_5678_9abc_def0_0fed_0a0b_0c0d;
    for (width, prefix_len) in all_prefix_lengths() {
        for bits in [0, 1, PATTERN, !PATTERN, 1 << 31, 1 << 127, u128::MAX] {
            agrees_with(Model::new(width, prefix_len, bits));
        }
    }
}

#[test]
fn prefixes_longer_than_the_address_are_out_of_range() {
    for (address, max) in [("10.0.0.0", 32), ("fd00::", 128)] {
        for len in max + 1..=255u8 {
            let error = Subnet::new(address.parse().unwrap(), len).unwrap_err();
            let range = Reason::OutOfRange {
                min: 0,
                max: max.into(),
            };
            assert_eq!(error.reason(), &range);
            assert_eq!(format!("{address}/{len}").parse::<Subnet>(), Err(error));
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    let v4 = (Just(32), 0..=32u8, any::<u128>());
    let v6 = (Just(128), 0..=128u8, any::<u128>());
    prop_oneof![v4, v6].prop_map(|(width, len, bits)| Model::new(width, len, bits))
}

/// Two subnets of which the second often lies near the first: the same bits, but for one.
fn models() -> impl Strategy<Value = (Model, Model)> {
    let near = (model(), any::<u8>(), 0..128u32).prop_map(|(a, len, flipped)| {
        let len = len % (a.width + 1);
        (a, Model::new(a.width, len, a.first ^ 1 << flipped))
    });
    prop_oneof![near, (model(), model())]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_subnet_agrees_with_plain_numbers(
        model in model(),
        offset in any::<u128>(),
        narrow in any::<u32>(),
    ) {
        agrees_with(model);
        agrees_at_offset(model, offset);
        agrees_at_offset(model, narrow.into());
        agrees_at_address(model, if model.width == 32 { narrow.into() } else { offset });
    }

    #[test]
    fn covering_and_overlapping_agree_with_ranges_of_numbers((a, b) in models()) {
        prop_assert_eq!(a.subnet().covers(b.subnet()), a.covers(b));
        prop_assert_eq!(a.subnet().overlaps(b.subnet()), a.overlaps(b));
        prop_assert_eq!(b.subnet().overlaps(a.subnet()), a.overlaps(b));
    }

    #[test]
    fn an_address_with_host_bits_is_refused_and_the_right_one_named(
        model in model(),
        offset in any::<u128>(),
    ) {
        let offset = offset & model.last_offset();
        let text = format!("{}/{}", model.address(model.first + offset), model.prefix_len);
        let parsed = text.parse::<Subnet>();
        if offset == 0 {
            prop_assert_eq!(parsed, Ok(model.subnet()));
        } else {
            let canonical = model.subnet().to_string();
            let error = parsed.unwrap_err();
            prop_assert_eq!(error.reason(), &Reason::NotCanonical { canonical });
        }
    }

    #[test]
    fn no_subnet_contains_an_address_of_the_other_family(model in model(), bits in any::<u32>()) {
        let address: IpAddr = match model.width {
            32 => Ipv4Addr::from_bits(bits).to_ipv6_mapped().into(),
            _ => Ipv4Addr::from_bits(bits).into(),
        };
        prop_assert!(!model.subnet().contains(address));
        prop_assert_eq!(model.subnet().offset_of(address), None);
    }
}

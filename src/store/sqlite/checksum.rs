//! A number that says whether stored bytes are as they were written. It finds what broke by chance,
//! not what somebody wrote on purpose; and it is part of the format, so that it never changes.

const START: u64 = 0x243f_6a88_85a3_08d3;
/// Odd, so that multiplying by it loses nothing: one word that differs always shows.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// That of these parts, in this order and with these ends.
pub(super) fn checksum(parts: &[&[u8]]) -> i64 {
    let sum = parts.iter().fold(START, |sum, part| {
        let sum = mix(sum, part.len() as u64);
        part.chunks(8).fold(sum, |sum, chunk| mix(sum, word(chunk)))
    });
    i64::from_ne_bytes(sum.to_ne_bytes())
}

fn mix(sum: u64, word: u64) -> u64 {
    let mixed = (sum ^ word).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 32)
}

fn word(chunk: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(chunk) {
        *byte = *from;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn it_is_what_it_was_in_format_1() {
        assert_eq!(checksum(&[]), 0x243f_6a88_85a3_08d3);
        assert_eq!(checksum(&[b"network", b"abab"]), 6_221_816_712_109_367_214);
    }

    #[test]
    fn each_bit_counts_and_so_do_the_ends_of_the_parts() {
        let text = b"a text of some length";
        let whole = checksum(&[text]);
        for bit in 0..text.len() * 8 {
            let mut other = *text;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&[&other]), whole, "bit {bit}");
        }
        assert_ne!(checksum(&[b"ab", b"c"]), checksum(&[b"a", b"bc"]));
        assert_ne!(checksum(&[b"a"]), checksum(&[b"a\0"]));
    }
}

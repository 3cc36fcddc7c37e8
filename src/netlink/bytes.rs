//! Numbers in the kernel's byte order, at places that may not be there. Pure.

/// The next multiple of four: where the next message or attribute begins.
pub(super) const fn align(length: usize) -> usize {
    (length + 3) & !3
}

pub(super) fn u32_at(bytes: &[u8], start: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(
        bytes.get(start..start + 4)?.try_into().ok()?,
    ))
}

pub(super) fn u16_at(bytes: &[u8], start: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(
        bytes.get(start..start + 2)?.try_into().ok()?,
    ))
}

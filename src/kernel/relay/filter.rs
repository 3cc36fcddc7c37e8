//! Whose packets a relayed socket hears: decided by the kernel, before it answers anybody.

use std::io;

use socket2::{SockFilter, Socket};

use super::RelayScope;

// uapi/linux/bpf_common.h, uapi/linux/filter.h
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const PROTOCOL: u32 = 0xffff_f000; // SKF_AD_OFF + SKF_AD_PROTOCOL
const NETWORK_HEADER: u32 = 0xfff0_0000; // SKF_NET_OFF

/// uapi/linux/if_ether.h: ETH_P_IPV6
const IPV6: u32 = 0x86dd;

/// rfc4291 §2.4: fe80::/10, in the first word of an address.
const LINK_LOCAL: u32 = 0xfe80_0000;
const LINK_LOCAL_MASK: u32 = 0xffc0_0000;

const fn load(code: u16, from: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, from)
}

/// Goes on if what was loaded is `value`; skips so many instructions if not.
const fn unless(value: u32, skipped: u8) -> SockFilter {
    SockFilter::new(IF_EQUAL, 0, skipped, value)
}

const TAKE: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// A socket of both families hears IPv6 alone: the kernel itself leads IPv4 where it belongs.
const ANYONE: [SockFilter; 4] = [load(LOAD_HALF, PROTOCOL), unless(IPV6, 1), TAKE, DROP];

/// Of these, who comes from ::1 or fe80::/10 (rfc8200 §3: the source begins at the header's octet 8).
const NEAR: [SockFilter; 16] = [
    load(LOAD_HALF, PROTOCOL),
    unless(IPV6, 13),
    load(LOAD_WORD, NETWORK_HEADER + 8),
    SockFilter::new(AND, 0, 0, LINK_LOCAL_MASK),
    unless(LINK_LOCAL, 1),
    TAKE,
    load(LOAD_WORD, NETWORK_HEADER + 8),
    unless(0, 7),
    load(LOAD_WORD, NETWORK_HEADER + 12),
    unless(0, 5),
    load(LOAD_WORD, NETWORK_HEADER + 16),
    unless(0, 3),
    load(LOAD_WORD, NETWORK_HEADER + 20),
    unless(1, 1),
    TAKE,
    DROP,
];

/// Lets in what the scope allows from now on, and nothing else.
pub(super) fn admit(socket: &Socket, scope: RelayScope) -> io::Result<()> {
    match scope {
        RelayScope::Anyone => socket.attach_filter(&ANYONE),
        RelayScope::Near => socket.attach_filter(&NEAR),
    }
}

//! The hardware address of an interface.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::parse::{ParseError, Reason, ValueKind, text_value};

/// A hardware address that an interface can have: six bytes, not all zero, not multicast.
///
/// ```
/// use bridgework::MacAddr;
///
/// let mac: MacAddr = "02:42:AC:11:00:02".parse()?;
/// assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
/// assert_eq!(mac.octets(), [0x02, 0x42, 172, 17, 0, 2]);
/// assert_eq!(MacAddr::new(mac.octets()), Ok(mac));
/// assert!("01:00:5e:00:00:01".parse::<MacAddr>().is_err()); // multicast
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddr([u8; 6]);

const MULTICAST: u8 = 0b01;
const LOCALLY_ADMINISTERED: u8 = 0b10;
const FORM: &str = "six pairs of hex digits, joined by colons";

impl MacAddr {
    /// The address with these bytes.
    ///
    /// # Errors
    /// All bytes are zero, or the multicast bit is set (`eth_mac_addr` refuses both).
    pub fn new(bytes: [u8; 6]) -> Result<Self, ParseError> {
        let mac = Self(bytes);
        if bytes[0] & MULTICAST != 0 || bytes == [0; 6] {
            return Err(ParseError::new(
                ValueKind::MacAddr,
                &mac.to_string(),
                Reason::NotUnicast,
            ));
        }
        Ok(mac)
    }

    /// A locally administered unicast address made of 46 bits of `entropy`.
    ///
    /// ```
    /// use bridgework::MacAddr;
    ///
    /// let mac = MacAddr::locally_administered([0xff; 6]);
    /// assert_eq!(mac.to_string(), "fe:ff:ff:ff:ff:ff");
    /// ```
    #[must_use]
    pub fn locally_administered(mut entropy: [u8; 6]) -> Self {
        entropy[0] = entropy[0] & !MULTICAST | LOCALLY_ADMINISTERED;
        Self(entropy)
    }

    /// `02:42` followed by the address, as Docker made them before version 28.
    ///
    /// ```
    /// use bridgework::MacAddr;
    ///
    /// let mac = MacAddr::from_ipv4([172, 17, 0, 2].into());
    /// assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
    /// ```
    #[must_use]
    pub fn from_ipv4(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// The six bytes, in the order in which they are written.
    #[must_use]
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The link-local IPv6 address of an interface with this hardware address.
    ///
    /// ```
    /// use bridgework::MacAddr;
    ///
    /// let mac: MacAddr = "02:42:ac:11:00:02".parse()?;
    /// assert_eq!(mac.link_local().to_string(), "fe80::42:acff:fe11:2");
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn link_local(self) -> std::net::Ipv6Addr {
        // rfc4291 appendix A: flip the universal/local bit, put ff:fe in the middle
        let [a, b, c, d, e, f] = self.0;
        let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
        std::net::Ipv6Addr::new(
            0xfe80,
            0,
            0,
            0,
            word(a ^ LOCALLY_ADMINISTERED, b),
            word(c, 0xff),
            word(0xfe, d),
            word(e, f),
        )
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || {
            ParseError::new(
                ValueKind::MacAddr,
                text,
                Reason::Malformed { expected: FORM },
            )
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(malformed)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(malformed());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| malformed())?;
        }
        if parts.next().is_some() {
            return Err(malformed());
        }
        Self::new(bytes).map_err(|e| e.quoting(text))
    }
}

text_value!(MacAddr, ValueKind::MacAddr);

//! Any bytes as every value of `addr`: they parse or say why not, and what parses prints as a text
//! that means the same. Run it in `tests/fuzz` with `cargo fuzz run --fuzz-dir . values -s none`.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bridgework::inspect::{FilterTerm, PruneTerm};
use bridgework::resolver::HostAddress;
use bridgework::{
    ContainerId, ContainerLink, ContainerName, EndpointId, HostName, LinkIndex, LinkName,
    LinkPrefix, LinkSysctl, MacAddr, Mtu, NetworkId, NetworkMode, NetworkName, ParseError, Port,
    PortMapping, PortRange, Protocol, Subnet, Timestamp,
};
use libfuzzer_sys::fuzz_target;

fn parses_or_says_why<T>(bytes: &[u8])
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq,
    T: for<'a> TryFrom<&'a [u8], Error = ParseError>,
{
    let value = T::try_from(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(text.parse(), value);
    }
    match value {
        Ok(value) => assert_eq!(value.to_string().parse(), Ok(value)),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
}

fuzz_target!(|bytes: &[u8]| {
    parses_or_says_why::<Subnet>(bytes);
    parses_or_says_why::<MacAddr>(bytes);
    parses_or_says_why::<LinkName>(bytes);
    parses_or_says_why::<LinkIndex>(bytes);
    parses_or_says_why::<Mtu>(bytes);
    parses_or_says_why::<ContainerName>(bytes);
    parses_or_says_why::<NetworkName>(bytes);
    parses_or_says_why::<HostName>(bytes);
    parses_or_says_why::<NetworkId>(bytes);
    parses_or_says_why::<EndpointId>(bytes);
    parses_or_says_why::<ContainerId>(bytes);
    parses_or_says_why::<ContainerLink>(bytes);
    parses_or_says_why::<NetworkMode>(bytes);
    parses_or_says_why::<Timestamp>(bytes);
    parses_or_says_why::<HostAddress>(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _understood = (text.parse::<FilterTerm>(), text.parse::<PruneTerm>());
    parses_or_says_why::<LinkPrefix>(bytes);
    parses_or_says_why::<LinkSysctl>(bytes);
    parses_or_says_why::<Port>(bytes);
    parses_or_says_why::<PortRange>(bytes);
    parses_or_says_why::<Protocol>(bytes);
    parses_or_says_why::<PortMapping>(bytes);
});

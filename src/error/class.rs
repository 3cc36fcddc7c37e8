//! What a fault means to the caller, whatever its details: the few things that programs decide on.

use super::fault::Fault;
use super::port_fault::PortFault;
use crate::addr::Reason;
use crate::errno::Errno;

/// What a fault means to the caller, whatever its details.
///
/// ```
/// use bridgework::{Errno, Fault, FaultClass};
///
/// let fault = Fault::Kernel { doing: "add a link".to_owned(), errno: Errno::EEXIST, words: None };
/// assert_eq!(fault.class(), FaultClass::Exists);
/// assert_eq!(Fault::NoFamily.class(), FaultClass::Invalid);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultClass {
    /// The request can never be met as it is.
    Invalid,
    /// An object of that name, address or id is there already.
    Exists,
    /// An object that the request names is not there.
    NotFound,
    /// Nothing is left to give: addresses, subnets, ports.
    Exhausted,
    /// Others still use the object.
    InUse,
    /// The privilege is missing.
    Permission,
    /// This kernel can not do it, or nothing here can.
    Unsupported,
    /// The deadline passed.
    TimedOut,
    /// The kernel or a file refused, for a reason of its own.
    Refused,
}

/// What keeps a store from keeping a record.
///
/// ```
/// use bridgework::{Error, Fault, StoreTrouble};
///
/// /// Whether it is worth trying again.
/// fn is_passing(error: &Error) -> bool {
///     let locked = |fault: &Fault| {
///         matches!(fault, Fault::Store { trouble: StoreTrouble::Locked, .. })
///     };
///     error.faults().iter().any(locked)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreTrouble {
    /// Another process has what was asked for, or has changed the same record.
    Taken,
    /// Others keep it locked.
    Locked,
    /// What is there can't be read or written.
    Unusable,
}

impl StoreTrouble {
    fn class(self) -> FaultClass {
        match self {
            Self::Taken => FaultClass::Exists,
            Self::Locked => FaultClass::TimedOut,
            Self::Unusable => FaultClass::Refused,
        }
    }
}

fn of_port(fault: &PortFault) -> FaultClass {
    match fault {
        PortFault::Allocated { .. } | PortFault::InUse { .. } => FaultClass::Exists,
        PortFault::Exhausted { .. } => FaultClass::Exhausted,
        PortFault::NoSuchAddress { .. } => FaultClass::NotFound,
    }
}

impl Fault {
    /// What it means to the caller.
    #[must_use]
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Value(error) => match error.reason() {
                Reason::Unsupported { .. } => FaultClass::Unsupported,
                _ => FaultClass::Invalid,
            },
            Self::Port(fault) => of_port(fault),
            Self::Store { trouble, .. } => trouble.class(),
            Self::NoFamily
            | Self::MultipleSubnets { .. }
            | Self::GatewayOutside { .. }
            | Self::RangeOutside { .. }
            | Self::AuxiliaryOutside { .. }
            | Self::AddressOutside { .. }
            | Self::AddressReserved { .. }
            | Self::NotLinkLocal { .. }
            | Self::SubnetUnusable { .. }
            | Self::MtuBelowIpv6 { .. }
            | Self::OptionValue { .. }
            | Self::UnknownOption { .. }
            | Self::IsolatedNotInternal
            | Self::TemplateInternal
            | Self::TemplateOfTemplate
            | Self::TemplateEndpoint
            | Self::GivenByTemplate { .. }
            | Self::OptionsByTemplate { .. }
            | Self::Conflicting(_)
            | Self::NoHostGateway
            | Self::Driver { .. }
            | Self::PredefinedName { .. }
            | Self::Predefined { .. }
            | Self::OnlyInstance { .. }
            | Self::OwnNamespace
            | Self::SharedStack
            | Self::PrivateStack
            | Self::HostStackLater
            | Self::HostStackLeft
            | Self::AddressOnDefault
            | Self::AliasOnDefault
            | Self::Forked
            | Self::ResolverOff
            | Self::LinkKind { .. }
            | Self::NetworkAmbiguous { .. }
            | Self::ContainerAmbiguous { .. }
            | Self::NotANamespace { .. } => FaultClass::Invalid,
            Self::AddressInUse { .. }
            | Self::SubnetOverlaps { .. }
            | Self::NetworkExists { .. }
            | Self::EndpointExists { .. }
            | Self::LinkExists { .. } => FaultClass::Exists,
            Self::NetworkNotFound { .. }
            | Self::TemplateNotFound { .. }
            | Self::LinkNotFound { .. }
            | Self::BridgeGone { .. }
            | Self::ContainerNotFound { .. }
            | Self::ContainerGone { .. }
            | Self::NotConnected { .. }
            | Self::LinkTarget { .. }
            | Self::NamespaceNotFound { .. } => FaultClass::NotFound,
            Self::PoolsExhausted { .. }
            | Self::AddressesExhausted { .. }
            | Self::BridgeFull { .. } => FaultClass::Exhausted,
            Self::TemplateInUse { .. } | Self::ActiveEndpoints { .. } => FaultClass::InUse,
            Self::Privilege { .. } => FaultClass::Permission,
            Self::Unsupported { .. } => FaultClass::Unsupported,
            Self::TimedOut { .. } => FaultClass::TimedOut,
            Self::Kernel { errno, .. } => class_of(*errno),
            Self::Garbled { .. } | Self::Panicked { .. } => FaultClass::Refused,
        }
    }

    /// The kernel's error number, where it gave one, or the one that it gives for the like.
    ///
    /// ```
    /// use bridgework::{Errno, Fault};
    ///
    /// let busy = Fault::Kernel { doing: "add a link".to_owned(), errno: Errno::EBUSY, words: None };
    /// assert_eq!(busy.errno(), Some(Errno::EBUSY));
    /// assert_eq!(Fault::NoFamily.errno(), None); // the kernel was not asked
    /// ```
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel { errno, .. } | Self::NamespaceNotFound { errno, .. } => Some(*errno),
            Self::ContainerGone { .. } => Some(Errno::ENOENT),
            Self::Privilege { .. } => Some(Errno::EPERM),
            Self::Port(PortFault::InUse { .. }) => Some(Errno::EADDRINUSE),
            Self::Port(PortFault::NoSuchAddress { .. }) => Some(Errno::EADDRNOTAVAIL),
            _ => None,
        }
    }
}

fn class_of(errno: Errno) -> FaultClass {
    match errno {
        Errno::EPERM | Errno::EACCES => FaultClass::Permission,
        Errno::EEXIST => FaultClass::Exists,
        Errno::ENODEV | Errno::ENOENT | Errno::ESRCH => FaultClass::NotFound,
        Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => FaultClass::Unsupported,
        Errno::EXFULL | Errno::ENOSPC | Errno::EMFILE => FaultClass::Exhausted,
        Errno::EBUSY => FaultClass::InUse,
        Errno::ETIMEDOUT => FaultClass::TimedOut,
        _ => FaultClass::Refused,
    }
}

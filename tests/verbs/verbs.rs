//! What is asked for, as plain values. Every verb means something in every state, so that a sequence
//! can be shortened anywhere. Nothing is done here.

/// The networks by number; the last is the one that every host has. None is first in both orders:
/// that of numbers and that of names.
pub const NETWORKS: [&str; 4] = ["net-c", "net-a", "net-b", "bridge"];
pub const BRIDGE: usize = 3;
pub const CONTAINERS: [&str; 4] = ["c0", "c1", "c2", "c3"];
/// The name of a container among them.
pub const ALIASES: [&str; 3] = ["db", "web", "c1"];
pub const LINK_ALIASES: [&str; 2] = ["db", "peer"];
/// One that is chosen where none is asked for, and one that never is.
pub const LINK_NAMES: [&str; 2] = ["eth1", "web0"];

/// One verb. Containers and networks are numbers: `at` of a container, `net` of a network.
#[derive(Debug, Clone)]
pub enum Verb {
    Create {
        net: usize,
        kind: Kind,
        flaw: Option<CreateFlaw>,
    },
    Remove {
        net: usize,
    },
    Prune,
    /// The caller's handle to the network is dropped.
    LetGo {
        net: usize,
    },
    Open {
        at: usize,
        mode: Mode,
        ask: Ask,
    },
    /// All handles to the container and to its endpoints are dropped.
    Close {
        at: usize,
    },
    Connect {
        at: usize,
        net: usize,
        ask: Ask,
        strike: Option<Strike>,
    },
    Disconnect {
        at: usize,
        net: usize,
        how: How,
    },
    DisconnectTogether {
        at: Option<usize>,
        net: Option<usize>,
    },
    Forget {
        at: usize,
        net: usize,
    },
    Stage {
        at: usize,
        net: usize,
        ask: Ask,
    },
    Join {
        at: usize,
        net: usize,
        into: usize,
    },
    Delete {
        at: usize,
        net: usize,
        how: How,
    },
}

/// What a network is made of.
#[derive(Debug, Clone)]
pub struct Kind {
    pub families: Families,
    pub marks: Vec<Mark>,
}

/// What is special about a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Internal,
    /// Interfaces are called `lan0`, not `eth0`.
    Lan,
    /// There is room for one or two containers only.
    Small,
    /// Everyone's names stand in hosts files.
    Everyone,
}

impl Kind {
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    V4,
    V6,
    Dual,
}

#[derive(Debug, Clone, Copy)]
pub enum CreateFlaw {
    GatewayOutside,
    UnknownOption,
}

/// Where a container gets its network from.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    Own,
    None,
    Host,
    /// By the other's handle.
    Sharing(usize),
    /// By `container:ID`.
    Beside(usize),
    /// By the network's name.
    On(usize),
}

/// What an endpoint is asked to be. Addresses are offsets in the network's subnet.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub ip4: Option<u8>,
    pub ip6: Option<u8>,
    pub link_local: Option<u8>,
    pub mac: Option<u8>,
    pub link_name: Option<usize>,
    pub aliases: Vec<usize>,
    /// Container and alias.
    pub links: Vec<(usize, usize)>,
    pub priority: Option<i32>,
    pub anew: bool,
    pub flaw: Option<AskFlaw>,
}

#[derive(Debug, Clone, Copy)]
pub enum AskFlaw {
    Alias,
    LinkName,
    Mac,
    LinkLocal,
}

/// One call of the kernel's that fails, counted from 1.
#[derive(Debug, Clone, Copy)]
pub struct Strike {
    pub call: u64,
    /// The call is made, and nobody hears of it.
    pub answer_lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Handle,
    Name,
    Force,
    Drop,
    Persist,
    Leave,
}

/// Which of several that are there is meant.
#[derive(Debug, Clone, Copy)]
pub struct Aim(pub usize);

/// A verb, and what leads it to something that is there.
pub type Step = (Verb, Option<Aim>);

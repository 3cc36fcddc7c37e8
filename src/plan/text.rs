//! Each step as the line that an operator would type, with iproute2, sysctl and the shell.
//!
//! These lines are the golden tests and the dry run. They are never executed by the crate.

mod firewall;

use std::fmt::{self, Display, Formatter};
use std::os::unix::ffi::OsStrExt;

use ipnet::IpNet;

use super::Plan;
use super::file::{ContainerFile, FileWrite, HostsEdit};
use super::link::{BridgeOptions, Link, PortOptions, Side, Switch, centiseconds};
use super::policy::{PolicyRule, Prohibition};
use super::redirect::Redirect;
use super::route::Route;
use super::shell::{quote, quote_link};
use super::step::{Step, VethStep};
use super::sysctl::Sysctl;
use crate::addr::{ContainerName, Family, MacAddr, Mtu};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let line = |step| Line {
            step,
            container: self.container(),
        };
        self.steps()
            .iter()
            .try_for_each(|step| writeln!(f, "{}", line(step)))
    }
}

impl Plan {
    /// The steps, each in one line: as it prints, and of one that prints as several lines what they
    /// are for, or the first.
    ///
    /// ```
    /// use bridgework::LinkIndex;
    /// use bridgework::plan::{Link, Plan, Side, Step};
    ///
    /// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// let plan = Plan::from_iter([Step::SetUp { link }]);
    /// assert_eq!(plan.lines().collect::<Vec<_>>(), ["ip link set dev br0 up"]);
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.steps().len()).map(|index| self.line(index))
    }

    /// The line of one step; empty past the last.
    pub(crate) fn line(&self, index: usize) -> String {
        let Some(step) = self.steps().get(index) else {
            return String::new();
        };
        match step {
            Step::RaiseFirewall(_) => "make the tables bridgework and their rules".to_owned(),
            Step::RetireFirewall(_) => "remove the tables bridgework and their rules".to_owned(),
            Step::AddRedirect(redirect) => {
                let Redirect { server, port } = redirect;
                format!("lead what is sent to {server}:53 to port {port}")
            }
            step => {
                let container = self.container();
                let text = Line { step, container }.to_string();
                let mut lines = text.lines();
                let first = lines.next().unwrap_or_default();
                // a text of the user's may have several lines, and they are all of it
                match (step, lines.count()) {
                    (Step::EditElements(_) | Step::ForgetFlows(_), more @ 1..) => {
                        format!("{first} (and {more} more)")
                    }
                    _ => text,
                }
            }
        }
    }
}

impl Display for Step {
    /// The line, with `container` for the container's namespace.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Line {
            step: self,
            container: None,
        }
        .fmt(f)
    }
}

/// One step, told whose namespace the container's side is.
struct Line<'a> {
    step: &'a Step,
    container: Option<&'a ContainerName>,
}

impl Line<'_> {
    fn namespace(&self) -> &str {
        self.container.map_or("container", ContainerName::as_str)
    }

    /// `ip`, `bridge`: as it is for the host's side, with `-n` for the container's.
    fn command(&self, f: &mut Formatter<'_>, program: &str, side: Side) -> fmt::Result {
        match side {
            Side::Host => f.write_str(program),
            Side::Container => write!(f, "{program} -n {}", self.namespace()),
        }
    }

    fn ip(&self, f: &mut Formatter<'_>, side: Side) -> fmt::Result {
        self.command(f, "ip", side)
    }

    fn add_bridge(
        &self,
        f: &mut Formatter<'_>,
        (link, mac, mtu): (&Link, &MacAddr, &Mtu),
        options: &BridgeOptions,
    ) -> fmt::Result {
        self.ip(f, link.side)?;
        write!(
            f,
            " link add name {} index {}",
            quote_link(&link.name),
            link.index
        )?;
        write!(f, " address {mac} mtu {mtu} type bridge")?;
        let centis = |duration: Option<_>| duration.map(|d| centiseconds(d).to_string());
        let bit = |switch: Option<Switch>| switch.map(|s| s.number().to_string());
        let unlearnt = options.reserved_learning.map(Switch::opposite);
        let words = [
            ("stp_state", bit(options.stp)),
            ("ageing_time", centis(options.ageing)),
            ("mcast_snooping", bit(options.multicast_snooping)),
            ("forward_delay", centis(options.forward_delay)),
            ("no_linklocal_learn", bit(unlearnt)),
        ];
        words.into_iter().try_for_each(|(word, value)| match value {
            Some(value) => write!(f, " {word} {value}"),
            None => Ok(()),
        })
    }

    fn add_veth(&self, f: &mut Formatter<'_>, veth: &VethStep) -> fmt::Result {
        let VethStep {
            link,
            mac,
            master,
            peer,
            peer_mac,
            mtu,
        } = veth;
        self.ip(f, link.side)?;
        write!(
            f,
            " link add name {} index {} address {mac}",
            quote_link(&link.name),
            link.index
        )?;
        write!(f, " mtu {mtu} numtxqueues 1 numrxqueues 1")?;
        if let Some(master) = master {
            write!(f, " master {}", quote_link(&master.name))?;
        }
        write!(
            f,
            " type veth peer name {} index {}",
            quote_link(&peer.name),
            peer.index
        )?;
        write!(
            f,
            " address {peer_mac} mtu {mtu} numtxqueues 1 numrxqueues 1"
        )?;
        if peer.side != link.side {
            write!(f, " netns {}", self.namespace())?;
        }
        Ok(())
    }

    fn set(&self, f: &mut Formatter<'_>, link: &Link, what: &dyn Display) -> fmt::Result {
        self.ip(f, link.side)?;
        write!(f, " link set dev {} {what}", quote_link(&link.name))
    }

    fn port(&self, f: &mut Formatter<'_>, link: &Link, options: &PortOptions) -> fmt::Result {
        self.command(f, "bridge", link.side)?;
        write!(f, " link set dev {}", quote_link(&link.name))?;
        let words = [
            ("hairpin", options.hairpin),
            ("isolated", options.isolated),
            ("learning", options.learning),
        ];
        words
            .into_iter()
            .try_for_each(|(word, switch)| match switch {
                Some(switch) => write!(f, " {word} {}", switch.word()),
                None => Ok(()),
            })
    }

    fn address(&self, f: &mut Formatter<'_>, verb: &str, link: &Link, net: &IpNet) -> fmt::Result {
        self.ip(f, link.side)?;
        write!(f, " addr {verb} {net}")?;
        if verb == "add" {
            f.write_str(match net {
                IpNet::V4(net) if net.prefix_len() < 31 => " brd +",
                IpNet::V4(_) => "",
                IpNet::V6(_) => " nodad",
            })?;
        }
        write!(f, " dev {}", quote_link(&link.name))
    }

    fn route(&self, f: &mut Formatter<'_>, verb: &str, route: &Route) -> fmt::Result {
        let Route {
            destination,
            gateway,
            link,
            metric,
        } = route;
        self.ip(f, link.side)?;
        if matches!(destination, IpNet::V6(_)) {
            f.write_str(" -6")?;
        }
        write!(f, " route {verb} ")?;
        match destination {
            net if net.prefix_len() == 0 => f.write_str("default")?,
            net => write!(f, "{net}")?,
        }
        if let Some(gateway) = gateway {
            write!(f, " via {gateway}")?;
        }
        write!(
            f,
            " dev {} proto {}",
            quote_link(&link.name),
            super::ROUTE_PROTOCOL
        )?;
        match metric {
            0 => Ok(()),
            metric => write!(f, " metric {metric}"),
        }
    }

    fn await_forwarding(&self, f: &mut Formatter<'_>, link: &Link) -> fmt::Result {
        f.write_str("until ")?;
        self.command(f, "bridge", link.side)?;
        let name = quote_link(&link.name);
        write!(f, " link show dev {name} | grep -q forwarding; do :; done")
    }

    fn rename(&self, f: &mut Formatter<'_>, link: &Link, found: &str) -> fmt::Result {
        self.ip(f, link.side)?;
        let name = quote_link(&link.name);
        write!(f, " link set dev {} name {name}", quote(found))
    }

    fn subnet_route(&self, f: &mut Formatter<'_>, link: &Link, address: &IpNet) -> fmt::Result {
        self.ip(f, link.side)?;
        let (subnet, name) = (address.trunc(), quote_link(&link.name));
        match address {
            IpNet::V4(net) => {
                let source = net.addr();
                write!(
                    f,
                    " route add {subnet} dev {name} proto kernel scope link src {source}"
                )
            }
            IpNet::V6(_) => write!(
                f,
                " -6 route add {subnet} dev {name} proto kernel metric 256"
            ),
        }
    }

    /// The host's namespace is called by the shell that the line is typed into, which is there.
    fn move_link(&self, f: &mut Formatter<'_>, from: &Link, to: &Link) -> fmt::Result {
        let namespace = match to.side {
            Side::Host => "$$",
            Side::Container => self.namespace(),
        };
        self.set(
            f,
            from,
            &format_args!("netns {namespace} name {}", quote_link(&to.name)),
        )
    }

    fn add_redirect(&self, f: &mut Formatter<'_>, redirect: &Redirect) -> fmt::Result {
        let table = redirect.table();
        let (family, name) = (table.family, table.name);
        self.inside(f, Side::Container)?;
        writeln!(f, "nft -f - << 'EOF'")?;
        // it can only be deleted where it is there
        writeln!(f, "add table {family} {name}")?;
        writeln!(f, "delete table {family} {name}")?;
        write!(f, "{table}EOF")
    }

    fn delete_redirect(&self, f: &mut Formatter<'_>, redirect: &Redirect) -> fmt::Result {
        let table = redirect.table();
        self.inside(f, Side::Container)?;
        write!(f, "nft delete table {} {}", table.family, table.name)
    }

    /// What a line begins with whose program knows nothing of namespaces.
    fn inside(&self, f: &mut Formatter<'_>, side: Side) -> fmt::Result {
        match side {
            Side::Host => Ok(()),
            Side::Container => write!(f, "ip netns exec {} ", self.namespace()),
        }
    }

    fn sysctl(&self, f: &mut Formatter<'_>, side: Side, setting: String) -> fmt::Result {
        self.inside(f, side)?;
        write!(f, "sysctl -w {}", quote(setting))
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::AddBridge {
                link,
                mac,
                mtu,
                options,
            } => self.add_bridge(f, (link, mac, mtu), options),
            Step::AddVeth(veth) => self.add_veth(f, veth),
            Step::DeleteLink { link } => {
                self.ip(f, link.side)?;
                write!(f, " link del dev {}", quote_link(&link.name))
            }
            Step::SetAlias { link, alias } => {
                self.set(f, link, &format_args!("alias {}", quote(alias)))
            }
            Step::SetName { link, found } => self.rename(f, link, found),
            Step::SetMtu { link, mtu } => self.set(f, link, &format_args!("mtu {mtu}")),
            Step::SetNoAutoAddress { link } => self.set(f, link, &"addrgenmode none"),
            Step::SetMaster {
                link,
                master: Some(master),
            } => self.set(
                f,
                link,
                &format_args!("master {}", quote_link(&master.name)),
            ),
            Step::SetMaster { link, master: None } => self.set(f, link, &"nomaster"),
            Step::SetPort { link, options } => self.port(f, link, options),
            Step::RaiseLoopback { side } => {
                self.ip(f, *side)?;
                f.write_str(" link set dev lo up")
            }
            Step::SetUp { link } => self.set(f, link, &"up"),
            Step::SetDown { link } => self.set(f, link, &"down"),
            Step::AddAddress { link, address } => self.address(f, "add", link, address),
            Step::DeleteAddress { link, address } => self.address(f, "del", link, address),
            Step::AddSubnetRoute { link, address } => self.subnet_route(f, link, address),
            Step::AddRoute(route) => self.route(f, "add", route),
            Step::DeleteRoute(route) => self.route(f, "del", route),
            Step::ReplaceRoute { from, to } if from.metric != to.metric => {
                self.route(f, "replace", to)?;
                f.write_str(" && ")?;
                self.route(f, "del", from)
            }
            Step::ReplaceRoute { to, .. } => self.route(f, "replace", to),
            Step::RaiseFirewall(firewall) => firewall::raise(f, firewall),
            Step::RetireFirewall(firewall) => firewall::retire(f, firewall),
            Step::EditElements(edit) => firewall::edit(f, edit),
            Step::ForgetFlows(flows) => f.write_str(&firewall::forget(flows)),
            Step::AddPolicyRule(rule) => f.write_str(&policy_line("add", rule)),
            Step::DeletePolicyRule(rule) => f.write_str(&policy_line("del", rule)),
            Step::AddProhibition(prohibition) => prohibit(f, "replace", prohibition),
            Step::DeleteProhibition(prohibition) => prohibit(f, "del", prohibition),
            Step::AddRedirect(redirect) => self.add_redirect(f, redirect),
            Step::DeleteRedirect(redirect) => self.delete_redirect(f, redirect),
            Step::MoveLink { from, to } => self.move_link(f, from, to),
            Step::SetSysctl { side, key, value } => self.sysctl(f, *side, format!("{key}={value}")),
            Step::KeepSysctl { key, value, .. } => f.write_str(&kept(key, *value)),
            Step::SetLinkSysctl { link, setting } => {
                let assignment = format!("{}={}", setting.path(&link.name), setting.value());
                self.sysctl(f, link.side, assignment)
            }
            Step::AwaitForwarding { link } => self.await_forwarding(f, link),
            Step::Announce { link, mac } => self.set(f, link, &format_args!("address {mac}")),
            Step::EditHosts(edit) => hosts(f, edit),
            Step::WriteFile(write) => f.write_str(&file(write)),
        }
    }
}

/// The shell's word for nothing, with what nothing is done about.
fn kept(key: &Sysctl, value: u32) -> String {
    format!(": {}", quote(format!("{key}={value}")))
}

fn policy_line(verb: &str, rule: &PolicyRule) -> String {
    let flag = match rule.family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    };
    format!("ip {flag} rule {verb} {rule}")
}

fn prohibit(f: &mut Formatter<'_>, verb: &str, prohibition: &Prohibition) -> fmt::Result {
    let ip = match Family::of_subnet(prohibition.subnet) {
        Family::V4 => "ip",
        Family::V6 => "ip -6",
    };
    write!(f, "{ip} route {verb} {prohibition}")
}

fn hosts(f: &mut Formatter<'_>, edit: &HostsEdit) -> fmt::Result {
    let path = ContainerFile::from(edit.file.clone()).path();
    let quoted = quote(path.as_os_str().as_bytes());
    let mut commands = Vec::new();
    if !edit.remove.is_empty() {
        let pattern = |line: &String| format!(" -e {}", quote(line));
        let patterns: String = edit.remove.iter().map(pattern).collect();
        let kept = quote([path.as_os_str().as_bytes(), b".kept"].concat());
        // the same file, not a new one of its name: a container may have it bind-mounted
        commands.push(format!("grep -avxF{patterns} {quoted} > {kept}"));
        commands.push(format!("cat {kept} > {quoted}"));
        commands.push(format!("rm {kept}"));
    }
    commands.extend(edit.add.iter().map(|line| {
        // sh's echo takes backslashes for escapes and a leading dash for an option
        let echo = match line {
            line if line.contains('\\') || line.starts_with('-') => "printf '%s\\n'",
            _ => "echo",
        };
        format!("{echo} {} >> {quoted}", quote(line))
    }));
    match commands.as_slice() {
        [] => f.write_str(":"),
        commands => f.write_str(&commands.join("; ")),
    }
}

fn file(write: &FileWrite) -> String {
    let path = quote(write.file.path().as_os_str().as_bytes());
    let is_former = format!("printf '%s' {} | cmp -s - {path}", quote(&write.former));
    // into the same file, not a new one of its name: a container may have it bind-mounted
    let put = format!("printf '%s' {} > {path}", quote(&write.text));
    match (write.former.as_str(), write.text.as_str()) {
        ("", "") => ":".to_owned(),
        ("", _) => format!("test -s {path} || {put}"),
        (_, "") => format!("if {is_former}; then : > {path}; fi"),
        (_, _) => format!("if test '!' -s {path} || {is_former}; then {put}; fi"),
    }
}

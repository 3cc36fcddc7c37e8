//! Each step as the line that an operator would type, with iproute2, sysctl and the shell.
//!
//! These lines are the golden tests and the dry run. They are never executed by the crate.

use std::fmt::{self, Display, Formatter};
use std::os::unix::ffi::OsStrExt;

use ipnet::IpNet;

use super::Plan;
use super::file::{ContainerFile, FileWrite, HostsEdit};
use super::link::{BridgeOptions, Link, PortOptions, Side, centiseconds};
use super::shell::{quote, quote_link};
use super::step::{Route, Step, VethStep};
use crate::addr::{ContainerName, MacAddr, Mtu};

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
    /// The line of one step; empty past the last.
    pub(crate) fn line(&self, index: usize) -> String {
        let line = |step| {
            Line {
                step,
                container: self.container(),
            }
            .to_string()
        };
        self.steps().get(index).map(line).unwrap_or_default()
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
        let bit = |switch: Option<super::Switch>| switch.map(|s| s.number().to_string());
        let words = [
            ("stp_state", bit(options.stp)),
            ("ageing_time", centis(options.ageing)),
            ("mcast_snooping", bit(options.multicast_snooping)),
            ("forward_delay", centis(options.forward_delay)),
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

    fn sysctl(&self, f: &mut Formatter<'_>, side: Side, setting: String) -> fmt::Result {
        if side == Side::Container {
            write!(f, "ip netns exec {} ", self.namespace())?;
        }
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
            Step::AddRoute(route) => self.route(f, "add", route),
            Step::DeleteRoute(route) => self.route(f, "del", route),
            Step::ReplaceRoute { to, .. } => self.route(f, "replace", to),
            Step::MoveLink { from, to } => self.move_link(f, from, to),
            Step::SetSysctl { side, key, value } => self.sysctl(f, *side, format!("{key}={value}")),
            Step::SetLinkSysctl { link, setting } => {
                let assignment = format!("{}={}", setting.path(&link.name), setting.value());
                self.sysctl(f, link.side, assignment)
            }
            Step::AwaitForwarding { link } => {
                f.write_str("until ")?;
                self.command(f, "bridge", link.side)?;
                write!(
                    f,
                    " link show dev {} | grep -q forwarding; do :; done",
                    quote_link(&link.name)
                )
            }
            Step::Announce { link, mac } => self.set(f, link, &format_args!("address {mac}")),
            Step::EditHosts(edit) => hosts(f, edit),
            Step::WriteFile(write) => f.write_str(&file(write)),
        }
    }
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

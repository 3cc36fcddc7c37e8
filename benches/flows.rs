//! What it costs to forget one tracked connection among many others.
//!
//! `cargo bench --bench flows`
//!
//! Beside it, in the same run: `conntrack -D`, a process that looks through the table and deletes
//! what was asked for. Times are medians in ms. Without `--bench` (as `cargo test` runs it) the
//! table is small, which shows that it works and measures nothing.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bridgework::kernel::Kernel;
use bridgework::plan::FlowMatch;
use bridgework::{Family, Netns, Port, Protocol};

const ROUNDS: usize = 15;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let sizes: &[u32] = match std::env::args().any(|word| word == "--bench") {
        true => &[0, 1_000, 50_000],
        false => &[10],
    };
    println!("others  family  meant by                 ours    conntrack -D");
    for &size in sizes {
        for family in [Family::V4, Family::V6] {
            let kernel = Kernel::new(Netns::create().expect("a namespace")).expect("a kernel");
            let mut others = String::new();
            (0..size).for_each(|number| others.push_str(&other(family, number)));
            if let Err(error) = conntrack(kernel.namespace(), &["-R", "-"], &others) {
                println!("NOT MEASURED: conntrack: {error}");
                return ExitCode::SUCCESS;
            }
            rows(&kernel, family, size);
        }
    }
    ExitCode::SUCCESS
}

/// What it is called, what is meant by it, and how `conntrack` is asked for the same.
type Row<'a> = (&'a str, &'a [FlowMatch], Option<&'a [&'a str]>);

fn rows(kernel: &Kernel, family: Family, size: u32) {
    let udp = FlowMatch {
        protocol: Some(Protocol::Udp),
        ..FlowMatch::new(family)
    };
    let to_port = FlowMatch {
        original_destination_port: Some(Port::new(53).expect("a port")),
        ..udp
    };
    let exact = FlowMatch {
        original_destination: Some(address(family, 1).parse().expect("an address")),
        ..to_port
    };
    let container: std::net::IpAddr = address(family, 2).parse().expect("an address");
    let replies = FlowMatch {
        reply_source: Some((container, None)),
        ..FlowMatch::new(family)
    };
    let both = [
        replies,
        FlowMatch {
            original_source: Some(container),
            ..FlowMatch::new(family)
        },
    ];
    let ports = |count: u32| -> Vec<FlowMatch> {
        let port = |number| Port::new(50 + number).expect("a port");
        let of = |number| FlowMatch {
            original_destination_port: Some(port(number)),
            ..exact
        };
        (0..count).map(of).collect()
    };
    let (published, left) = (address(family, 1), address(family, 2));
    let by_port = ["-p", "udp", "--orig-port-dst", "53"];
    let by_address = [&by_port[..], &["--orig-dst", &published]].concat();
    let by_reply = ["--reply-src", &left];
    let rows: [Row<'_>; 5] = [
        ("address and port", &[exact], Some(&by_address)),
        ("port", &[to_port], Some(&by_port)),
        ("who answers", &[replies], Some(&by_reply)),
        ("who answers, who asks", &both, None),
        ("1,000 ports", &ports(1_000), None),
    ];
    for (name, meant, options) in rows {
        let ours = median(kernel, family, || {
            kernel.forget_flows(meant).expect("forgotten");
        });
        let peer = options.map(|options| {
            let flag = if family == Family::V4 { "ipv4" } else { "ipv6" };
            let all = [&["-D", "-f", flag], options].concat();
            median(kernel, family, || {
                conntrack(kernel.namespace(), &all, "").expect("conntrack");
            })
        });
        let peer = peer.map_or_else(String::new, |time| format!("{:8.2}", ms(time)));
        println!(
            "{size:6}  {family:?}      {name:22} {:8.2} {peer}",
            ms(ours)
        );
    }
}

fn median(kernel: &Kernel, family: Family, mut act: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = Vec::new();
    let before = tracked(kernel.namespace());
    for _ in 0..ROUNDS {
        conntrack(kernel.namespace(), &["-R", "-"], &the_one(family)).expect("conntrack");
        let begin = Instant::now();
        act();
        times.push(begin.elapsed());
        assert_eq!(tracked(kernel.namespace()), before, "it went, and no other");
    }
    times.sort();
    times[ROUNDS / 2]
}

fn tracked(netns: &Netns) -> String {
    let path = "/proc/sys/net/netfilter/nf_conntrack_count";
    let read = || std::fs::read_to_string(path).expect("how many there are");
    netns.run(read).expect("inside")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn address(family: Family, number: u32) -> String {
    let (high, low) = (number >> 8 & 0xff, number & 0xff);
    match family {
        Family::V4 => format!("10.{}.{high}.{low}", number >> 16),
        Family::V6 => format!("fd00::{:x}:{:x}", number >> 16, number & 0xffff),
    }
}

fn the_one(family: Family) -> String {
    let [asks, asked, answers] = [3, 1, 2].map(|number| address(family, number));
    format!(
        "-I -t 600 -p udp -s {asks} -d {asked} --sport 4000 --dport 53 -r {answers} -q {asks} \
         --reply-port-src 53 --reply-port-dst 4000\n"
    )
}

fn other(family: Family, number: u32) -> String {
    let (from, to) = (address(family, 0x10000 + number), address(family, 4));
    format!(
        "-I -t 6000 -p udp -s {from} -d {to} --sport 4000 --dport 443 -r {to} -q {from} \
         --reply-port-src 443 --reply-port-dst 4000\n"
    )
}

fn conntrack(netns: &Netns, options: &[&str], input: &str) -> std::io::Result<()> {
    let mut command = Command::new("conntrack");
    command.args(options).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = netns.run(|| command.spawn()).expect("inside")?;
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "conntrack {options:?}: {errors}");
    Ok(())
}

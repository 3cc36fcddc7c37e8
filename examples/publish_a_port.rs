//! A web server in a container, published by a port of the host's, and answered from the host and
//! from a neighbour of it. Run it as you are: it makes a private machine first.
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bridgework::kernel::Netns;
use bridgework::{
    Container, EndpointConfig, Host, HostConfig, NetworkConfig, VethConfig, VethPair, sandbox,
};

const ANSWERS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    sandbox::enter()?;
    let (machine, neighbour) = (Netns::create()?, Netns::create()?);
    let lan = wire_up(&machine, &neighbour)?;

    let host = Host::open_with(HostConfig::new().netns(machine.clone()))?;
    let network = host.create_network(NetworkConfig::bridge("web"))?;
    let web = Container::isolated("web")?;
    let endpoint = network.connect_with(&web, EndpointConfig::new().publish("8080:80"))?;
    for port in endpoint.published() {
        println!("{port}");
    }

    let listener = web.run(|| TcpListener::bind("0.0.0.0:80"))??;
    let server = thread::spawn(move || (0..ANSWERS).try_for_each(|_| answer(&listener)));
    let ask = |whence: &str, netns: &Netns, host: &str| -> Result<(), Box<dyn std::error::Error>> {
        let page = netns.run(|| get(host))??;
        println!("{whence} asks {host}: {page}");
        Ok(())
    };
    ask("the host", &machine, "127.0.0.1:8080")?;
    ask("the host", &machine, "[::1]:8080")?;
    ask("the host", &machine, "192.0.2.1:8080")?;
    ask("a neighbour", &neighbour, "192.0.2.1:8080")?;
    ask("the container itself", web.netns(), "192.0.2.1:8080")?;
    server.join().expect("the server does not panic")?;

    endpoint.unpublish("8080:80")?;
    let refused = neighbour.run(|| get("192.0.2.1:8080"))?;
    println!("unpublished: {}", refused.expect_err("nobody is there"));

    endpoint.disconnect()?;
    network.remove()?;
    drop((host, lan));
    Ok(())
}

/// A neighbour on a wire of its own.
fn wire_up(machine: &Netns, neighbour: &Netns) -> Result<VethPair, Box<dyn std::error::Error>> {
    let config = VethConfig::new();
    let lan = VethPair::create((machine, "lan0"), (neighbour, "eth0"), config)?;
    lan.near().add_address("192.0.2.1/24".parse()?)?;
    lan.far().add_address("192.0.2.2/24".parse()?)?;
    lan.near().set_up()?;
    lan.far().set_up()?;
    machine.run(|| bridgework::Device::open(&Netns::current()?, "lo")?.set_up())??;
    Ok(lan)
}

fn answer(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, client) = listener.accept()?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let page = format!("hello, {}", client.ip());
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}

fn get(host: &str) -> io::Result<String> {
    let address: SocketAddr = host.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let page = answer
        .split_once("\r\n\r\n")
        .map(|(_, page)| page.to_owned());
    page.ok_or_else(|| io::Error::other("no page"))
}

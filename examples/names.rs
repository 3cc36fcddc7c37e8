//! Who resolves what: three containers on two networks, by names and aliases, asked as programs in
//! them ask, of the name server at 127.0.0.11, and as this program may ask, in memory. Run it as you
//! are: it makes a private machine first.
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use bridgework::resolver::Answer;
use bridgework::{Container, EndpointConfig, Family, Host, NetworkConfig, sandbox};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What is asked for, and by what name of its network the container is meant that is found.
const NAMES: [&str; 6] = ["web", "api", "db", "sql", "db.back", "web.front"];

/// `web` is on `front`, `db` on `back`, and `api` on both. Internal networks ask nobody outside.
const EXPECTED: &str = "\
web asks for   web: web   api: api@front   db: -    sql: -    db.back: -    web.front: web
api asks for   web: web   api: api@front   db: db   sql: db   db.back: db   web.front: web
db  asks for   web: -     api: api@back    db: db   sql: db   db.back: db   web.front: -
";

fn main() -> Outcome {
    sandbox::enter()?;
    let host = Host::isolated()?;
    let before = host.snapshot()?;
    let front = host.create_network(NetworkConfig::bridge("front").internal())?;
    let back = host.create_network(NetworkConfig::bridge("back").internal())?;
    let [web, api, db] = ["web", "api", "db"].map(Container::isolated);
    let (web, api, db) = (web?, api?, db?);
    let at_web = front.connect(&web)?;
    let at_front = front.connect(&api)?;
    let at_back = back.connect(&api)?;
    let at_db = back.connect_with(&db, EndpointConfig::new().alias("sql"))?;

    let who = |address: IpAddr| {
        let known = [
            (at_web.ip(), "web"),
            (at_front.ip(), "api@front"),
            (at_back.ip(), "api@back"),
            (at_db.ip(), "db"),
        ];
        let found = known.into_iter().find(|(ip, _)| *ip == address);
        found.map_or("a stranger", |(_, name)| name)
    };
    let mut table = String::new();
    for container in [&web, &api, &db] {
        let mut line = format!("{:<3} asks for", container.name().as_str());
        for (name, width) in NAMES.into_iter().zip([8, 14, 6, 7, 11, 14]) {
            let served = by_server(container, name)?;
            let known = in_memory(&host, container, name);
            assert_eq!(served, known, "{name} for {}", container.name());
            let cell = format!("{name}: {}", served.map_or("-", who));
            line.push_str(&format!("   {cell:<width$}"));
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    print!("{table}");
    assert_eq!(table, EXPECTED);

    at_db.disconnect()?;
    assert_eq!(
        by_server(&api, "sql")?,
        None,
        "a name goes with its endpoint"
    );
    println!("db has left: api asks for sql in vain");

    for endpoint in [at_web, at_front, at_back] {
        endpoint.disconnect()?;
    }
    for network in [front, back] {
        network.remove()?;
    }
    assert_eq!(host.snapshot()?, before, "nothing is left");
    Ok(())
}

/// What the container's view has, without any server.
fn in_memory(host: &Host, container: &Container, name: &str) -> Option<IpAddr> {
    match host.view(container).lookup(name, Family::V4) {
        Answer::Addresses(found) => found.first().copied(),
        _ => None,
    }
}

/// One question from inside the container, by bytes of our own: the address of the first answer.
fn by_server(container: &Container, name: &str) -> Outcome<Option<IpAddr>> {
    let socket = container.run(|| UdpSocket::bind("127.0.0.1:0"))??;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.connect("127.0.0.11:53")?;
    // rfc1035 §4.1: id, a wish for recursion, one question; a name, type A, class IN
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len())?);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    socket.send(&query)?;
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply)?;
    let (header, records) = reply[..length].split_at_checked(query.len()).ok_or("cut")?;
    assert_eq!(header[..2], query[..2], "our id");
    if header[7] == 0 {
        return Ok(None);
    }
    // the name is a pointer to the question: type, class, time to live and length are 10 bytes
    let address: [u8; 4] = records.get(12..16).ok_or("no address")?.try_into()?;
    Ok(Some(Ipv4Addr::from(address).into()))
}

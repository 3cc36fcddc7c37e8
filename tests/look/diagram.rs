//! Networks drawn.

use bridgework::NetworkId;
use bridgework::inspect::{NetworkInspect, to_mermaid};
use bridgework::plan::Switch;

use crate::specs::{endpoint, network};

#[test]
fn a_container_on_two_networks_stands_there_once_and_only_one_of_them_leads_out() {
    let web = network("web", NetworkId::from_bytes([0xab; 32]));
    let mut db = network("db", NetworkId::from_bytes([0xcd; 32]));
    (db.internal, db.ipv6) = (Switch::On, None);
    let mut inside = endpoint(&db, "app", 3);
    inside.ipv6 = None;
    let shown = [
        NetworkInspect::of(&web, &[endpoint(&web, "app", 3), endpoint(&web, "lb", 2)]),
        NetworkInspect::of(&db, &[inside]),
    ];
    let expected = "\
flowchart LR
  nabababababab[\"web<br/>bridge<br/>172.22.0.0/16<br/>fd22::/64\"]
  c020202020202([\"lb\"])
  c020202020202 ---|\"172.22.0.2<br/>fd22::2\"| nabababababab
  c030303030303([\"app\"])
  c030303030303 ---|\"172.22.0.3<br/>fd22::3\"| nabababababab
  nabababababab --- outside((\"outside\"))
  ncdcdcdcdcdcd[\"db<br/>bridge<br/>172.22.0.0/16<br/>internal\"]
  c030303030303 ---|\"172.22.0.3\"| ncdcdcdcdcdcd
";
    assert_eq!(to_mermaid(&shown), expected);
    assert!(shown[0].to_mermaid().contains("lb"));
}

#[test]
fn a_drivers_name_is_text_whatever_is_in_it() {
    let mut web = network("web", NetworkId::from_bytes([0xab; 32]));
    web.driver = "a\"]\nclick <b>".to_owned();
    let drawn = NetworkInspect::of(&web, []).to_mermaid();
    let label = drawn.lines().nth(1).unwrap();
    assert!(label.contains("a#34;] click #60;b#62;<br/>"), "{label}");
}

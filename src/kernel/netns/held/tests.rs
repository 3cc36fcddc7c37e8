//! Who has a namespace open, of processes that a made-up `/proc` tells of.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use super::Search;
use crate::kernel::Netns;

/// One that ends while it is looked at still says in which mount namespace it is, and no more of that.
#[test]
fn mounts_that_could_not_be_read_of_one_process_are_read_of_the_next() {
    let name = format!("bridgework-held-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let namespace = Netns::current().unwrap().identity();
    let [ending, living] = ["1", "2"].map(|process| folder.join(process));
    for process in [&ending, &living] {
        fs::create_dir_all(process.join("ns")).unwrap();
        symlink("mnt:[4026531832]", process.join("ns/mnt")).unwrap();
    }
    let mount = format!(
        "30 2 0:4 net:[{}] /run/netns/a rw - nsfs nsfs rw\n",
        namespace.inode()
    );
    fs::write(living.join("mountinfo"), mount).unwrap();
    let mut search = Search::new(&BTreeSet::from([namespace]));
    search.look_at(&ending);
    search.look_at(&living);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(search.found, BTreeSet::from([namespace]));
}

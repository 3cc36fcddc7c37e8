//! Files that are ours as a whole: written, rewritten, taken back, and left to their user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::errno::Errno as Code;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::super::{FileOrigin, MAX_BYTES, create_file, remove_file, write_file};
use super::{CANARY, Scratch, read};
use crate::errno::Errno;
use crate::plan::{ContainerFile, FileWrite, RootFile};

fn resolv_in(root: &Path) -> ContainerFile {
    ContainerFile::InRoot {
        root: root.to_owned(),
        file: RootFile::ResolvConf,
    }
}

fn whole(file: &ContainerFile, text: &str, former: &str) -> FileWrite {
    FileWrite {
        file: file.clone(),
        text: text.to_owned(),
        former: former.to_owned(),
    }
}

const OLD: &str = "nameserver 10.0.0.1\nsearch a\n";
const NEW: &str = "nameserver 127.0.0.11\n";

#[test]
fn a_whole_text_is_written_and_rewritten_into_the_same_file_and_taken_back() {
    let scratch = Scratch::new();
    let root = scratch.root("");
    let (file, path) = (resolv_in(&root), root.join("etc/resolv.conf"));
    let (first, second) = (whole(&file, OLD, ""), whole(&file, NEW, OLD));
    write_file(&first).unwrap();
    assert_eq!(read(&path), OLD);
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(stat.permissions().mode() & 0o7777, 0o644);
    for _ in 0..2 {
        write_file(&second).unwrap();
        assert_eq!(read(&path), NEW);
    }
    for _ in 0..2 {
        write_file(&second.inverse()).unwrap();
        assert_eq!(read(&path), OLD);
    }
    for _ in 0..2 {
        write_file(&first.inverse()).unwrap();
        assert_eq!(read(&path), "");
    }
    assert_eq!(fs::metadata(&path).unwrap().ino(), stat.ino());
    assert_eq!(read(&root.join("etc/hosts")), "");
}

#[test]
fn a_whole_text_takes_the_place_of_an_empty_one() {
    let scratch = Scratch::new();
    let path = scratch.path("resolv.conf");
    fs::write(&path, "").unwrap();
    let file = ContainerFile::At(path.clone());
    write_file(&whole(&file, NEW, OLD)).unwrap();
    assert_eq!(read(&path), NEW);
}

#[test]
fn what_its_user_wrote_into_a_file_of_ours_stays_and_so_it_does_when_we_take_back() {
    let scratch = Scratch::new();
    let path = scratch.path("resolv.conf");
    let file = ContainerFile::At(path.clone());
    for edited in [
        "nameserver 192.0.2.1\n",
        "nameserver 10.0.0.1\nsearch a",
        "nameserver 10.0.0.1\nsearch a\n\n",
        "\n",
        &"x".repeat(MAX_BYTES + 1),
    ] {
        write_file(&whole(&file, OLD, "")).unwrap();
        fs::write(&path, edited).unwrap();
        for write in [whole(&file, NEW, OLD), whole(&file, OLD, "")] {
            write_file(&write).unwrap();
            assert_eq!(read(&path), edited);
            write_file(&write.inverse()).unwrap();
            assert_eq!(read(&path), edited);
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn where_nothing_is_to_be_written_no_file_is_made() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing");
    for file in [
        ContainerFile::At(missing.clone()),
        ContainerFile::At(missing.join("resolv.conf")),
        resolv_in(&missing),
        resolv_in(&scratch.0),
    ] {
        assert_eq!(write_file(&whole(&file, "", OLD)), Ok(()), "{file:?}");
    }
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    let file = resolv_in(&missing);
    assert_eq!(write_file(&whole(&file, NEW, "")), Err(Errno::ENOENT));
}

#[test]
fn what_is_no_file_is_its_users_and_nothing_goes_through_it() {
    let scratch = Scratch::new();
    let outside = scratch.canary();
    let target = outside.join("hosts");
    let root = scratch.root("");
    let etc = root.join("etc");
    let resolv = etc.join("resolv.conf");
    let file = resolv_in(&root);
    for (text, former) in [(NEW, CANARY), ("", CANARY)] {
        let write = || write_file(&whole(&file, text, former));
        for link_target in [
            &target,
            Path::new("../../outside/hosts"),
            Path::new("hosts"),
            Path::new("nowhere"),
        ] {
            symlink(link_target, &resolv).unwrap();
            assert_eq!(write(), Ok(()), "{link_target:?}");
            assert_eq!(fs::read_link(&resolv).unwrap(), link_target);
            fs::remove_file(&resolv).unwrap();
        }
        fs::create_dir(&resolv).unwrap();
        assert_eq!(write(), Ok(()));
        fs::remove_dir(&resolv).unwrap();
        mkfifo(&resolv, Mode::S_IRWXU).unwrap();
        assert_eq!(write(), Ok(()));
        fs::remove_file(&resolv).unwrap();
        fs::rename(&etc, root.join("former")).unwrap();
        symlink(&outside, &etc).unwrap();
        assert_eq!(write(), Ok(()));
        fs::remove_file(&etc).unwrap();
        fs::rename(root.join("former"), &etc).unwrap();
    }
    assert_eq!(read(&target), CANARY);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&etc).unwrap().count(), 1);
    assert_eq!(read(&root.join("etc/hosts")), "");
}

#[test]
fn a_whole_text_that_is_too_long_leaves_no_file() {
    let scratch = Scratch::new();
    let path = scratch.path("resolv.conf");
    let file = ContainerFile::At(path.clone());
    let done = write_file(&whole(&file, &"x".repeat(MAX_BYTES + 1), ""));
    assert_eq!(done, Err(Code::EFBIG.into()));
    assert!(!path.exists());
}

#[test]
fn a_resolv_conf_is_made_and_removed_as_it_came() {
    let scratch = Scratch::new();
    let root = scratch.root("");
    let file = resolv_in(&root);
    let origin = create_file(&file, OLD).unwrap();
    assert_eq!(origin, FileOrigin::Created);
    write_file(&whole(&file, NEW, OLD)).unwrap();
    remove_file(&file, NEW, origin).unwrap();
    assert!(!root.join("etc/resolv.conf").exists());
}

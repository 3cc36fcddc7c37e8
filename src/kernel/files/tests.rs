//! On real files in a directory of their own; no privilege, no namespace.

mod whole;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno as Code;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};
use nix::sys::stat::{Mode, umask};
use nix::unistd::mkfifo;

use super::place::Place;
use super::{FileOrigin, MAX_BYTES, create_file, edit_hosts, remove_file, write};
use crate::errno::Errno;
use crate::plan::{HostsEdit, HostsFile, Step};
use crate::resolver::{Loopback, base_text};

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bridgework-files-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A container's root with `etc/hosts`.
    fn root(&self, text: &str) -> PathBuf {
        let root = self.path("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/hosts"), text).unwrap();
        root
    }

    /// A directory outside of any root, with a file `hosts` that nobody may touch.
    fn canary(&self) -> PathBuf {
        let outside = self.path("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("hosts"), CANARY).unwrap();
        outside
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const CANARY: &str = "untouched\n";

fn request(file: HostsFile, remove: &[&str], add: &[&str]) -> HostsEdit {
    let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
    HostsEdit {
        file,
        remove: owned(remove),
        add: owned(add),
    }
}

fn at(path: &Path) -> HostsFile {
    HostsFile::At(path.to_owned())
}

fn in_root(path: &Path) -> HostsFile {
    HostsFile::InRoot(path.to_owned())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn edits_of(file: HostsFile) -> [Result<(), Errno>; 2] {
    [
        edit_hosts(&request(file.clone(), &[], &["10.0.0.2\tweb"])),
        edit_hosts(&request(file, &["untouched"], &[])),
    ]
}

#[test]
fn lines_come_and_go_and_the_inverse_step_gives_back_every_byte() {
    let scratch = Scratch::new();
    let root = scratch.root("127.0.0.1\tlocalhost\r\n# no line end");
    let hosts = root.join("etc/hosts");
    let edit = request(in_root(&root), &[], &["10.0.0.2\tweb", "fd00::2\tweb"]);
    edit_hosts(&edit).unwrap();
    assert_eq!(
        read(&hosts),
        "127.0.0.1\tlocalhost\r\n# no line end\n10.0.0.2\tweb\nfd00::2\tweb"
    );
    let Some(Step::EditHosts(inverse)) = Step::EditHosts(edit).inverse() else {
        panic!("an edit of a hosts file is undone by another");
    };
    edit_hosts(&inverse).unwrap();
    assert_eq!(read(&hosts), "127.0.0.1\tlocalhost\r\n# no line end");
    edit_hosts(&inverse).unwrap();
    assert_eq!(read(&hosts), "127.0.0.1\tlocalhost\r\n# no line end");
}

#[test]
fn the_file_stays_the_same_inode() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    fs::write(&path, "a\nb\nc\n").unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    edit_hosts(&request(at(&path), &[], &["d"])).unwrap();
    edit_hosts(&request(at(&path), &["b"], &[])).unwrap();
    edit_hosts(&request(at(&path), &["d"], &[])).unwrap();
    edit_hosts(&request(at(&path), &["a"], &["longer than before"])).unwrap();
    assert_eq!(read(&path), "c\nlonger than before\n");
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn a_missing_file_is_made_for_lines_that_come_but_no_directory_is() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    let mask = umask(Mode::from_bits_truncate(0o077));
    edit_hosts(&request(at(&path), &[], &["10.0.0.2\tweb"])).unwrap();
    umask(mask);
    assert_eq!(read(&path), "10.0.0.2\tweb\n");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o644
    );

    let root = scratch.path("root");
    fs::create_dir(&root).unwrap();
    let edit = request(in_root(&root), &[], &["10.0.0.2\tweb"]);
    assert_eq!(edit_hosts(&edit), Err(Errno::ENOENT));
    assert!(!root.join("etc").exists());
    fs::create_dir(root.join("etc")).unwrap();
    edit_hosts(&edit).unwrap();
    assert_eq!(read(&root.join("etc/hosts")), "10.0.0.2\tweb\n");
}

#[test]
fn what_is_not_there_needs_no_removing() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing");
    for file in [
        at(&missing),
        at(&missing.join("hosts")),
        in_root(&missing),
        in_root(&scratch.0),
    ] {
        assert_eq!(
            edit_hosts(&request(file, &["10.0.0.2\tweb"], &[])),
            Ok(()),
            "{missing:?}"
        );
    }
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
}

#[test]
fn a_symbolic_link_is_refused_and_its_target_untouched() {
    let scratch = Scratch::new();
    let outside = scratch.canary();
    let target = outside.join("hosts");
    let root = scratch.root("");
    let hosts = root.join("etc/hosts");
    let eloop: Errno = Code::ELOOP.into();

    for link_target in [
        &target,
        Path::new("../../outside/hosts"),
        &outside.join("no"),
    ] {
        fs::remove_file(&hosts).unwrap();
        symlink(link_target, &hosts).unwrap();
        assert_eq!(edits_of(in_root(&root)), [Err(eloop); 2], "{link_target:?}");
        assert_eq!(edits_of(at(&hosts)), [Err(eloop); 2], "{link_target:?}");
    }
    fs::remove_dir_all(root.join("etc")).unwrap();
    for link_target in [&outside, Path::new("../outside"), Path::new("/outside")] {
        symlink(link_target, root.join("etc")).unwrap();
        assert_eq!(edits_of(in_root(&root)), [Err(eloop); 2], "{link_target:?}");
        fs::remove_file(root.join("etc")).unwrap();
    }
    assert_eq!(read(&target), CANARY);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_link_that_is_swapped_in_all_the_time_never_leads_outside() {
    for (decoy_of, target) in [("etc", ""), ("etc/hosts", "hosts")] {
        let scratch = Scratch::new();
        let outside = scratch.canary();
        let root = scratch.root("127.0.0.1\tlocalhost\n");
        let (real, link) = (root.join(decoy_of), root.join("decoy"));
        symlink(outside.join(target), &link).unwrap();
        let done = AtomicBool::new(false);
        let swap = || {
            renameat2(
                AT_FDCWD,
                &real,
                AT_FDCWD,
                &link,
                RenameFlags::RENAME_EXCHANGE,
            )
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    swap().unwrap();
                }
            });
            let (mut edits, mut through) = (0, 0);
            while edits < 2_000 || (edits < 1_000_000 && (through == 0 || through == edits)) {
                for result in edits_of(in_root(&root)) {
                    edits += 1;
                    through += u32::from(result.is_ok());
                }
            }
            done.store(true, Ordering::Relaxed);
            assert!(through < edits, "the link was never met");
        });
        assert_eq!(read(&outside.join("hosts")), CANARY);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}

#[test]
fn only_a_regular_file_is_opened() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    fs::create_dir(&path).unwrap();
    assert_eq!(edits_of(at(&path)), [Err(Code::EISDIR.into()); 2]);
    fs::remove_dir(&path).unwrap();
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    assert_eq!(edits_of(at(&path)), [Err(Errno::EINVAL); 2]);
    assert_eq!(edits_of(at(Path::new("/"))), [Err(Errno::EINVAL); 2]);
}

#[test]
fn a_file_never_grows_beyond_what_is_read() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    let efbig = Err(Code::EFBIG.into());
    fs::write(&path, "x".repeat(MAX_BYTES - 2)).unwrap();
    assert_eq!(edit_hosts(&request(at(&path), &[], &["ab"])), efbig);
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_BYTES as u64 - 2);
    edit_hosts(&request(at(&path), &[], &["a"])).unwrap();
    edit_hosts(&request(at(&path), &["a"], &[])).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_BYTES as u64 - 2);
    fs::write(&path, format!("a\n{}", "x".repeat(MAX_BYTES + 1))).unwrap();
    assert_eq!(edit_hosts(&request(at(&path), &["a"], &[])), efbig);
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_BYTES as u64 + 3);
}

#[test]
fn what_is_not_one_line_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    for bad in ["", "10.0.0.2\tweb\n10.0.0.3\tbank"] {
        let edit = request(at(&path), &[], &["10.0.0.2\tweb", bad]);
        assert_eq!(edit_hosts(&edit), Err(Errno::EINVAL));
        let edit = request(at(&path), &[bad], &[]);
        assert_eq!(edit_hosts(&edit), Err(Errno::EINVAL));
    }
    assert!(!path.exists());
}

#[test]
fn a_file_that_another_keeps_locked_is_busy() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    fs::write(&path, "").unwrap();
    let other = fs::File::open(&path).unwrap();
    let held = Flock::lock(other, FlockArg::LockShared).unwrap();
    let place = Place::of(&at(&path).into()).unwrap();
    let opened = place.make_locked(Duration::ZERO);
    assert_eq!(opened.map(drop), Err(Code::EBUSY));
    drop(held);
    assert!(place.make_locked(Duration::ZERO).is_ok());
}

#[test]
fn what_others_append_while_we_edit_is_kept() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    fs::write(&path, "a\n").unwrap();
    let place = Place::of(&at(&path).into()).unwrap();
    let opened = place.make_locked(Duration::ZERO);
    let opened = opened.unwrap();
    let mut other = fs::OpenOptions::new().append(true).open(&path).unwrap();
    other.write_all(b"theirs\n").unwrap();
    write(&opened.file, b"a\n", b"a\nours\n").unwrap();
    assert_eq!(read(&path), "a\ntheirs\nours\n");
}

#[test]
fn concurrent_editors_lose_nothing() {
    const EDITORS: usize = 8;
    const LINES: usize = 100;
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    let line = |editor, number| format!("10.{editor}.0.{number}\tname-{editor}-{number}");
    thread::scope(|scope| {
        for editor in 0..EDITORS {
            let path = &path;
            scope.spawn(move || {
                for number in 0..LINES {
                    let line = line(editor, number);
                    edit_hosts(&request(at(path), &[], &[&line])).unwrap();
                    if number % 2 == 1 {
                        edit_hosts(&request(at(path), &[&line], &[])).unwrap();
                    }
                }
            });
        }
    });
    let mut expected: Vec<String> = (0..EDITORS)
        .flat_map(|editor| {
            (0..LINES)
                .step_by(2)
                .map(move |number| line(editor, number))
        })
        .collect();
    let mut found: Vec<String> = read(&path).lines().map(str::to_owned).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_reader_never_misses_the_lines_that_stay() {
    let scratch = Scratch::new();
    let base = base_text(Loopback::Dual, &[]);
    let root = scratch.root(&base);
    let hosts = root.join("etc/hosts");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..500 {
                let (first, second) = (format!("10.0.0.2\tn{number}"), "10.0.0.3\tlonger-name");
                for (remove, add) in [
                    (vec![], vec![first.as_str()]),
                    (vec![], vec![second]),
                    (vec![first.as_str()], vec![]),
                    (vec![second], vec![]),
                ] {
                    edit_hosts(&request(in_root(&root), &remove, &add)).unwrap();
                }
            }
        });
        loop {
            let last = writer.is_finished();
            let text = read(&hosts);
            assert!(text.starts_with(&base), "{text:?}");
            if last {
                break;
            }
        }
    });
    assert_eq!(read(&hosts), base);
}

#[test]
fn the_base_text_is_written_once_and_taken_back_as_it_came() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    let base = base_text(Loopback::V4, &[]);

    assert_eq!(create_file(&at(&path), &base), Ok(FileOrigin::Created));
    assert_eq!(read(&path), base);
    assert_eq!(create_file(&at(&path), &base), Ok(FileOrigin::Found));
    remove_file(&at(&path), &base, FileOrigin::Found).unwrap();
    assert_eq!(read(&path), base);
    remove_file(&at(&path), &base, FileOrigin::Created).unwrap();
    assert!(!path.exists());
    remove_file(&at(&path), &base, FileOrigin::Created).unwrap();

    fs::write(&path, "").unwrap();
    assert_eq!(create_file(&at(&path), &base), Ok(FileOrigin::Filled));
    remove_file(&at(&path), &base, FileOrigin::Filled).unwrap();
    assert_eq!(read(&path), "");
}

#[test]
fn a_base_text_that_somebody_changed_stays() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    let base = base_text(Loopback::V4, &[]);
    create_file(&at(&path), &base).unwrap();
    edit_hosts(&request(at(&path), &[], &["192.0.2.1\tmine"])).unwrap();
    remove_file(&at(&path), &base, FileOrigin::Created).unwrap();
    assert_eq!(read(&path), format!("{base}192.0.2.1\tmine\n"));
}

#[test]
fn a_file_that_was_replaced_while_we_waited_is_left_for_its_successor() {
    let scratch = Scratch::new();
    let path = scratch.path("hosts");
    fs::write(&path, "old\n").unwrap();
    let place = Place::of(&at(&path).into()).unwrap();
    let opened = place.open().unwrap().unwrap();
    fs::write(scratch.path("new"), "new\n").unwrap();
    fs::rename(scratch.path("new"), &path).unwrap();
    assert!(
        place
            .lock(opened, super::Presence::Found, Duration::ZERO)
            .unwrap()
            .is_none()
    );
}

//! Files that are written as a whole: each step fails in each way, and what anybody had in them is
//! there again.

use std::fs;
use std::path::{Path, PathBuf};

use bridgework::kernel::Kernel;
use bridgework::plan::{ContainerFile, FileWrite, Plan, RootFile, Step};
use bridgework::{Errno, FaultInjector, Netns};

use crate::point::points;

const OLD: &str = "nameserver 10.0.0.1\n";
const NEW: &str = "nameserver 127.0.0.11\n";
const THEIRS: &str = "# mine\nnameserver 192.0.2.1\n";

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new("/run").join(format!("bridgework-files-{name}"));
        fs::create_dir_all(path.join("etc")).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn write(file: ContainerFile, text: &str, former: &str) -> Step {
    let [text, former] = [text, former].map(str::to_owned);
    Step::WriteFile(FileWrite { file, text, former })
}

fn resolv_conf(root: &Path) -> ContainerFile {
    ContainerFile::InRoot {
        root: root.to_owned(),
        file: RootFile::ResolvConf,
    }
}

#[test]
fn writing_files_is_all_or_nothing() {
    let scratch = Scratch::new("all");
    let injector = FaultInjector::new();
    let kernel = Kernel::with_injector(Netns::create().unwrap(), injector.clone()).unwrap();
    let [ours, theirs] = [
        resolv_conf(&scratch.0),
        ContainerFile::At(scratch.0.join("x")),
    ];
    let read = || [&ours, &theirs].map(|file| fs::read_to_string(file.path()).unwrap());
    let plan = Plan::from_iter([
        write(ours.clone(), NEW, OLD),
        write(theirs.clone(), NEW, OLD),
        write(ours.clone(), OLD, NEW),
    ]);
    fs::write(ours.path(), OLD).unwrap();
    fs::write(theirs.path(), THEIRS).unwrap();
    for point in points(plan.steps().len()) {
        let line = plan.to_string();
        let line = line.lines().nth(point.call - 1).unwrap();
        point.arm(&injector);
        point.check(&kernel.apply(&plan, None).unwrap_err(), line);
        assert_eq!(read(), [OLD, THEIRS], "{point}");
    }
    kernel.apply(&plan, None).unwrap();
    assert_eq!(read(), [OLD, THEIRS]);
    let first = Plan::from_iter([plan.steps()[0].clone()]);
    kernel.apply(&first, None).unwrap();
    assert_eq!(read(), [NEW, THEIRS]);
    kernel.take_back(&first.undo(1), None).unwrap();
    assert_eq!(read(), [OLD, THEIRS]);
}

#[test]
fn a_file_whose_directory_is_gone_needs_no_taking_back() {
    let scratch = Scratch::new("gone");
    let kernel = Kernel::new(Netns::create().unwrap()).unwrap();
    let plan = Plan::from_iter([write(resolv_conf(&scratch.0), NEW, OLD)]);
    kernel.apply(&plan, None).unwrap();
    fs::remove_dir_all(scratch.0.join("etc")).unwrap();
    kernel.take_back(&plan.undo(1), None).unwrap();
    let error = kernel.apply(&plan, None).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ENOENT), "{error}");
}

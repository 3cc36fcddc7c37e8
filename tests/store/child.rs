//! This test binary once more, as another process: it does one part, and says what it has done.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};

const PART: &str = "BRIDGEWORK_STORE_PART";
const DIRECTORY: &str = "BRIDGEWORK_STORE_DIRECTORY";
const NUMBER: &str = "BRIDGEWORK_STORE_NUMBER";
/// What a line of ours begins with; the test harness prints others.
const MARK: &str = "said ";

/// A process that does a part, and is killed when this is dropped.
pub struct Other {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// What a process has to do: which part, in which directory, and which one of its kind it is.
pub struct Part {
    pub name: String,
    pub directory: PathBuf,
    pub number: u32,
}

/// The process; `test` is the test that does the part where it is in the environment.
pub fn command(test: &str, part: &str, directory: &Path, number: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(DIRECTORY, directory)
        .env(NUMBER, number.to_string());
    command
}

impl Other {
    /// Starts the process of that [`command`].
    pub fn start(test: &str, part: &str, directory: &Path, number: u32) -> Self {
        let mut child = command(test, part, directory, number)
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let said = child.stdout.take().expect("its words");
        // it can't be far ahead of who listens
        fcntl(&said, FcntlArg::F_SETPIPE_SZ(4096)).expect("a small pipe");
        let lines = BufReader::with_capacity(256, said);
        Self { child, lines }
    }

    /// What it says next; `None` if it has ended.
    pub fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).expect("its words") == 0 {
                return None;
            }
            if let Some((_, said)) = line.split_once(MARK) {
                // a line that was cut short by its death was not said
                return said.strip_suffix('\n').map(str::to_owned);
            }
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// All that it says until it ends well.
    pub fn finish(mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.hear() {
            said.push(line);
        }
        let status = self.child.wait().expect("its end");
        assert!(status.success(), "{status}");
        said
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

impl Part {
    /// What this process has to do, if it is such a one.
    pub fn of_this_process() -> Option<Self> {
        let name = std::env::var(PART).ok()?;
        let directory = std::env::var_os(DIRECTORY)?.into();
        let number = std::env::var(NUMBER).ok()?.parse().ok()?;
        Some(Self {
            name,
            directory,
            number,
        })
    }

    /// Says a line to the process that has started this one, all at once.
    pub fn say(&self, line: &str) {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        out.write_all(format!("{MARK}{line}\n").as_bytes())
            .and_then(|()| out.flush())
            .expect("it is heard");
    }
}

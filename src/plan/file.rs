//! A container's file that is ours as a whole, until its user writes to it. Plain values; `kernel`
//! opens the file.

use std::path::PathBuf;

/// Where a file of a container's is.
///
/// ```
/// use bridgework::plan::{ContainerFile, RootFile};
///
/// let root = "/srv/web".into();
/// let file = ContainerFile::InRoot { root, file: RootFile::ResolvConf };
/// assert_eq!(file.path(), std::path::Path::new("/srv/web/etc/resolv.conf"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ContainerFile {
    /// A path of the host's, written in place since a container may have it bind-mounted. No
    /// symbolic link is followed at its last component.
    At(PathBuf),
    /// A file below a container's root directory. No symbolic link is followed anywhere below it,
    /// and nothing outside is reached.
    InRoot {
        /// The root directory.
        root: PathBuf,
        /// The file.
        file: RootFile,
    },
}

/// Which file below a container's root directory.
///
/// ```
/// use bridgework::plan::RootFile;
///
/// let names = [RootFile::Hosts, RootFile::ResolvConf].map(RootFile::name);
/// assert_eq!(names, ["hosts", "resolv.conf"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum RootFile {
    /// `etc/hosts`.
    Hosts,
    /// `etc/resolv.conf`.
    ResolvConf,
}

impl ContainerFile {
    /// The path by which the host sees it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::At(path) => path.clone(),
            Self::InRoot { root, file } => root.join("etc").join(file.name()),
        }
    }
}

/// What there was where a file of ours was made, and so what has to be left there.
///
/// ```
/// use bridgework::plan::FileOrigin;
///
/// // what is left when a file of ours is taken back
/// let is_removed = |origin| origin == FileOrigin::Created;
/// assert!(is_removed(FileOrigin::Created));
/// assert!(!is_removed(FileOrigin::Filled)); // emptied, as it was
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FileOrigin {
    /// There was no file.
    Created,
    /// The file was empty.
    Filled,
    /// The file had a text, which was left alone.
    Found,
}

impl RootFile {
    /// Its name in `etc`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::ResolvConf => "resolv.conf",
        }
    }
}

impl From<HostsFile> for ContainerFile {
    fn from(file: HostsFile) -> Self {
        match file {
            HostsFile::At(path) => Self::At(path),
            HostsFile::InRoot(root) => Self::InRoot {
                root,
                file: RootFile::Hosts,
            },
        }
    }
}

/// A file's text, all of it, unless its user wrote another one.
///
/// The file is written if it is not there, is empty, or says exactly what we had written before.
/// If it says anything else, that is left alone, and the step is done; so is whatever is there that
/// is no regular file, a symbolic link say. It stays the same file.
///
/// A file that is not there and an empty one are the same here. So it is taken back by its own
/// kind, with the two texts exchanged, and what it made stays behind empty: to remove it would take
/// a file away that somebody may have put there empty, for a mount. The price is the one of
/// [`HostsEdit`](super::HostsEdit): if somebody else had written the very same text before, that
/// goes when the step is taken back.
///
/// ```
/// use bridgework::plan::{ContainerFile, FileWrite, Step};
///
/// let (file, former) = (ContainerFile::At("/srv/web.resolv".into()), String::new());
/// let write = FileWrite { file, text: "search a\n".to_owned(), former };
/// let line = Step::WriteFile(write).to_string();
/// assert!(line.starts_with("test -s /srv/web.resolv || printf '%s' "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWrite {
    /// The file.
    pub file: ContainerFile,
    /// What it shall say. Empty: it is emptied if it is there, and not made if it is not.
    pub text: String,
    /// What we had written before; empty if nothing.
    pub former: String,
}

impl FileWrite {
    /// The one that takes it back.
    ///
    /// ```
    /// use bridgework::plan::{ContainerFile, FileWrite};
    ///
    /// let file = ContainerFile::At("/srv/web.resolv".into());
    /// let write = FileWrite { file, text: "search a\n".into(), former: String::new() };
    /// assert_eq!(write.inverse().former, "search a\n");
    /// assert_eq!(write.inverse().inverse(), write);
    /// ```
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            file: self.file.clone(),
            text: self.former.clone(),
            former: self.text.clone(),
        }
    }
}

/// Lines of one hosts file: which go and which come, in this order.
///
/// ```
/// use bridgework::plan::{HostsEdit, HostsFile, Step};
///
/// let edit = HostsEdit {
///     file: HostsFile::At("/srv/web.hosts".into()),
///     remove: Vec::new(),
///     add: vec!["10.89.0.3\tdb".to_owned()],
/// };
/// assert!(Step::EditHosts(edit).to_string().ends_with(" >> /srv/web.hosts"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsEdit {
    /// The file.
    pub file: HostsFile,
    /// Whole lines that go, without their line ends.
    pub remove: Vec<String>,
    /// Whole lines that are added at the end, without line ends.
    pub add: Vec<String>,
}

/// Where a container's hosts file is.
///
/// ```
/// use bridgework::plan::{ContainerFile, HostsFile};
///
/// let file = ContainerFile::from(HostsFile::InRoot("/srv/web".into()));
/// assert_eq!(file.path(), std::path::Path::new("/srv/web/etc/hosts"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HostsFile {
    /// A path of the host's, written in place since a container may have it bind-mounted. No
    /// symbolic link is followed at its last component.
    At(PathBuf),
    /// `etc/hosts` below a container's root directory. No symbolic link is followed anywhere below
    /// it, and nothing outside is reached.
    InRoot(PathBuf),
}

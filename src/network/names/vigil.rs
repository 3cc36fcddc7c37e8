//! Several processes may answer one container, and one of them does. Whoever does not, since another
//! one has taken the container over or was there before, waits for that one's end, and takes its seat
//! then. Nobody says that it ends when it is killed: the container's own namespace tells.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollFlags;
use parking_lot::Mutex;

use crate::errno::Errno;
use crate::kernel::{
    Claim, Events, Holder, Netns, Seen, Watch, Whereabouts, look_at_seat, take_seat,
    take_seen_seat, timeout_until,
};
use crate::netlink::socket::Bell;
use crate::plan::Redirect;

/// So soon after the end of whoever has a seat it is taken, but for the rest before that.
const BETWEEN_LOOKS: Duration = Duration::from_millis(80);
/// Who changes tables without end keeps nobody busy.
const REST: Duration = Duration::from_millis(20);
/// As many of them are looked at each time. That of each is a visit inside.
const AT_A_TIME: usize = 4;

/// Keeps an eye on the seats of this process. A thread sleeps until one is somebody else's.
#[derive(Debug)]
pub(super) struct Vigil(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    watch: Watch,
    posts: Mutex<BTreeMap<u64, Weak<Post>>>,
    /// Those that somebody else may have, beside those that ring.
    doubtful: Mutex<Vec<u64>>,
    /// Those that nobody keeps an eye on any more. The thread closes their bells: who closes a netfilter
    /// socket waits until the kernel has freed what was removed before (nf_tables_api.c,
    /// `nft_rcv_nl_event`).
    given_up: Mutex<Vec<Arc<Post>>>,
    is_over: AtomicBool,
    process: u32,
}

/// By which one container is answered, here or by others.
#[derive(Debug)]
pub(super) struct Post {
    netns: Whereabouts,
    redirect: Redirect,
    bell: Mutex<Bell>,
    /// Set before the kernel is told to lead questions nowhere.
    is_over: AtomicBool,
}

/// A post that is kept an eye on until this is dropped.
#[derive(Debug)]
pub(super) struct Stationed {
    post: Arc<Post>,
    vigil: Arc<Vigil>,
    token: Option<u64>,
}

impl Vigil {
    pub(super) fn begin() -> Result<Arc<Self>, Errno> {
        let shared = Arc::new(Shared {
            watch: Watch::new()?,
            posts: Mutex::default(),
            doubtful: Mutex::default(),
            given_up: Mutex::default(),
            is_over: AtomicBool::default(),
            process: std::process::id(),
        });
        let kept = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("bridgework-seats".to_owned());
        let started = thread.spawn(move || kept.keep());
        started.map_err(|error| Errno::from(&error))?;
        Ok(Arc::new(Self(shared)))
    }

    /// All that are stationed.
    pub(super) fn posts(&self) -> Vec<Arc<Post>> {
        let posts = self.0.posts.lock();
        posts.values().filter_map(Weak::upgrade).collect()
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        if !self.0.is_own() {
            return;
        }
        self.0.is_over.store(true, Ordering::Release);
        self.0.watch.ring();
    }
}

impl Post {
    pub(super) fn new(netns: Netns, redirect: Redirect, bell: Bell) -> Self {
        let bell = Mutex::new(bell);
        let netns = netns.whereabouts();
        Self {
            netns,
            redirect,
            bell,
            is_over: AtomicBool::default(),
        }
    }

    /// Who has it, if that is one that `claim` takes it of.
    pub(super) fn look(&self, claim: Claim) -> Result<Option<Seen>, Errno> {
        let seen = self.visit(|netns| look_at_seat(netns, self.redirect))?;
        Ok(seen.filter(|seen| claim.takes(seen.holder)))
    }

    /// Whether nothing is left to do: it is taken as it was seen, or nobody wants it any more.
    pub(super) fn take_seen(&self, seen: Seen) -> Result<bool, Errno> {
        if self.is_over.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let taken = self.visit(|netns| take_seen_seat(netns, self.redirect, seen))?;
        Ok(taken.unwrap_or(true))
    }

    pub(super) fn take(&self, claim: Claim) -> Result<Holder, Errno> {
        let taken = self.visit(|netns| take_seat(netns, self.redirect, claim))?;
        Ok(taken.unwrap_or(Holder::Nobody))
    }

    /// In one that nobody finds any more, nobody asks.
    fn visit<T>(&self, act: impl FnOnce(&Netns) -> Result<T, Errno>) -> Result<Option<T>, Errno> {
        match self.netns.find() {
            Ok(netns) => act(&netns).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.errno().unwrap_or(Errno::EIO)),
        }
    }
}

impl Stationed {
    /// Nobody keeps an eye on it yet.
    pub(super) fn new(vigil: Arc<Vigil>, post: Post) -> Self {
        let (post, token) = (Arc::new(post), None);
        Self { post, vigil, token }
    }

    pub(super) fn post(&self) -> &Post {
        &self.post
    }

    /// Nobody wants it any more, who has claimed it and not taken it yet among them.
    pub(super) fn end(&self) {
        self.post.is_over.store(true, Ordering::SeqCst);
    }

    /// From now on, where all that this process has done itself is done.
    pub(super) fn begin(&mut self, holder: Holder) {
        let shared = &self.vigil.0;
        let token = shared.watch.new_key();
        let post = Arc::downgrade(&self.post);
        shared.posts.lock().insert(token, post);
        self.token = Some(token);
        let mut bell = self.post.bell.lock();
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        let watched = shared.watch.add(&*bell, flags, token);
        if bell.hear() || holder == Holder::Other || watched.is_err() {
            shared.doubt(token);
        }
    }
}

impl Drop for Stationed {
    fn drop(&mut self) {
        self.end();
        let shared = &self.vigil.0;
        if !shared.is_own() {
            return;
        }
        if let Some(token) = self.token {
            shared.posts.lock().remove(&token);
            shared.watch.remove(&*self.post.bell.lock());
        }
        shared.given_up.lock().push(Arc::clone(&self.post));
        shared.watch.ring();
    }
}

impl Shared {
    /// After a fork the thread is the parent's, and what is watched is.
    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    fn doubt(&self, token: u64) {
        self.doubtful.lock().push(token);
        self.watch.ring();
    }

    /// What the thread does.
    fn keep(&self) {
        let mut events = Events::new();
        let mut doubtful = VecDeque::new();
        loop {
            let next = (!doubtful.is_empty()).then(|| Instant::now() + BETWEEN_LOOKS);
            self.watch.wait(&mut events, timeout_until(next));
            let given_up = std::mem::take(&mut *self.given_up.lock());
            // without the lock, which verbs wait for
            drop(given_up);
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            let told = events.iter().map(|(token, _)| token);
            let told = told.chain(std::mem::take(&mut *self.doubtful.lock()));
            for token in told {
                if !doubtful.contains(&token) {
                    doubtful.push_front(token);
                }
            }
            if !doubtful.is_empty() {
                // most that rings is a place that its own process gives up, and gone by then
                std::thread::sleep(REST);
                self.look_at_some(&mut doubtful);
            }
        }
    }

    /// Where one that had several has ended, its other seats are free, too.
    fn look_at_some(&self, doubtful: &mut VecDeque<u64>) {
        let mut left = AT_A_TIME.min(doubtful.len());
        while left > 0 {
            let Some(token) = doubtful.pop_front() else {
                return;
            };
            left -= 1;
            match self.look_at(token) {
                Look::Settled => {}
                Look::Taken => left = doubtful.len(),
                Look::Doubtful => doubtful.push_back(token),
            }
        }
    }

    fn look_at(&self, token: u64) -> Look {
        let post = self.posts.lock().get(&token).and_then(Weak::upgrade);
        let Some(post) = post else {
            return Look::Settled;
        };
        // what rings from here on is looked at anew
        let _heard = post.bell.lock().hear();
        match post.take(Claim::Dead) {
            Ok(Holder::Taken) => Look::Taken,
            // where nobody has it that is on purpose: a container's end is the container's
            Ok(Holder::Own | Holder::Nobody) => Look::Settled,
            Ok(Holder::Dead | Holder::Other) | Err(_) => Look::Doubtful,
        }
    }
}

/// What has come of a look at a seat.
enum Look {
    /// There is nothing to wait for.
    Settled,
    /// Its holder had ended.
    Taken,
    /// It is somebody else's.
    Doubtful,
}

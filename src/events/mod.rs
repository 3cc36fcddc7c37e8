//! Who is told what happened: any number of subscribers, each with a queue of its own. None of them
//! can make a publisher wait or keep more than its queue holds.

mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::queue::Queue;
use crate::event::Event;

/// The place where events are published. A clone is another handle to the same.
#[derive(Clone, Default)]
pub(crate) struct EventHub(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// As many as there are queues, to be asked without the lock.
    subscribers: AtomicUsize,
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl EventHub {
    /// Tells all that are subscribed. Nobody is: then `event` is not called.
    pub(crate) fn publish(&self, event: impl FnOnce() -> Event) {
        if self.0.subscribers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let event = event();
        // the lock makes the order the same for all
        let queues = self.0.queues.lock();
        if let Some((last, others)) = queues.split_last() {
            for queue in others {
                queue.push(event.clone());
            }
            last.push(event);
        }
    }

    /// One more subscriber, told of all that is published from now on.
    pub(crate) fn subscribe(&self) -> Subscription {
        let queue = Arc::new(Queue::default());
        let mut queues = self.0.queues.lock();
        queues.push(Arc::clone(&queue));
        self.0.subscribers.store(queues.len(), Ordering::Relaxed);
        let hub = Arc::downgrade(&self.0);
        Subscription { queue, hub }
    }
}

impl fmt::Debug for EventHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscribers = self.0.subscribers.load(Ordering::Relaxed);
        write!(f, "EventHub({subscribers} subscribers)")
    }
}

impl Shared {
    fn unsubscribe(&self, left: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.retain(|queue| !Arc::ptr_eq(queue, left));
        self.subscribers.store(queues.len(), Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for queue in self.queues.get_mut() {
            queue.close();
        }
    }
}

/// All that happens from the moment of subscribing on. Dropping it unsubscribes.
///
/// It is an iterator that waits for the next event, and ends when nothing more can happen: when the
/// host and all that was made on it are gone.
///
/// It holds at most [`CAPACITY`](Self::CAPACITY) events that were not read yet. When more come, the
/// oldest are lost, and an [`EventKind::Lost`](crate::EventKind::Lost) in their place says how many.
/// A subscriber that does not read makes nobody wait.
///
/// ```
/// use bridgework::Subscription;
///
/// fn log(subscription: Subscription) {
///     for event in subscription {
///         println!("{event}");
///     }
/// }
/// # let _ = log;
/// assert_eq!(Subscription::CAPACITY, 1024);
/// ```
///
/// Without waiting, or not for ever:
///
/// ```no_run
/// use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
/// use std::time::Duration;
/// use bridgework::{Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let subscription = host.subscribe();
/// assert_eq!(subscription.try_recv().err(), Some(TryRecvError::Empty));
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// println!("{}", subscription.recv_timeout(Duration::from_secs(1))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subscription {
    queue: Arc<Queue>,
    hub: Weak<Shared>,
}

impl Subscription {
    /// The most events that wait to be read.
    pub const CAPACITY: usize = 1024;

    /// The next event, if there is one already.
    ///
    /// # Errors
    /// There is none yet, or there will never be one again.
    pub fn try_recv(&self) -> Result<Event, TryRecvError> {
        let now = self.queue.pop_until(Some(Instant::now()));
        now.map_err(|error| match error {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// The next event, if it comes within `timeout`.
    ///
    /// # Errors
    /// None came, or there will never be one again.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        // a moment that the clock can not show is never
        self.queue.pop_until(Instant::now().checked_add(timeout))
    }
}

impl Iterator for Subscription {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.queue.pop_until(None).ok()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.unsubscribe(&self.queue);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({} unread)", self.queue.len())
    }
}

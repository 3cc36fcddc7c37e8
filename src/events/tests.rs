//! Subscribers on threads of their own. Every event carries a number in its moment.

use std::sync::Barrier;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::Duration;

use super::{EventHub, Subscription};
use crate::addr::{NetworkId, Timestamp};
use crate::event::{Event, EventKind, EventNetwork};

const CAPACITY: u64 = Subscription::CAPACITY as u64;

fn event(number: u64) -> Event {
    let network = EventNetwork {
        name: "web".parse().unwrap(),
        id: NetworkId::from_bytes([1; 32]),
        driver: "bridge".to_owned(),
    };
    Event {
        at: Timestamp::from_unix(Duration::from_nanos(number)),
        took: Duration::ZERO,
        kind: EventKind::Create { network },
    }
}

fn lost(number: u64, events: u64) -> Event {
    let kind = EventKind::Lost { events };
    Event {
        kind,
        ..event(number)
    }
}

fn publish(hub: &EventHub, numbers: std::ops::Range<u64>) {
    for number in numbers {
        hub.publish(|| event(number));
    }
}

fn unread(subscription: &Subscription) -> Vec<Event> {
    std::iter::from_fn(|| subscription.try_recv().ok()).collect()
}

#[test]
fn every_subscriber_is_told_of_all_since_it_subscribed_in_order() {
    let hub = EventHub::default();
    let first = hub.subscribe();
    publish(&hub, 0..3);
    let second = hub.clone().subscribe();
    publish(&hub, 3..5);
    assert_eq!(unread(&first), (0..5).map(event).collect::<Vec<_>>());
    assert_eq!(unread(&second), (3..5).map(event).collect::<Vec<_>>());
}

#[test]
fn who_does_not_read_loses_the_oldest_and_is_told_how_many() {
    let hub = EventHub::default();
    let (idle, keen) = (hub.subscribe(), hub.subscribe());
    for number in 0..CAPACITY + 10 {
        publish(&hub, number..number + 1);
        assert_eq!(keen.try_recv(), Ok(event(number)));
    }
    assert_eq!(format!("{idle:?}"), "Subscription(1025 unread)");
    let expected = [lost(9, 10)].into_iter();
    let expected: Vec<_> = expected.chain((10..CAPACITY + 10).map(event)).collect();
    assert_eq!(unread(&idle), expected);
    publish(&hub, 0..1);
    assert_eq!(unread(&idle), [event(0)], "told once");
}

#[test]
fn a_full_queue_loses_nothing() {
    let hub = EventHub::default();
    let subscription = hub.subscribe();
    publish(&hub, 0..CAPACITY);
    assert_eq!(
        unread(&subscription),
        (0..CAPACITY).map(event).collect::<Vec<_>>()
    );
}

#[test]
fn what_is_read_and_what_is_lost_is_all_there_was() {
    const PUBLISHED: u64 = 50_000;
    let hub = EventHub::default();
    let reader = hub.subscribe();
    let counted = thread::spawn(move || {
        let (mut next, mut lost) = (0, 0);
        for seen in reader {
            match seen.kind {
                EventKind::Lost { events } => {
                    lost += events;
                    next += events;
                    assert_eq!(
                        seen.at,
                        event(next - 1).at,
                        "the moment of the last of them"
                    );
                }
                _ => {
                    assert_eq!(seen, event(next));
                    next += 1;
                }
            }
        }
        (next, lost)
    });
    publish(&hub, 0..PUBLISHED);
    drop(hub);
    let (seen, lost) = counted.join().unwrap();
    assert_eq!(seen, PUBLISHED);
    assert!(lost <= PUBLISHED - CAPACITY, "the latest are never lost");
}

#[test]
fn all_see_one_order_whoever_publishes() {
    let hub = EventHub::default();
    let subscribers = [hub.subscribe(), hub.subscribe(), hub.subscribe()];
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for publisher in 0..4 {
            let (hub, start) = (&hub, &start);
            scope.spawn(move || {
                start.wait();
                publish(hub, publisher * 250..(publisher + 1) * 250);
            });
        }
    });
    let [first, second, third] = subscribers.each_ref().map(unread);
    assert_eq!(first.len(), 1000);
    assert_eq!(first, second);
    assert_eq!(second, third);
}

#[test]
fn a_waiting_reader_wakes_for_an_event_and_for_the_end() {
    let hub = EventHub::default();
    let mut reader = hub.subscribe();
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            begun.wait();
            let seen = (reader.next(), reader.recv_timeout(Duration::MAX));
            (seen, reader.next())
        });
        begun.wait();
        publish(&hub, 0..1);
        drop(hub);
        let ended = Err(RecvTimeoutError::Disconnected);
        assert_eq!(waiting.join().unwrap(), ((Some(event(0)), ended), None));
    });
}

#[test]
fn what_was_published_before_the_end_can_still_be_read() {
    let hub = EventHub::default();
    let reader = hub.subscribe();
    assert_eq!(reader.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(
        reader.recv_timeout(Duration::ZERO),
        Err(RecvTimeoutError::Timeout)
    );
    assert_eq!(
        reader.recv_timeout(Duration::from_millis(1)),
        Err(RecvTimeoutError::Timeout)
    );
    publish(&hub, 0..2);
    drop(hub);
    assert_eq!(reader.recv_timeout(Duration::ZERO), Ok(event(0)));
    assert_eq!(reader.try_recv(), Ok(event(1)));
    assert_eq!(reader.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_dropped_subscription_is_told_nothing_and_the_others_all() {
    let hub = EventHub::default();
    let (gone, kept) = (hub.subscribe(), hub.subscribe());
    drop(gone);
    publish(&hub, 0..1);
    assert_eq!(unread(&kept), [event(0)]);
    drop(kept);
    assert_eq!(format!("{hub:?}"), "EventHub(0 subscribers)");
    hub.publish(|| unreachable!("nobody listens"));
}

#[test]
fn a_subscription_outlives_the_hub_and_moves_between_threads() {
    fn moves<T: Send + Sync>(value: T) -> T {
        value
    }
    let reader = moves(EventHub::default().subscribe());
    assert_eq!(reader.try_recv(), Err(TryRecvError::Disconnected));
}

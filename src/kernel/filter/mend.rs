//! What was removed is made again, unless whoever made it is taking it away: that is known of before
//! anything is made, or, where nobody ever rests, right after it.

use parking_lot::Mutex;

use super::State;
use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::plan::nft::{Deviation, Element, Part, Table};

/// What is missing and was still wanted after that was seen has not been taken away by its owner, who
/// says so before: so nothing is mended that has changed since others were asked.
pub(super) fn mend(
    state: &Mutex<State>,
    catch_up: impl Fn() -> crate::error::Result<()>,
) -> Result<Vec<Deviation>, Refusal> {
    const TRIES: usize = 8;
    for _ in 0..TRIES {
        let generation = state.lock().socket()?.generation()?;
        catch_up().map_err(|_| Errno::EAGAIN)?;
        let mut state = state.lock();
        match state.mend_wanted_in(generation) {
            Err(refusal) if refusal.errno == Errno::ERESTART => {}
            mended => return Ok([std::mem::take(&mut state.mended), mended?].concat()),
        }
    }
    // whoever never rests is not waited for
    let mut guard = state.lock();
    let tables = guard.wanted.tables().to_vec();
    let wanted = guard.wanted.elements.clone();
    let mended = guard.mend_wanted()?;
    let told = std::mem::take(&mut guard.mended);
    drop(guard);
    catch_up().map_err(|_| Errno::EAGAIN)?;
    let made = wanted
        .into_iter()
        .filter(|element| is_made(&mended, element));
    give_up(state, &tables, &made.collect::<Vec<_>>())?;
    Ok([told, mended].concat())
}

/// Whether one of these was that element, or what it is in.
fn is_made(mended: &[Deviation], element: &Element) -> bool {
    let is_it = |part: &Part| match part {
        Part::Table => true,
        Part::Set(set) => *set == element.set,
        Part::Element(made) => **made == *element,
        Part::Chain(_) | Part::Rules(_) => false,
    };
    let mut of_family = mended.iter().filter(|one| one.family == element.family);
    of_family.any(|one| is_it(&one.part))
}

/// What of these nobody wants any more goes again. What is not as it was made is somebody else's by
/// now. If others never rest here either, what is left is found by whoever recovers.
fn give_up(state: &Mutex<State>, tables: &[Table], made: &[Element]) -> Result<(), Refusal> {
    const TRIES: usize = 64;
    for _ in 0..TRIES {
        let mut state = state.lock();
        let unwanted = made
            .iter()
            .filter(|one| !state.wanted.elements.contains(*one));
        let mut unwanted: Vec<Element> = unwanted.cloned().collect();
        let generation = state.socket()?.generation()?;
        let present = state.elements(tables, |table, set| {
            let mut of_it = unwanted.iter();
            of_it.any(|one| (one.family, one.set) == (table.family, set.name))
        })?;
        unwanted.retain(|one| present.contains(one));
        if unwanted.is_empty() {
            return Ok(());
        }
        if state.remove_in(generation, &unwanted)? {
            return Ok(());
        }
    }
    Ok(())
}

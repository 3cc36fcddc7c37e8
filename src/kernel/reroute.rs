//! A route of ours in the place of another one of ours. What is somebody else's is not replaced.

use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::netlink::socket::NetlinkSocket;
use crate::netlink::{read, route};
use crate::plan::{ROUTE_PROTOCOL, Route};
use crate::snapshot::RouteState;

/// Refused where the route that would go is somebody else's. Where none is there any more, there is
/// one again. One of another metric has another place: the former one goes after it has come, and if it
/// can't go, nothing has come.
pub(super) fn replace(
    socket: &mut NetlinkSocket,
    (from, to): (&Route, &Route),
) -> Result<(), Refusal> {
    let routes = match socket.dump(route::dump_like(to), &read::ROUTE) {
        // a table that no route was ever in is not there
        Err(refusal) if refusal.errno.is_absence() => Vec::new(),
        routes => routes?,
    };
    // the kernel replaces the first one of its kind
    let former = routes.iter().find(|route| is_in_place_of(route, to));
    if former.is_some_and(|route| route.protocol != ROUTE_PROTOCOL) {
        return Err(Refusal {
            errno: Errno::EEXIST,
            words: Some("a route of somebody else's is in its place".to_owned()),
        });
    }
    socket.call(route::replace(to))?;
    if from.kernel_metric() == to.kernel_metric() {
        return Ok(());
    }
    match socket.call(route::delete(from)) {
        Err(refusal) if !refusal.errno.is_absence() => {
            // the first refusal is the one that is told
            let _left_beside_it = socket.call(route::delete(to));
            Err(refusal)
        }
        _ => Ok(()),
    }
}

fn is_in_place_of(there: &RouteState, route: &Route) -> bool {
    there.destination == route.destination && there.metric == route.kernel_metric()
}

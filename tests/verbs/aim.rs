//! Chance alone seldom hits what is there: most verbs are led to something that they mean something
//! for. Which of several is left to chance again.

use crate::model::{End, Holder, Model, Stack};
use crate::verbs::{Aim, Ask, BRIDGE, CONTAINERS, How, Mode, NETWORKS, Verb};

/// The one of `all` that chance has chosen.
fn one<T: Copy>(all: &[T], aim: Aim) -> Option<T> {
    let Aim(number) = aim;
    all.get(number % all.len().max(1)).copied()
}

/// The same verb of something that is there, if there is any.
pub fn aimed(model: &Model, verb: &Verb, aim: Aim) -> Verb {
    let mut verb = verb.clone();
    let wired = |at: usize| {
        model
            .ends
            .iter()
            .any(|end| Some(end.body) == model.open[at])
    };
    match &mut verb {
        Verb::Connect { at, net, ask, .. } => {
            let Aim(number) = aim;
            let meant = match number % 4 {
                0 | 1 => one(&model.returning(), Aim(number / 4)),
                2 => one(&model.free(wired), aim),
                _ => None,
            };
            let meant = meant.or_else(|| one(&model.free(|_| true), aim));
            (*at, *net) = meant.unwrap_or((*at, *net));
            if number % 8 != 0 {
                model.moderate(*net, ask);
            }
        }
        Verb::Disconnect { at, net, how } => {
            (*at, *net) = one(&endpoints(model, *how), aim).unwrap_or((*at, *net));
        }
        Verb::Forget { at, net } => {
            (*at, *net) = one(&model.returning(), aim).unwrap_or((*at, *net));
        }
        Verb::Stage { net, .. } => *net = one(&networks(model), aim).unwrap_or(*net),
        Verb::Join { at, net, into } => {
            let is_same = at == into;
            (*at, *net) = one(&staged(model), aim).unwrap_or((*at, *net));
            *into = if is_same { *at } else { *into };
        }
        Verb::Delete { at, net, .. } => {
            (*at, *net) = one(&staged(model), aim).unwrap_or((*at, *net));
        }
        Verb::Open { at, mode, .. } => {
            *at = one(&slots(model, |body| body.is_none()), aim).unwrap_or(*at);
            aim_mode(model, mode, aim);
        }
        Verb::Close { at } => {
            let leaves = |body: usize| {
                let mut ends = model.ends.iter();
                ends.any(|end| end.body == body && end.holder == Holder::Nobody)
            };
            let leaving = one(&slots(model, |body| body.is_some_and(leaves)), aim);
            let open = one(&slots(model, |body| body.is_some()), aim);
            *at = leaving.or(open).unwrap_or(*at);
        }
        Verb::Remove { net } | Verb::LetGo { net } => {
            let mut custom = networks(model);
            custom.retain(|net| *net != BRIDGE);
            *net = one(&custom, aim).unwrap_or(*net);
        }
        Verb::Create { .. } | Verb::Prune | Verb::DisconnectTogether { .. } => {}
    }
    verb
}

fn aim_mode(model: &Model, mode: &mut Mode, aim: Aim) {
    let wired = |body: usize| model.ends.iter().any(|end| end.body == body);
    match mode {
        Mode::Own | Mode::None | Mode::Host => {}
        Mode::Sharing(other) | Mode::Beside(other) => {
            let wired = slots(model, |body| body.is_some_and(wired));
            *other = one(&wired, aim).unwrap_or(*other);
        }
        Mode::On(net) => *net = one(&networks(model), aim).unwrap_or(*net),
    }
}

fn networks(model: &Model) -> Vec<usize> {
    let is_there = |net: &usize| model.nets[*net].is_some() || *net == BRIDGE;
    (0..NETWORKS.len()).filter(is_there).collect()
}

fn slots(model: &Model, is_meant: impl Fn(Option<usize>) -> bool) -> Vec<usize> {
    let slots = 0..model.open.len();
    slots.filter(|at| is_meant(model.open[*at])).collect()
}

fn staged(model: &Model) -> Vec<(usize, usize)> {
    let staged = model.staged.iter();
    staged.map(|staged| (staged.at, staged.net)).collect()
}

/// Those that can be disconnected so. Those that nobody has a handle to come first by name, and
/// those whose stack is shared come first where a handle is dropped.
fn endpoints(model: &Model, how: How) -> Vec<(usize, usize)> {
    let at = |end: &End| {
        let at = CONTAINERS.iter().position(|name| *name == end.name);
        (at.expect("it is one of them"), end.net)
    };
    let is_shared = |end: &End| {
        let mut open = model.open.iter().flatten().map(|body| &model.bodies[*body]);
        open.any(|body| body.kind == Stack::Shared && body.stack == end.stack)
    };
    let has_handle = |end: &&End| end.holder == Holder::Handle;
    let is_meant = |end: &&End| match how {
        How::Name | How::Force => !has_handle(end),
        How::Leave => has_handle(end) && end.was_staged,
        How::Drop => has_handle(end) && is_shared(end),
        How::Handle | How::Persist => has_handle(end),
    };
    let meant: Vec<(usize, usize)> = model.ends.iter().filter(is_meant).map(at).collect();
    let others = || model.ends.iter().filter(has_handle).map(at).collect();
    if meant.is_empty() { others() } else { meant }
}

impl Model {
    /// Leaves out of `ask` what the network can't have at all.
    fn moderate(&self, net: usize, ask: &mut Ask) {
        let [has_v4, has_v6] = match &self.nets[net] {
            _ if net == BRIDGE => [false, false],
            Some(network) => [false, true].map(|is_ipv6| network.pool(is_ipv6).is_some()),
            None => [true, true],
        };
        ask.ip4.take_if(|_| !has_v4);
        ask.ip6.take_if(|_| !has_v6);
        ask.link_local.take_if(|_| !has_v4);
        if net == BRIDGE {
            ask.aliases.clear();
            ask.links
                .retain(|(to, _)| self.names_on(net).contains(&CONTAINERS[*to]));
        }
    }

    /// The containers that could be connected, of those that are meant, and the networks.
    fn free(&self, is_meant: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, name) in CONTAINERS.iter().enumerate() {
            let has_place = self.body(at).is_none_or(|body| body.kind == Stack::Own);
            let is_free = |net: &usize| !self.names_on(*net).contains(name);
            if has_place && is_meant(at) {
                found.extend(
                    networks(self)
                        .into_iter()
                        .filter(is_free)
                        .map(|net| (at, net)),
                );
            }
        }
        found
    }

    /// The containers that could return to a network, and the networks.
    fn returning(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for at in slots(self, |body| body.is_some()) {
            let body = self.body(at).expect("it is open");
            let returns = |net: &usize| {
                body.kind == Stack::Own
                    && self.remembers(body, *net)
                    && !self.names_on(*net).contains(&body.name)
            };
            found.extend(
                networks(self)
                    .into_iter()
                    .filter(returns)
                    .map(|net| (at, net)),
            );
        }
        found
    }
}

//! Who asks the DNS server: whom it knows, and who else may be asked for it. Nothing is asked and
//! nothing is answered here.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::addr::HostName;

use super::resolv::{NameServer, SearchDomain};
use super::view::View;

/// A container as the DNS server knows it: its [`View`], and its terms, which can be exchanged
/// while it is served.
///
/// ```
/// use std::sync::Arc;
///
/// use bridgework::resolver::{Client, ClientTerms, Forwarding, View};
///
/// let search = vec!["shop.test".parse()?];
/// let client = Client::new(
///     Arc::new(View::default()),
///     ClientTerms { forwarding: Forwarding::Host, search, domain: None },
/// );
/// // all that it is left on are internal networks
/// client.set_terms(ClientTerms { forwarding: Forwarding::Nobody, ..ClientTerms::clone(&client.terms()) });
/// assert_eq!(client.terms().forwarding, Forwarding::Nobody);
/// assert_eq!(client.terms().search.len(), 1);
/// assert!(client.view().memberships().is_empty()); // it knows nobody
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    view: Arc<View>,
    terms: ArcSwap<ClientTerms>,
}

impl Client {
    /// A client that knows whom `view` knows.
    #[must_use]
    pub fn new(view: Arc<View>, terms: ClientTerms) -> Self {
        let terms = ArcSwap::from_pointee(terms);
        Self { view, terms }
    }

    /// Whom it knows.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The terms as of one moment.
    #[must_use]
    pub fn terms(&self) -> Arc<ClientTerms> {
        self.terms.load_full()
    }

    /// Exchanges the terms, in one store. A query that is being decided on goes by the old ones or
    /// by the new, never by some of each.
    pub fn set_terms(&self, terms: ClientTerms) {
        self.terms.store(Arc::new(terms));
    }

    /// As [`terms`](Self::terms), for a moment.
    pub(super) fn load_terms(&self) -> Guard<Arc<ClientTerms>> {
        self.terms.load()
    }
}

/// What a client may ask for beyond the names that it knows.
///
/// ```
/// use bridgework::resolver::{ClientTerms, Forwarding};
///
/// let (search, domain) = (vec!["shop.test".parse()?], Some("shop.test".parse()?));
/// let terms = ClientTerms { forwarding: Forwarding::Host, search, domain };
/// let internal = ClientTerms { forwarding: Forwarding::Nobody, ..terms.clone() };
/// assert_ne!(internal, terms);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTerms {
    /// Who is asked for names that it does not know.
    pub forwarding: Forwarding,
    /// The domains that its resolver puts behind short names, those of its `resolv.conf`. A name
    /// that it knows is known under each of them, too, and so is never asked of others there.
    pub search: Vec<SearchDomain>,
    /// The domain that is its networks' alone: a name that it knows is known under it, too, and of
    /// what nobody has there nobody else is ever asked.
    pub domain: Option<HostName>,
}

/// Who is asked for names that a client does not know.
///
/// ```
/// use bridgework::resolver::{Forwarding, NameServer};
///
/// let servers: [NameServer; 1] = ["10.0.0.2".parse()?]; // --dns 10.0.0.2
/// let own = Forwarding::Own(servers.into());
/// assert_ne!(own, Forwarding::Host);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarding {
    /// Nobody: all of its networks are internal. What it does not know fails at once.
    Nobody,
    /// The servers of the host's `resolv.conf`, from the host's namespace.
    Host,
    /// These servers, from the container's own namespace (`--dns`).
    Own(Arc<[NameServer]>),
}

//! Who is let in: by where they come from, and how often they have come. What a person may do is counted by their cell,
//! which knows them; here addresses are.

use std::net::IpAddr;

use hyper::HeaderMap;
use skep_gate::{Address, Kind, Limited, Limiter, Place, Places, Rate, RateLimits, Standing, TrustedProxies};

use crate::limits;

/// What is known of addresses. Each router counts for itself: with several behind one address, an address may do as
/// much at each.
pub(crate) struct Entrance {
    proxies: TrustedProxies,
    connections: Places<Address>,
    sign_ups: Option<Limiter<Address>>,
    log_ins: Option<Limiter<Address>>,
    calls: Option<Limiter<Address>>,
    /// Calls that no person stands for, of kinds that are counted by person.
    nobodys: Option<Limiter<Address>>,
}

// === impl Entrance ===

impl Entrance {
    pub fn new(rates: &RateLimits, proxies: TrustedProxies) -> Self {
        let limiter = |rate: Option<Rate>| rate.map(|rate| Limiter::new(rate, limits::ADDRESSES));
        Self {
            proxies,
            connections: Places::new(rates.connections_per_address),
            sign_ups: limiter(rates.sign_ups),
            log_ins: limiter(rates.log_ins),
            calls: limiter(rates.calls_per_address),
            nobodys: limiter(rates.calls_per_address),
        }
    }

    /// A place for another connection, if its address has one left. Proxies bring everybody's: they have no bound.
    pub fn connection(&self, peer: IpAddr) -> Result<Option<Place<Address>>, NoPlace> {
        if self.proxies.trusts(peer) {
            return Ok(None);
        }
        self.connections.take(peer.into()).map(Some).ok_or(NoPlace)
    }

    /// Who asks, as far as can be known.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.proxies.client(peer, headers)
    }

    /// Whether a call of this kind may go on, and how its address stands. Kinds that are counted by person are not
    /// counted here, except those that turned out to be nobody's: an address with too many of them makes no more.
    pub fn admit(&self, kind: Kind, client: IpAddr) -> Result<Option<Standing>, Limited> {
        let address = Address::from(client);
        let (limiter, is_counted) = match kind {
            Kind::SignUp => (&self.sign_ups, true),
            Kind::LogIn => (&self.log_ins, true),
            Kind::Other => (&self.calls, true),
            Kind::Message | Kind::Search | Kind::Join => (&self.nobodys, false),
        };
        match limiter {
            None => Ok(None),
            Some(limiter) if is_counted => limiter.take(&address).map(Some),
            Some(limiter) => limiter.look(&address).map(|_| None),
        }
    }

    /// A call that no person stood for counts against its address: a token that is none costs its cell a look into the
    /// shard.
    pub fn nobodys(&self, client: IpAddr) -> Option<Standing> {
        let taken = self.nobodys.as_ref()?.take(&client.into());
        Some(taken.unwrap_or_else(|limited| limited.standing))
    }

    /// How an address stands; nothing is counted.
    pub fn standing(&self, client: IpAddr) -> Option<Standing> {
        let looked = self.calls.as_ref()?.look(&client.into());
        Some(looked.unwrap_or_else(|limited| limited.standing))
    }

    /// Forgets those who have not come for a while.
    pub fn tidy(&self) {
        [&self.sign_ups, &self.log_ins, &self.calls, &self.nobodys].into_iter().flatten().for_each(Limiter::tidy);
    }
}

/// The address has all its connections.
#[derive(Debug)]
pub(crate) struct NoPlace;

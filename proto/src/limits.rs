//! How much one client may have. Off unless somebody asks for it.

/// The most replies that one window of time may hold. So that counts fit into the data plane's tables.
pub const MOST_REPLIES: u32 = 200_000;
/// The highest [`Per::Network::slip`], for the same reason.
pub const MOST_SLIP: u32 = 255;

/// Limits on queries and replies. All off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// On what one client asks, over any transport.
    pub queries: Option<QueryLimit>,
    /// A reply over UDP may be so many times as long as its query; 0: as long as it likes.
    pub amplification: u32,
    /// On what is said over UDP.
    pub replies: Option<ReplyLimit>,
}

/// A bucket of tokens for each client: each query takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimit {
    /// Thousandths of a token that come back each second. Above zero.
    pub millis_per_second: u32,
    /// What a full bucket holds. Above zero.
    pub burst: u32,
}

/// So many replies in any so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimit {
    /// Whose replies are counted together.
    pub per: Per,
    /// Replies. Above zero, and at most [`MOST_REPLIES`].
    pub most: u32,
    /// Length of the window. Above zero.
    pub seconds: u32,
}

/// Whose replies are counted together, and what becomes of those that are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Those to one client. Instead of one too many it gets REFUSED.
    Client,
    /// Those that say the same to one network. One too many is not sent; every so manieth is, cut down to its question and
    /// with TC, so that somebody who really asks can ask again over TCP. 0: none.
    Network {
        /// Every so manieth.
        slip: u32,
    },
}

impl Limits {
    /// Whether there is none.
    #[inline]
    pub fn are_off(&self) -> bool {
        self.queries.is_none() && self.amplification == 0 && self.replies.is_none()
    }
}

//! Limits ⇄ their messages. Zero of something means no limit on the wire, and cannot be said in the domain.

use super::InvalidMessage;
use crate::{
    limits::{Limits, MOST_REPLIES, MOST_SLIP, Per, QueryLimit, ReplyLimit},
    pb::feed as pb,
};

impl From<Limits> for pb::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            queries: limits
                .queries
                .map(|limit| pb::QueryLimit { millis_per_second: limit.millis_per_second, burst: limit.burst }),
            amplification: limits.amplification,
            replies: limits.replies.map(|limit| pb::ReplyLimit {
                most: limit.most,
                seconds: limit.seconds,
                network: match limit.per {
                    Per::Client => None,
                    Per::Network { slip } => Some(pb::reply_limit::Network { slip }),
                },
            }),
        }
    }
}

impl TryFrom<pb::Limits> for Limits {
    type Error = InvalidMessage;

    fn try_from(wire: pb::Limits) -> Result<Self, InvalidMessage> {
        Ok(Self {
            queries: wire.queries.map(QueryLimit::try_from).transpose()?,
            amplification: wire.amplification,
            replies: wire.replies.map(ReplyLimit::try_from).transpose()?,
        })
    }
}

impl TryFrom<pb::QueryLimit> for QueryLimit {
    type Error = InvalidMessage;

    fn try_from(wire: pb::QueryLimit) -> Result<Self, InvalidMessage> {
        Ok(Self {
            millis_per_second: within("millis_per_second", wire.millis_per_second, 1, u32::MAX)?,
            burst: within("burst", wire.burst, 1, u32::MAX)?,
        })
    }
}

impl TryFrom<pb::ReplyLimit> for ReplyLimit {
    type Error = InvalidMessage;

    fn try_from(wire: pb::ReplyLimit) -> Result<Self, InvalidMessage> {
        let per = match wire.network {
            None => Per::Client,
            Some(network) => Per::Network { slip: within("slip", network.slip, 0, MOST_SLIP)? },
        };
        Ok(Self {
            per,
            most: within("most", wire.most, 1, MOST_REPLIES)?,
            seconds: within("seconds", wire.seconds, 1, u32::MAX)?,
        })
    }
}

fn within(field: &'static str, value: u32, least: u32, most: u32) -> Result<u32, InvalidMessage> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(InvalidMessage::Limit(field, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_the_trip_and_are_checked() {
        let queries = Some(QueryLimit { millis_per_second: 1500, burst: 50 });
        for replies in [
            None,
            Some(ReplyLimit { per: Per::Client, most: MOST_REPLIES, seconds: 1 }),
            Some(ReplyLimit { per: Per::Network { slip: 0 }, most: 1, seconds: 15 }),
            Some(ReplyLimit { per: Per::Network { slip: MOST_SLIP }, most: 1, seconds: u32::MAX }),
        ] {
            let limits = Limits { queries, amplification: 10, replies };
            assert_eq!(Limits::try_from(pb::Limits::from(limits)).expect("valid"), limits);
        }
        let network = |slip| Some(pb::reply_limit::Network { slip });
        let reply = |most, seconds, network| pb::Limits {
            replies: Some(pb::ReplyLimit { most, seconds, network }),
            ..Default::default()
        };
        let query = |millis_per_second, burst| pb::Limits {
            queries: Some(pb::QueryLimit { millis_per_second, burst }),
            ..Default::default()
        };
        for (limits, refusal) in [
            (query(0, 1), "a limit with `millis_per_second` 0"),
            (query(1, 0), "a limit with `burst` 0"),
            (reply(0, 1, None), "a limit with `most` 0"),
            (reply(MOST_REPLIES + 1, 1, None), "a limit with `most` 200001"),
            (reply(1, 0, None), "a limit with `seconds` 0"),
            (reply(1, 1, network(256)), "a limit with `slip` 256"),
        ] {
            assert_eq!(Limits::try_from(limits).expect_err("refused").to_string(), refusal);
        }
    }
}

//! What would a client be told, and why: the question is asked for real, and what must be fetched is fetched.

use super::Commands;
use crate::{
    Asker, Known, Outcome, Transport,
    encode::Rcode,
    explain::{Explanation, explain},
    resolve::{Fetched, Wanted},
};
use dnsplane_proto::{Name, pb::feed as pb};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

/// Fetches that one question may need, each because of an alias that the one before has brought.
const MOST_ROUNDS: usize = 8;
/// EDNS with room for any reply, so that the reply says why in its own words, too (RFC 8914).
const OPT: [u8; 11] = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0];

impl Commands {
    pub(super) async fn explain(&self, asked: &pb::Explain) -> Result<pb::Explanation, String> {
        let begun = Instant::now();
        let (query, address) = (query(asked)?, client(&asked.client)?);
        let mut fetched: Option<(Wanted, Fetched)> = None;
        for _ in 0..=MOST_ROUNDS {
            let told = self.look(&query, address, fetched.as_ref());
            match told.outcome {
                Outcome::Unresolved(wanted) => {
                    let outcome = self.engine.fetch(Wanted::clone(&wanted)).await;
                    fetched = Some((*wanted, outcome));
                }
                Outcome::ToRenew(_, ref wanted) => {
                    self.engine.resolve(wanted.clone(), None);
                    return Ok(said(told, begun));
                }
                _ => return Ok(said(told, begun)),
            }
        }
        Err(format!("no end after {MOST_ROUNDS} aliases that upstreams had to be asked about"))
    }

    fn look(&self, query: &[u8], address: IpAddr, fetched: Option<&(Wanted, Fetched)>) -> Explanation {
        let asker = Asker {
            // So that the reply is whole.
            transport: Transport::Tcp,
            address,
            now: crate::listen::now(),
            cookies: &self.cookies,
            known: Known {
                cache: Some(self.engine.cache()),
                fetched: fetched.map(|(wanted, fetched)| (wanted, fetched)),
            },
        };
        explain(query, &asker, &self.current.load())
    }
}

fn query(asked: &pb::Explain) -> Result<Vec<u8>, String> {
    let name = Name::from_wire(&asked.name).map_err(|error| format!("that is no name: {error}"))?;
    let kind = u16::try_from(asked.r#type).map_err(|_| format!("{} is not a record type", asked.r#type))?;
    // RD, one question, one record of the additional section.
    let mut query = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend_from_slice(name.as_wire());
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    query.extend_from_slice(&OPT);
    Ok(query)
}

fn client(text: &str) -> Result<IpAddr, String> {
    match text {
        "" => Ok(Ipv4Addr::LOCALHOST.into()),
        text => text.parse().map_err(|_| format!("`{text}` is not an address")),
    }
}

fn said(told: Explanation, begun: Instant) -> pb::Explanation {
    let rcode = match told.outcome {
        Outcome::Replied(replied) | Outcome::ToRenew(replied, _) => replied.rcode,
        _ => Rcode::NoError,
    };
    pb::Explanation {
        step: told.step.to_owned(),
        because: told.because,
        rcode: rcode as u32,
        reply: told.reply.into(),
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

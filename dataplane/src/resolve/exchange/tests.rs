//! Claims about clients of servers that behave, and of servers that do not. All servers are ours, on loopback.

mod encrypted;
mod https;
mod server;
mod streams;

use super::*;
use server::Authority;
use std::{net::SocketAddr, time::Duration};

/// Within which a test that goes well has its reply.
const SOON: Duration = Duration::from_secs(10);

fn server(address: SocketAddr, way: Way) -> Server {
    Server { name: address.to_string(), address, way }
}

fn client(address: SocketAddr, way: Way) -> Client {
    Client::new(&server(address, way), &Trust::new(b""))
}

/// One that believes this authority too.
fn believer(address: SocketAddr, way: Way, authority: &Authority) -> Client {
    Client::new(&server(address, way), &Trust::new(authority.pem().as_bytes()))
}

/// Asks for the address of `<label>.test`.
fn query(id: u16, label: &str) -> Vec<u8> {
    let length = u8::try_from(label.len()).unwrap();
    let header = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    [&header[..], &[length], label.as_bytes(), b"\x04test\x00\x00\x01\x00\x01"].concat()
}

/// Asks, and sees that the reply is that to the question.
async fn asks(client: &Client, id: u16, label: &str) -> Result<(), ExchangeError> {
    let query = query(id, label);
    let reply = client.exchange(&query, Instant::now() + SOON).await?;
    assert_eq!(reply, server::reply_to(&query), "the reply is the server's, with the id of the query");
    Ok(())
}

/// What went wrong, as people read it.
async fn complaint(client: &Client) -> String {
    let error = asks(client, 1, "a").await.expect_err("a failure");
    crate::chain(&error)
}

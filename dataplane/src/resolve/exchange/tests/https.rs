//! HTTPS.

use super::{
    server::{Authority, reply_to},
    *,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Answers by path: `/dns-query` well, others in the ways that their names say.
async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let query = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked_well = head.method == http::Method::POST
        && head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/dns-message")
        && query.starts_with(&[0, 0])
        && head.uri.authority().is_some_and(|authority| authority.host() == "dns.example");
    let (status, kind, body) = match head.uri.path() {
        "/dns-query" if asked_well => (StatusCode::OK, "application/dns-message", reply_to(&query)),
        "/page" => (StatusCode::OK, "text/html", b"<html>".to_vec()),
        "/long" => (StatusCode::OK, "application/dns-message", vec![0; 65_536]),
        "/short" => (StatusCode::OK, "application/dns-message", vec![0; 5]),
        _ => (StatusCode::NOT_FOUND, "text/plain", b"no".to_vec()),
    };
    Ok(Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .body(Full::from(body))
        .expect("a response"))
}

/// A server of HTTP/2 that closes each connection after so long.
async fn https_server(authority: &Authority, protocol: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(authority.server(&["dns.example"], protocol)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let connection = http2::Builder::new(TokioExecutor::new());
                let _ = connection.serve_connection(TokioIo::new(stream), service_fn(respond)).await;
            });
        }
    });
    address
}

fn https(path: &str) -> Way {
    Way::Https { name: "dns.example".to_owned(), path: path.to_owned() }
}

#[tokio::test]
async fn rfc8484_s4_1_questions_are_posted_with_the_id_0_and_callers_have_theirs() {
    let authority = Authority::new();
    let address = https_server(&authority, "h2").await;
    let client = believer(address, https("/dns-query"), &authority);
    let labels = (0..50).map(|nth| format!("name{nth}")).collect::<Vec<_>>();
    for result in futures_util::future::join_all(labels.iter().map(|label| asks(&client, 9, label))).await {
        result.expect("a reply");
    }
}

#[tokio::test]
async fn what_is_not_a_reply_has_a_name() {
    let authority = Authority::new();
    let address = https_server(&authority, "h2").await;
    let table = [
        ("/missing", "the server answered with HTTP status 404"),
        ("/page", "the server sent `text/html` instead of application/dns-message"),
        ("/long", "the reply is longer than 65,535 octets"),
        ("/short", "the reply does not belong to the question"),
    ];
    for (path, expected) in table {
        assert_eq!(complaint(&believer(address, https(path), &authority)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_has_no_http_2_says_so() {
    let authority = Authority::new();
    let address = https_server(&authority, "http/1.1").await;
    let text = complaint(&believer(address, https("/dns-query"), &authority)).await;
    assert_eq!(text, format!("{address} does not speak HTTP/2"));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_says_whose_it_is() {
    let authority = Authority::new();
    let address = https_server(&authority, "h2").await;
    let way = Way::Https { name: "other.example".to_owned(), path: "/dns-query".to_owned() };
    let text = complaint(&believer(address, way, &authority)).await;
    assert_eq!(text, format!("the certificate of {address} is for dns.example, not for other.example"));
}

use super::*;
use crate::wait::{PATIENCE, eventually};
use std::{
    io::{Read, Write},
    time::Instant,
};

/// Sends back whatever it gets, on every connection.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn dial(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends some octets and waits for them to come back; how long that took.
fn round_trip(stream: &mut TcpStream, length: usize) -> io::Result<Duration> {
    let started = Instant::now();
    stream.write_all(&vec![7; length])?;
    stream.read_exact(&mut vec![0; length])?;
    Ok(started.elapsed())
}

#[test]
fn a_good_link_carries_both_ways_and_counts() {
    let proxy = Proxy::to(echo());
    round_trip(&mut dial(&proxy), 100_000).unwrap();
    // Octets are counted once they are sent: a moment after they may have arrived.
    eventually("all are counted", PATIENCE, || match BOTH.map(|way| proxy.passed(way)) {
        [100_000, 100_000] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("closed connections are forgotten", PATIENCE, || match proxy.connections() {
        0 => Ok(()),
        open => Err(format!("{open} open")),
    });
}

#[test]
fn a_cut_link_closes_what_there_is_and_refuses_what_comes_until_healed() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    round_trip(&mut stream, 10).unwrap();
    proxy.cut();
    assert!(round_trip(&mut stream, 10).is_err());
    let refused = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    proxy.heal();
    round_trip(&mut dial(&proxy), 10).unwrap();
}

#[test]
fn a_silent_link_says_nothing_and_closes_nothing() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    round_trip(&mut stream, 10).unwrap();
    proxy.silence();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    for stream in [&mut stream, &mut dial(&proxy)] {
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let nothing = round_trip(stream, 10).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }
    proxy.heal();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(
        round_trip(&mut stream, 10).is_err(),
        "a connection that lost something goes on as if nothing were missing"
    );
    round_trip(&mut dial(&proxy), 10).unwrap();
}

#[test]
fn delays_add_up_and_rates_are_kept() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    BOTH.into_iter().for_each(|way| proxy.delay(way, Duration::from_millis(40)));
    let took = round_trip(&mut stream, 10).unwrap();
    assert!(took >= Duration::from_millis(80), "{took:?}");
    proxy.heal();
    proxy.throttle(Way::Back, 100_000);
    let took = round_trip(&mut stream, 20_000).unwrap();
    assert!(took >= Duration::from_millis(150), "{took:?}");
    proxy.heal();
    round_trip(&mut stream, 10).unwrap();
}

#[test]
fn a_stalled_link_goes_on_where_it_stood_still() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    proxy.stall_after(Way::Out, 5);
    stream.write_all(b"0123456789").unwrap();
    let mut five = [0; 5];
    stream.read_exact(&mut five).unwrap();
    assert_eq!((&five, proxy.passed(Way::Out)), (b"01234", 5));
    proxy.heal();
    stream.read_exact(&mut five).unwrap();
    assert_eq!(&five, b"56789");
}

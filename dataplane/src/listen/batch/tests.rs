use super::*;
use std::{net::UdpSocket, time::Duration};

/// Long enough for a loaded machine; nothing waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(10);

fn batch_on(address: &str) -> (Batch, SocketAddr) {
    let address: SocketAddr = address.parse().unwrap();
    let socket = crate::listen::udp::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let bound = socket.local_addr().unwrap();
    (Batch::new(socket), bound)
}

/// A socket that hears one address only, and leaves from `from`.
fn client(from: &str, to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(from).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(to).unwrap();
    socket
}

fn heard(client: &UdpSocket) -> Vec<u8> {
    let mut reply = vec![0; 65_536];
    let length = client.recv(&mut reply).expect("a reply");
    reply.truncate(length);
    reply
}

/// Answers messages until so many have come, each with itself and an exclamation mark.
fn echo(batch: &mut Batch, count: usize) -> usize {
    let (mut done, mut unsent) = (0, 0);
    while done < count {
        done += batch.receive().unwrap();
        batch.answer(|query, reply| {
            reply.extend_from_slice(query.content.unwrap_or(b"long"));
            reply.push(b'!');
        });
        unsent += batch.send();
    }
    unsent
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn every_client_gets_its_own_reply() {
    let (mut batch, server) = batch_on("127.0.0.1:0");
    let clients: Vec<_> = (0..100).map(|_| client("127.0.0.1:0", server)).collect();
    for round in 0..3 {
        for (number, client) in clients.iter().enumerate() {
            client.send(format!("{round} {number}").repeat(number % 7).as_bytes()).unwrap();
        }
        assert_eq!(echo(&mut batch, clients.len()), 0);
        for (number, client) in clients.iter().enumerate() {
            let expected = format!("{round} {number}").repeat(number % 7) + "!";
            assert_eq!(String::from_utf8(heard(client)).unwrap(), expected);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn who_asked_and_what_is_told_as_it_came() {
    for (server, from) in [("127.0.0.1:0", "127.0.0.9:0"), ("[::1]:0", "[::1]:0")] {
        let Ok(_) = UdpSocket::bind(from) else {
            assert!(from.starts_with('['), "IPv4 works everywhere");
            continue;
        };
        let (mut batch, server) = batch_on(server);
        let client = client(from, server);
        client.send(b"hello").unwrap();
        assert_eq!(batch.receive().unwrap(), 1);
        let mut seen = Vec::new();
        batch.answer(|query, _| seen.push((query.content.map(<[u8]>::to_vec), query.client, query.asked)));
        assert_eq!(seen, [(Some(b"hello".to_vec()), client.local_addr().unwrap(), None)]);
        assert_eq!(batch.send(), 0, "nothing was said");
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn what_is_too_long_for_a_query_has_no_content_and_does_not_cut_the_next() {
    let (mut batch, server) = batch_on("127.0.0.1:0");
    let client = client("127.0.0.1:0", server);
    for length in [MAX_QUERY + 1, MAX_QUERY, 0, 65_507, 5] {
        client.send(&vec![b'x'; length]).unwrap();
    }
    assert_eq!(echo(&mut batch, 5), 0);
    let lengths: Vec<_> = (0..5).map(|_| heard(&client).len()).collect();
    assert_eq!(lengths, ["long!".len(), MAX_QUERY + 1, 1, "long!".len(), 6]);
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn a_reply_that_cannot_be_sent_keeps_no_other_from_going() {
    // First, last, in the middle, two in a row, all. No datagram can be longer than 65,507 octets.
    for bad in [&[0][..], &[9], &[4], &[3, 4], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        let (mut batch, server) = batch_on("127.0.0.1:0");
        let clients: Vec<_> = (0..10).map(|_| client("127.0.0.1:0", server)).collect();
        clients.iter().enumerate().for_each(|(number, client)| assert_eq!(client.send(&[number as u8]).unwrap(), 1));
        let mut received = 0;
        let mut unsent = 0;
        while received < 10 {
            received += batch.receive().unwrap();
            batch.answer(|query, reply| {
                let number = query.content.unwrap()[0];
                reply.push(number);
                if bad.contains(&usize::from(number)) {
                    reply.resize(reply.len() + 70_000, 0);
                }
            });
            unsent += batch.send();
        }
        assert_eq!(unsent, bad.len());
        for (number, client) in clients.iter().enumerate().filter(|(number, _)| !bad.contains(number)) {
            assert_eq!(heard(client), [number as u8]);
        }
        assert!(batch.replies.capacity() <= MAX_REPLIES_KEPT, "room for huge replies is given back");
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn a_receive_ends_when_nothing_comes() {
    let (batch, _) = batch_on("127.0.0.1:0");
    let socket = UdpSocket::from(batch.socket.try_clone().unwrap());
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut batch = batch;
    let error = batch.receive().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    batch.answer(|_, _| panic!("nothing was received"));
    assert_eq!(batch.send(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn on_a_wildcard_address_a_reply_leaves_from_the_address_that_was_asked() {
    let (mut batch, server) = batch_on("0.0.0.0:0");
    for asked in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        // The client hears `asked` only, and asks from an address for which the routes would choose 127.0.0.1.
        hears(&mut batch, "127.0.0.9:0", SocketAddr::new(asked.parse().unwrap(), server.port()));
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn on_the_ipv6_wildcard_a_reply_leaves_from_the_address_that_was_asked() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let (mut batch, server) = batch_on("[::]:0");
    let addresses = v6_addresses();
    if addresses.len() < 2 {
        eprintln!("this machine has one IPv6 address; a second one could not be asked");
    }
    for (address, interface) in addresses {
        let scope = if address.is_unicast_link_local() { interface } else { 0 };
        hears(&mut batch, "[::]:0", std::net::SocketAddrV6::new(address, server.port(), 0, scope).into());
    }
}

/// Asks one address, from a socket that hears no other.
fn hears(batch: &mut Batch, from: &str, asked: SocketAddr) {
    let client = client(from, asked);
    client.send(b"who?").unwrap();
    assert_eq!(batch.receive().unwrap(), 1);
    let mut told = None;
    batch.answer(|query, reply| {
        told = query.asked;
        reply.extend_from_slice(b"me");
    });
    assert_eq!((told, batch.send()), (Some(asked.ip()), 0));
    assert_eq!(heard(&client), b"me", "{asked}");
}

/// This machine's IPv6 addresses and their interfaces; not those still being looked into (RFC 4862 §5.4).
fn v6_addresses() -> Vec<(std::net::Ipv6Addr, u32)> {
    const TENTATIVE: u32 = 0x40;
    let text = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let address = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |word: &str| u32::from_str_radix(word, 16).ok();
        let address = u128::from_str_radix(words.first()?, 16).ok()?;
        (number(words.get(4)?)? & TENTATIVE == 0).then_some((address.into(), number(words.get(1)?)?))
    };
    text.lines().filter_map(address).collect()
}

/// Stands in for the kernel under Miri: reads and writes through the pointers exactly as it would, one message of the
/// queue at a time. What would be sent is kept.
#[cfg(miri)]
pub(super) mod system {
    use std::{cell::RefCell, collections::VecDeque, slice};

    #[derive(Default)]
    pub(crate) struct Kernel {
        pub(crate) waiting: VecDeque<Vec<u8>>,
        pub(crate) sent: Vec<(Vec<u8>, usize, usize)>,
        /// Sends that fail, by number, and with what.
        pub(crate) failing: Vec<(usize, i32)>,
        pub(crate) tried: usize,
    }

    thread_local! {
        pub(crate) static KERNEL: RefCell<Kernel> = RefCell::default();
    }

    fn fail(error: i32) -> libc::c_int {
        // SAFETY: the place is this thread's own.
        unsafe { *libc::__errno_location() = error };
        -1
    }

    /// # Safety
    /// As for the real one.
    pub(crate) unsafe fn recvmmsg(
        _socket: i32,
        messages: *mut libc::mmsghdr,
        count: usize,
        _flags: i32,
    ) -> libc::c_int {
        KERNEL.with_borrow_mut(|kernel| {
            let received = kernel.waiting.len().min(count);
            for (at, content) in kernel.waiting.drain(..received).enumerate() {
                // SAFETY: as the caller promises; this is what is put to the test.
                unsafe {
                    let message = &mut *messages.add(at);
                    let header = &mut message.msg_hdr;
                    let part = &*header.msg_iov;
                    let length = content.len().min(part.iov_len);
                    assert!(header.msg_namelen == 28 && header.msg_controllen == 40 && header.msg_flags == 0);
                    slice::from_raw_parts_mut(part.iov_base.cast::<u8>(), length).copy_from_slice(&content[..length]);
                    message.msg_len = length as u32;
                    header.msg_flags = if length < content.len() { libc::MSG_TRUNC } else { 0 };
                    let name = [&2u16.to_ne_bytes()[..], &[0, 53, 127, 0, 0, at as u8], &[0; 8]].concat();
                    slice::from_raw_parts_mut(header.msg_name.cast::<u8>(), 16).copy_from_slice(&name);
                    header.msg_namelen = 16;
                    let info = [7u32.to_ne_bytes(), [127, 0, 0, 2], [127, 0, 0, 2], [0; 4]].concat();
                    let control = header.msg_control.cast::<libc::cmsghdr>();
                    (*control).cmsg_len = 28;
                    (*control).cmsg_level = libc::IPPROTO_IP;
                    (*control).cmsg_type = libc::IP_PKTINFO;
                    slice::from_raw_parts_mut(control.add(1).cast::<u8>(), 16).copy_from_slice(&info);
                    header.msg_controllen = 32;
                }
            }
            if received == 0 { fail(libc::EAGAIN) } else { received as i32 }
        })
    }

    /// # Safety
    /// As for the real one.
    pub(crate) unsafe fn sendmmsg(
        _socket: i32,
        messages: *mut libc::mmsghdr,
        count: usize,
        _flags: i32,
    ) -> libc::c_int {
        KERNEL.with_borrow_mut(|kernel| {
            for at in 0..count {
                let number = kernel.tried;
                if let Some((_, error)) = kernel.failing.iter().find(|(failing, _)| *failing == number) {
                    if at > 0 {
                        return at as i32;
                    }
                    kernel.tried += 1;
                    return fail(*error);
                }
                kernel.tried += 1;
                // SAFETY: as the caller promises; this is what is put to the test.
                unsafe {
                    let message = &mut *messages.add(at);
                    let header = &message.msg_hdr;
                    let part = &*header.msg_iov;
                    let content = slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len).to_vec();
                    let name = slice::from_raw_parts(header.msg_name.cast::<u8>(), header.msg_namelen as usize);
                    let control = slice::from_raw_parts(header.msg_control.cast::<u8>(), header.msg_controllen);
                    kernel.sent.push((content, usize::from(name[7]), control.len()));
                    message.msg_len = part.iov_len as u32;
                }
            }
            count as i32
        })
    }
}

#[cfg(miri)]
mod under_miri {
    use super::{super::*, system::KERNEL};

    fn batch() -> Batch {
        let (reader, _) = io::pipe().unwrap();
        Batch::new(reader)
    }

    fn round(batch: &mut Batch, contents: &[&[u8]]) -> usize {
        KERNEL.with_borrow_mut(|kernel| {
            kernel.waiting.extend(contents.iter().map(|content| content.to_vec()));
            kernel.sent.clear();
            kernel.tried = 0;
        });
        assert_eq!(batch.receive().unwrap(), contents.len());
        batch.answer(|query, reply| {
            assert_eq!((query.client.port(), query.asked), (53, Some(IpAddr::from([127, 0, 0, 2]))));
            reply.extend_from_slice(query.content.unwrap_or(b"long"));
        });
        batch.send()
    }

    #[test]
    fn rounds_of_all_sizes() {
        // The batch moves between threads and rounds, as it does in life.
        let mut batch = std::thread::spawn(batch).join().unwrap();
        for count in [1, BATCH, 2, 3] {
            let contents: Vec<_> = (0..count).map(|at| vec![at as u8; at % 5]).collect();
            let contents: Vec<_> = contents.iter().map(Vec::as_slice).collect();
            assert_eq!(round(&mut batch, &contents), 0);
            let sent = KERNEL.with_borrow(|kernel| kernel.sent.clone());
            let expected = contents.iter().enumerate().filter(|(_, content)| !content.is_empty());
            assert!(sent.into_iter().eq(expected.map(|(at, content)| (content.to_vec(), at, 32))));
        }
        assert_eq!(batch.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        batch.answer(|_, _| panic!("nothing was received"));
        let long = vec![1; MAX_QUERY + 1];
        assert_eq!(round(&mut batch, &[&long, b"a"]), 0);
        let sent = KERNEL.with_borrow(|kernel| kernel.sent.clone());
        assert_eq!(sent, [(b"long".to_vec(), 0, 32), (b"a".to_vec(), 1, 32)]);
    }

    #[test]
    fn failing_sends() {
        for (failing, unsent, sent) in [
            (vec![(0, libc::EPERM)], 1, &b"bcd"[..]),
            (vec![(1, libc::EMSGSIZE), (3, libc::ENOBUFS)], 2, b"ac"),
            (vec![(2, libc::EAGAIN)], 2, b"ab"),
            (vec![(1, libc::EINTR)], 0, b"abcd"),
        ] {
            KERNEL.with_borrow_mut(|kernel| kernel.failing = failing);
            assert_eq!(round(&mut batch(), &[b"a", b"b", b"c", b"d"]), unsent);
            let taken: Vec<u8> =
                KERNEL.with_borrow(|kernel| kernel.sent.iter().flat_map(|sent| sent.0.clone()).collect());
            assert_eq!(taken, sent);
        }
    }
}

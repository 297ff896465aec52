//! Claims about what an OPT record brings and gets.

use super::*;

/// A query for `www.lab.test` A with these EDNS options.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = Ask { edns: Some((1232, 0, false)), ..ask("www.lab.test", RecordType::A) }.bytes();
    let length = bytes.len() - 2;
    bytes[length..].copy_from_slice(&(options.len() as u16).to_be_bytes());
    bytes.extend_from_slice(options);
    bytes
}

fn reply_to(bytes: &[u8], transport: Transport) -> Vec<u8> {
    let mut reply = Vec::new();
    answer(bytes, &asker(transport), &lab(), &mut reply);
    Message::from_vec(&reply).expect("our reply parses");
    reply
}

#[test]
fn rfc7873_s5_2_who_sends_a_cookie_gets_it_back_with_ours() {
    for shown in [&b""[..], b"\x01\0\0\x00\x5f\x5e\x10\x00whatever", &[9; 32]] {
        let option = [&[0, 10, 0, 8 + shown.len() as u8][..], b"mycookie", shown].concat();
        let reply = reply_to(&with_options(&option), Transport::Udp);
        let start = reply.windows(12).position(|octets| octets == b"\x00\x0a\x00\x18mycookie").expect("the option");
        let address = IpAddr::from([192, 0, 2, 99]);
        let expected = Cookies::with_secret([7; 16]).server(b"mycookie", address, 1_600_000_000);
        assert_eq!(reply[start + 12..], expected);
        assert_eq!(reply[3] & 0x0f, 0);
    }
    // RFC 7873 §5.2.2
    let reply = reply_to(&with_options(b"\x00\x0a\x00\x09mycookie7"), Transport::Udp);
    assert_eq!(reply[3] & 0x0f, 1, "FORMERR");
}

#[test]
fn rfc7828_s3_3_2_the_idle_timeout_is_told_over_tcp_only() {
    let query = with_options(b"\x00\x0b\x00\x00");
    let told = b"\x00\x0b\x00\x02\x00\x64"; // 10 s
    assert!(reply_to(&query, Transport::Tcp).ends_with(told));
    assert!(!reply_to(&query, Transport::Udp).ends_with(told));
}

#[test]
fn room_for_the_options_of_the_reply_is_set_aside() {
    // Twenty TXT records of 101 octets: whatever the limit, set and options together keep to it.
    for payload in (512..=1232).chain([2270, 2280, 2290, 2300, 4096]) {
        let mut bytes = Ask { edns: Some((payload, 0, false)), ..ask("big.lab.test", RecordType::TXT) }.bytes();
        let length = bytes.len() - 2;
        bytes[length..].copy_from_slice(&12u16.to_be_bytes());
        bytes.extend_from_slice(b"\x00\x0a\x00\x08mycookie");
        let snapshot = lab_with(Rules { max_udp_payload: 4096, ..Rules::default() });
        let mut reply = Vec::new();
        answer(&bytes, &asker(Transport::Udp), &snapshot, &mut reply);
        assert!(reply.len() <= usize::from(payload), "{} for {payload}", reply.len());
        assert_eq!(reply[2] & 2 != 0, reply[7] == 0, "truncated, or there");
    }
}

#[test]
fn rfc8467_s4_1_encrypted_replies_are_padded_to_blocks_if_the_query_was() {
    let (padded, plain) = (with_options(b"\x00\x0c\x00\x03\0\0\0"), with_options(b""));
    for transport in [Transport::Tls, Transport::Https, Transport::Quic] {
        assert_eq!(reply_to(&padded, transport).len(), 468);
        assert!(reply_to(&plain, transport).len() < 100);
    }
    // RFC 7830 §6
    for transport in [Transport::Tcp, Transport::Udp] {
        assert!(reply_to(&padded, transport).len() < 100);
    }
    let mut long = Ask { edns: Some((1232, 0, false)), ..ask("big.lab.test", RecordType::TXT) }.bytes();
    let length = long.len() - 2;
    long[length..].copy_from_slice(&[0, 4]);
    long.extend_from_slice(b"\x00\x0c\x00\x00");
    assert_eq!(reply_to(&long, Transport::Tls).len(), 5 * 468);
}

#[test]
fn rfc9250_s5_5_2_the_idle_timeout_is_told_over_tls_and_not_over_quic() {
    let query = with_options(b"\x00\x0b\x00\x00");
    let told = |transport| reply_to(&query, transport).ends_with(b"\x00\x0b\x00\x02\x00\x64");
    assert_eq!([Transport::Tls, Transport::Https, Transport::Quic].map(told), [true, false, false]);
}

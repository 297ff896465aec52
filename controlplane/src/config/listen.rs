//! Addresses to listen on, from the ways in which people write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Every address of this machine, in both families.
pub(super) const EVERYWHERE: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
/// This machine alone, in both families.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Text that says something.
pub(super) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A port written as text; empty means the default.
pub(super) fn port(text: &str, default: u16) -> Result<u16, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(default);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("is `{text}`, which is no port (0 to 65535)"))
}

/// One address, or several with commas between them; none means `default`.
pub(super) fn addresses(text: &str, default: [IpAddr; 2]) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        for address in address(item)? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(if addresses.is_empty() { default.to_vec() } else { addresses })
}

/// `address:port`, or `:port` for both families.
pub(super) fn address_and_port(text: &str) -> Result<Vec<SocketAddr>, String> {
    let text = text.trim();
    let refusal =
        || format!("is `{text}`; write an address and a port, such as `192.0.2.1:7946`, `[::]:7946` or `:7946`");
    let (host, port) = text.rsplit_once(':').ok_or_else(refusal)?;
    if port.is_empty() || (host.contains(':') && !host.starts_with('[')) {
        return Err(refusal());
    }
    let port = self::port(port, 0)?;
    let addresses = if host.is_empty() { EVERYWHERE.to_vec() } else { address(host)? };
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

fn address(text: &str) -> Result<Vec<IpAddr>, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(LOOPBACK.to_vec());
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed.map_or_else(|| text.parse().ok(), |inner| inner.parse().map(IpAddr::V6).ok()) {
        Some(address) => Ok(vec![address]),
        None => Err(format!("names `{text}`, which is not an IP address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_spelling() {
        let sockets = |text| {
            address_and_port(text).map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(sockets(":7946").as_deref(), Ok("0.0.0.0:7946 [::]:7946"));
        assert_eq!(sockets("127.0.0.1:0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(sockets("[::1]:7").as_deref(), Ok("[::1]:7"));
        assert_eq!(sockets("localhost:7").as_deref(), Ok("127.0.0.1:7 [::1]:7"));
        for text in
            ["7946", "127.0.0.1", "127.0.0.1:", "::1:7", "x:1", "[127.0.0.1]:1", "127.0.0.1:70000", "127.0.0.1:+1"]
        {
            assert!(sockets(text).is_err(), "{text}");
        }
        assert_eq!(addresses("", LOOPBACK), Ok(LOOPBACK.to_vec()));
        assert_eq!(addresses(" 0.0.0.0 , [::],0.0.0.0", LOOPBACK), Ok(EVERYWHERE.to_vec()));
        assert_eq!(addresses("eth0", LOOPBACK), Err("names `eth0`, which is not an IP address".to_owned()));
        assert_eq!((port("", 53), port(" 5353 ", 53)), (Ok(53), Ok(5353)));
        assert_eq!(port("http", 53), Err("is `http`, which is no port (0 to 65535)".to_owned()));
    }
}

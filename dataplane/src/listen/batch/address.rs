//! Socket addresses and the control message about the local one, as the kernel lays them out; read and written as octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for a `sockaddr_in` or `sockaddr_in6`.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    octets: [u8; 28],
}

/// Octets of a `sockaddr_in`, …
const V4_NAME: usize = 16;
/// … and of a `sockaddr_in6`.
const V6_NAME: usize = 28;

impl Name {
    /// The address, if the kernel has written one of a known family.
    #[inline]
    pub(super) fn parse(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        let [a, b, port @ .., c, d, e, f] = *self.octets.first_chunk::<8>()?;
        let port = u16::from_be_bytes(port);
        match (libc::c_int::from(u16::from_ne_bytes([a, b])), length as usize) {
            (libc::AF_INET, V4_NAME) => Some(SocketAddrV4::new(Ipv4Addr::new(c, d, e, f), port).into()),
            (libc::AF_INET6, V6_NAME) => {
                let address = Ipv6Addr::from(*self.octets[8..].first_chunk::<16>()?);
                let scope = u32::from_ne_bytes(*self.octets.last_chunk()?);
                Some(SocketAddrV6::new(address, port, u32::from_be_bytes([c, d, e, f]), scope).into())
            }
            _ => None,
        }
    }
}

/// Where a query came from, and which of our addresses it asked, if the kernel said so.
#[derive(Clone)]
pub(crate) struct Return {
    pub(super) name: Name,
    pub(super) name_length: libc::socklen_t,
    pub(super) control: Control,
    pub(super) control_length: usize,
}

impl Return {
    pub(super) fn new(name: Name, name_length: libc::socklen_t, mut control: Control, length: usize) -> Self {
        let control_length = control.turn_round(length);
        Self { name, name_length: name_length.min(V6_NAME as libc::socklen_t), control, control_length }
    }
}

impl std::fmt::Debug for Return {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Return").field(&self.name.parse(self.name_length)).finish()
    }
}

/// Room for one control message: an `in_pktinfo` or `in6_pktinfo` behind its header.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control {
    header: libc::cmsghdr,
    /// `in_pktinfo`: interface, our address for a reply, destination. `in6_pktinfo`: destination, interface.
    info: [u8; 24],
}

const HEADER: usize = size_of::<libc::cmsghdr>();
const V4_INFO: usize = 12;
const V6_INFO: usize = 20;

impl Control {
    /// Which of our addresses was asked. A broadcast has that of the interface it came in on.
    #[inline]
    pub(super) fn parse(&self, length: usize) -> Option<IpAddr> {
        match self.kind(length)? {
            Kind::V4 => Some(Ipv4Addr::from(*self.info[4..].first_chunk::<4>()?).into()),
            Kind::V6 => Some(Ipv6Addr::from(*self.info.first_chunk::<16>()?).into()),
        }
    }

    /// Makes of the message about a query the one for its reply; returns its length, 0 if the kernel is to choose.
    ///
    /// The interface is left to the kernel's routes, which may lead back over another one than the query came in on. Only
    /// a link-local address means nothing without its link.
    #[inline]
    pub(super) fn turn_round(&mut self, length: usize) -> usize {
        let (Some(kind), Some(asked)) = (self.kind(length), self.parse(length)) else { return 0 };
        let (interface, keep) = match asked {
            IpAddr::V4(asked) => (0..4, asked.is_link_local()),
            IpAddr::V6(asked) => (16..20, asked.is_unicast_link_local()),
        };
        if asked.is_multicast() {
            return 0;
        }
        if !keep {
            self.info[interface].fill(0);
        }
        HEADER + kind.size().next_multiple_of(size_of::<usize>())
    }

    #[inline]
    fn kind(&self, length: usize) -> Option<Kind> {
        let kind = match (self.header.cmsg_level, self.header.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => Kind::V4,
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Kind::V6,
            _ => return None,
        };
        // What an earlier message left here does not count: then `length` is zero.
        (length >= HEADER + kind.size() && self.header.cmsg_len == HEADER + kind.size()).then_some(kind)
    }
}

/// Which of the two it is.
#[derive(Clone, Copy)]
enum Kind {
    V4,
    V6,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Self::V4 => V4_INFO,
            Self::V6 => V6_INFO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(asked: &str, interface: u32) -> Control {
        let asked: Ipv6Addr = asked.parse().unwrap();
        let info: Vec<u8> = [&asked.octets()[..], &interface.to_ne_bytes(), &[0; 4]].concat();
        control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, V6_INFO, info.try_into().unwrap())
    }

    fn v4(asked: [u8; 4], interface: u32) -> Control {
        let info: Vec<u8> = [&interface.to_ne_bytes()[..], &asked, &asked, &[0; 12]].concat();
        control(libc::IPPROTO_IP, libc::IP_PKTINFO, V4_INFO, info.try_into().unwrap())
    }

    fn control(level: i32, kind: i32, size: usize, info: [u8; 24]) -> Control {
        let header = libc::cmsghdr { cmsg_len: HEADER + size, cmsg_level: level, cmsg_type: kind };
        Control { header, info }
    }

    #[test]
    fn only_a_link_local_address_keeps_its_link() {
        for (mut control, length, interface) in [
            (v6("2001:db8::1", 3), 40, 0),
            (v6("fe80::1", 3), 40, 3),
            (v4([192, 0, 2, 1], 3), 32, 0),
            (v4([169, 254, 0, 1], 3), 32, 3),
        ] {
            let asked = control.parse(length);
            assert_eq!(control.turn_round(length), length);
            assert_eq!(control.parse(length), asked);
            let at = if length == 40 { 16 } else { 0 };
            assert_eq!(control.info[at..at + 4], u32::to_ne_bytes(interface));
        }
    }

    #[test]
    fn where_no_reply_can_leave_from_the_kernel_chooses() {
        assert_eq!(v6("ff02::fb", 3).turn_round(40), 0);
        assert_eq!(v4([192, 0, 2, 1], 3).turn_round(0), 0, "what is left of an earlier message");
        assert_eq!(control(libc::SOL_SOCKET, libc::SCM_TIMESTAMP, 16, [1; 24]).turn_round(40), 0);
    }

    #[test]
    fn names_of_unknown_families_or_lengths_are_none() {
        let mut name = Name::default();
        assert_eq!(name.parse(0), None);
        name.octets[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        name.octets[2..4].copy_from_slice(&53u16.to_be_bytes());
        name.octets[23] = 1;
        name.octets[24..].copy_from_slice(&7u32.to_ne_bytes());
        assert_eq!(name.parse(28).map(|address| address.to_string()).as_deref(), Some("[::1%7]:53"));
        assert_eq!(name.parse(16), None);
    }
}

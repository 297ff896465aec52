//! Which fields the RDATA of each type has: one table for reading text and for checking octets.

use super::shape::Shape::{self, *};
use dnsplane_proto::RecordType;

/// The fields of one type.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// A value that is right, for error texts.
    pub(super) example: &'static str,
    /// What each field is called, with its article, and its shape.
    pub(super) fields: &'static [(&'static str, Shape)],
}

impl Form {
    /// The form of a type; `None` for types that we read in RFC 3597 form alone.
    pub(super) fn of(kind: RecordType) -> Option<Self> {
        let (example, fields): (_, &'static [(&'static str, Shape)]) = match kind {
            RecordType::A => ("192.0.2.10", &[("an address", Ipv4)]),
            RecordType::AAAA => ("2001:db8::10", &[("an address", Ipv6)]),
            RecordType::NS
            | RecordType::CNAME
            | RecordType::DNAME
            | RecordType::PTR
            | RecordType::MB
            | RecordType::MG
            | RecordType::MR => ("host.example", &[("a host name", Host)]),
            RecordType::SOA => (
                "ns1.example. hostmaster.example. 1 3600 600 86400 60",
                &[
                    ("a primary server", Host),
                    ("a mailbox", Host),
                    ("a serial", U32),
                    ("a refresh time", Period),
                    ("a retry time", Period),
                    ("an expiry time", Period),
                    ("a minimum TTL", Period),
                ],
            ),
            RecordType::MX => ("10 mail.example", &[("a preference", U16), ("a host name", Host)]),
            RecordType::TXT | RecordType::SPF | RecordType::AVC | RecordType::RESINFO | RecordType::WALLET => {
                ("\"v=spf1 -all\"", &[("text", Texts)])
            }
            RecordType::HINFO => ("\"ARM64\" \"Linux\"", &[("a CPU", Text), ("an operating system", Text)]),
            RecordType::RP => ("admin.example info.example", &[("a mailbox", Host), ("a name with TXT records", Host)]),
            RecordType::AFSDB => ("1 afs.example", &[("a subtype", U16), ("a host name", Host)]),
            RecordType::KX | RecordType::RT | RecordType::LP => {
                ("10 kx.example", &[("a preference", U16), ("a host name", Host)])
            }
            RecordType::PX => (
                "10 map.example x400.example",
                &[("a preference", U16), ("a domain name", Host), ("a name of X.400", Host)],
            ),
            RecordType::MINFO => {
                ("admin.example errors.example", &[("a mailbox", Host), ("a mailbox for errors", Host)])
            }
            RecordType::X25 => ("\"311061700956\"", &[("an address", Text)]),
            RecordType::GPOS => {
                ("-32.6882 116.8652 10.0", &[("a longitude", Text), ("a latitude", Text), ("an altitude", Text)])
            }
            RecordType::L32 => ("10 192.0.2.0", &[("a preference", U16), ("a locator", Ipv4)]),
            RecordType::LOC => ("52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", &[("a location", Location)]),
            RecordType::SRV => (
                "10 5 5060 sip.example",
                &[("a priority", U16), ("a weight", U16), ("a port", U16), ("a host name", Host)],
            ),
            RecordType::NAPTR => (
                "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .",
                &[
                    ("an order", U16),
                    ("a preference", U16),
                    ("flags", Text),
                    ("a service", Text),
                    ("a regular expression", Text),
                    ("a replacement", Host),
                ],
            ),
            RecordType::CERT => (
                "PKIX 0 RSASHA256 MIIBIjAN",
                &[
                    ("a certificate type", Certificate),
                    ("a key tag", U16),
                    ("an algorithm", Algorithm),
                    ("a certificate in base 64", Base64),
                ],
            ),
            RecordType::APL => ("1:192.0.2.0/24 !2:2001:db8::/32", &[("address prefixes", Prefixes)]),
            RecordType::DS | RecordType::CDS | RecordType::DLV | RecordType::TA => (
                "60485 13 2 D4B7D520E7BB5F0F",
                &[
                    ("a key tag", U16),
                    ("an algorithm", Algorithm),
                    ("a digest type", U8),
                    ("a digest in hexadecimal", Hex),
                ],
            ),
            RecordType::DNSKEY | RecordType::CDNSKEY | RecordType::KEY => (
                "257 3 13 oJMRESz5",
                &[("flags", U16), ("a protocol", U8), ("an algorithm", Algorithm), ("a key in base 64", Base64)],
            ),
            RecordType::SSHFP => (
                "4 2 123456789abcdef0",
                &[("an algorithm", U8), ("a fingerprint type", U8), ("a fingerprint in hexadecimal", Hex)],
            ),
            RecordType::RRSIG | RecordType::SIG => (
                "A 13 2 3600 20300101000000 20290101000000 60485 example. oJMRESz5",
                &[
                    ("a record type", Kind),
                    ("an algorithm", Algorithm),
                    ("a number of labels", U8),
                    ("a TTL", U32),
                    ("an expiration", Moment),
                    ("an inception", Moment),
                    ("a key tag", U16),
                    ("a signer", Host),
                    ("a signature in base 64", Base64),
                ],
            ),
            RecordType::NSEC => ("next.example. A RRSIG NSEC", &[("a next name", Host), ("record types", Kinds)]),
            RecordType::NSEC3 => (
                "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG",
                &[
                    ("a hash algorithm", U8),
                    ("flags", U8),
                    ("iterations", U16),
                    ("a salt", Salt),
                    ("a next hash", Hash),
                    ("record types", Kinds),
                ],
            ),
            RecordType::NSEC3PARAM => {
                ("1 0 0 -", &[("a hash algorithm", U8), ("flags", U8), ("iterations", U16), ("a salt", Salt)])
            }
            RecordType::DHCID => ("AAIBY2/AuCcc", &[("an identifier in base 64", Base64)]),
            RecordType::TLSA | RecordType::SMIMEA => (
                "3 1 1 0123456789abcdef",
                &[
                    ("a certificate usage", U8),
                    ("a selector", U8),
                    ("a matching type", U8),
                    ("certificate data in hexadecimal", Hex),
                ],
            ),
            RecordType::OPENPGPKEY => ("mQENBFQA", &[("a key in base 64", Base64)]),
            RecordType::CSYNC => ("66 3 A NS AAAA", &[("a serial", U32), ("flags", U16), ("record types", Kinds)]),
            RecordType::ZONEMD => (
                "2018031500 1 1 62206220",
                &[("a serial", U32), ("a scheme", U8), ("a hash algorithm", U8), ("a digest in hexadecimal", Hex)],
            ),
            RecordType::SVCB | RecordType::HTTPS => (
                "1 . alpn=\"h2,h3\" ipv4hint=192.0.2.10",
                &[("a priority", U16), ("a target", Host), ("parameters", Services)],
            ),
            RecordType::EUI48 => ("00-00-5e-00-53-2a", &[("an address", Eui(6))]),
            RecordType::EUI64 => ("00-00-5e-ef-10-00-00-2a", &[("an address", Eui(8))]),
            RecordType::URI => {
                ("10 1 \"https://www.example/\"", &[("a priority", U16), ("a weight", U16), ("a target", Remainder)])
            }
            RecordType::CAA => ("0 issue \"ca.example\"", &[("flags", U8), ("a tag", Tag), ("a value", Remainder)]),
            _ => return None,
        };
        Some(Self { example, fields })
    }

    /// What the type wants, in words: `a preference and a host name`.
    pub(super) fn wants(self) -> String {
        let mut wants = String::new();
        for (at, (name, _)) in self.fields.iter().enumerate() {
            if at > 0 {
                wants.push_str(if at + 1 == self.fields.len() { " and " } else { ", " });
            }
            wants.push_str(name);
        }
        wants
    }

    /// Whether a value of this type may have so many words.
    pub(super) fn takes(self, words: usize) -> bool {
        let least = self.fields.iter().filter(|(_, shape)| shape.needs_a_word()).count();
        let open = self.fields.last().is_some_and(|(_, shape)| shape.takes_the_rest());
        words >= least && (open || words <= self.fields.len())
    }

    /// Whether bare `;` and parentheses would be lost from what was meant as text.
    pub(super) fn is_free_text(self) -> bool {
        matches!(self.fields, [(_, Texts)])
    }
}

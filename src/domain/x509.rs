//! Reads of a certificate what a person compares: subject and expiry. Verifies nothing.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::thumbprint::{ServerCertificate, Thumbprint};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// What a certificate in DER says. What cannot be read is left empty: the thumbprint is what counts.
pub fn describe(der: &[u8]) -> ServerCertificate {
    let read = validity_and_subject(der);
    let (not_after, subject) = read.unwrap_or((None, String::new()));
    let subject = if subject.is_empty() { "no subject".to_owned() } else { subject };
    ServerCertificate { thumbprint: thumbprint(der), subject, not_after }
}

/// The SHA-256 of a certificate in DER.
pub fn thumbprint(der: &[u8]) -> Thumbprint {
    Thumbprint::from_bytes(Sha256::digest(der).into())
}

/// A walk over one level of DER (ITU-T X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and what it holds.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }
}

/// RFC 5280, 4.1: version, serial, signature, issuer, validity, subject.
fn validity_and_subject(der: &[u8]) -> Option<(Option<Timestamp>, String)> {
    let mut certificate = Der(Der(der).expect(SEQUENCE)?);
    let mut fields = Der(certificate.expect(SEQUENCE)?);
    let (tag, _) = fields.next()?;
    if tag == VERSION {
        fields.next()?;
    }
    fields.expect(SEQUENCE)?;
    fields.expect(SEQUENCE)?;
    let mut validity = Der(fields.expect(SEQUENCE)?);
    validity.next()?;
    let not_after = validity.next().and_then(|(tag, text)| time(tag, text));
    Some((not_after, name(fields.expect(SEQUENCE)?)))
}

fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // RFC 5280, 4.1.2.5.1: two digits from 50 on are of the last century.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn name(rdns: &[u8]) -> String {
    let (mut parts, mut rdns) = (Vec::new(), Der(rdns));
    while let Some(set) = rdns.expect(SET) {
        let mut set = Der(set);
        while let Some(attribute) = set.expect(SEQUENCE) {
            let mut attribute = Der(attribute);
            let (Some(id), Some((_, value))) = (attribute.expect(OBJECT_ID), attribute.next()) else {
                continue;
            };
            let label = match id {
                [0x55, 0x04, 3] => "CN",
                [0x55, 0x04, 6] => "C",
                [0x55, 0x04, 7] => "L",
                [0x55, 0x04, 8] => "ST",
                [0x55, 0x04, 10] => "O",
                [0x55, 0x04, 11] => "OU",
                _ => continue,
            };
            let value: String =
                String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).take(128).collect();
            parts.push(format!("{label}={value}"));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_and_expiry_are_read_from_a_certificate() {
        let mut parameters = rcgen::CertificateParams::new(vec!["vc-a.example".to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "vc-a.example");
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        for year in [2049, 2051] {
            parameters.not_after = rcgen::date_time_ymd(year, 2, 3);
            let der = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let found = describe(der.der());
            for part in ["CN=vc-a.example", "O=Example"] {
                assert!(found.subject.contains(part), "{}", found.subject);
            }
            assert_eq!(found.not_after.unwrap().to_string(), format!("{year}-02-03T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_no_certificate_has_a_thumbprint_and_nothing_else() {
        for junk in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", &[0x30; 40]] {
            let found = describe(junk);
            assert_eq!((found.subject.as_str(), found.not_after), ("no subject", None));
        }
    }
}

//! A certificate authority with RSA keys, as WeChat Pay and Alipay have one.

use crate::crypto::{RsaKey, random};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
    SerialNumber,
};

/// An authority, and its certificate.
pub(crate) struct Authority {
    /// PEM.
    pub(crate) cert: String,
    issuer: Issuer<'static, KeyPair>,
}

/// An attribute of a name.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    C,
    O,
    Ou,
    Cn,
}

fn rcgen_key(key: &RsaKey) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&key.pkcs8().as_slice().into(), &PKCS_RSA_SHA256)
        .expect("rcgen takes an aws-lc key")
}

fn params(name: &[(Part, &str)], serial: Vec<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut dn = DistinguishedName::new();
    for (part, value) in name {
        let part = match part {
            Part::C => DnType::CountryName,
            Part::O => DnType::OrganizationName,
            Part::Ou => DnType::OrganizationalUnitName,
            Part::Cn => DnType::CommonName,
        };
        dn.push(part, *value);
    }
    params.distinguished_name = dn;
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    params
}

/// RFC 2253 order, most specific first, as Alipay's serial-number algorithm wants it.
pub(crate) fn rfc2253(name: &[(Part, &str)]) -> String {
    let parts: Vec<String> = name
        .iter()
        .rev()
        .map(|(part, value)| {
            let key = match part {
                Part::C => "C",
                Part::O => "O",
                Part::Ou => "OU",
                Part::Cn => "CN",
            };
            format!("{key}={value}")
        })
        .collect();
    parts.join(",")
}

/// A positive serial of 16 bytes.
pub(crate) fn serial16() -> u128 {
    u128::from_be_bytes(random()) >> 2 | 1 << 124
}

impl Authority {
    pub(crate) fn new(name: &'static [(Part, &'static str)], key: &RsaKey, serial: u128) -> Self {
        let mut params = params(name, serial.to_be_bytes().to_vec());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen_key(key);
        let cert = params.self_signed(&key).expect("a self-signed certificate").pem();
        Self { cert, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, subject: &[(Part, &str)], key: &RsaKey, serial: Vec<u8>) -> String {
        params(subject, serial).signed_by(&rcgen_key(key), &self.issuer).expect("an issued certificate").pem()
    }
}

//! Facts read from X.509 certificates: serial numbers, public keys, validity.
//!
//! Alipay's serial number is its own: MD5 over the issuer's name and the decimal serial
//! (`docs/protocols/alipay.md#certificates`, opendocs "证书序列号").

use super::pem::{Kind, all_of, der_of};
use super::{CryptoError, hash};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

/// A parsed certificate.
#[derive(Clone)]
pub struct Certificate(Box<x509_cert::Certificate>);

/// The RSA family of signature algorithms: only such roots count in `alipay_root_cert_sn`.
const RSA_FAMILY: &str = "1.2.840.113549.1.1.";

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

impl Certificate {
    /// Reads a certificate: PEM, or bare base64 DER. Of a chain it is the one that issued none of the others.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let mut chain = Self::parse_all(text)?;
        let name = |certificate: &Self| certificate.0.tbs_certificate().subject().clone();
        let issued = |at: usize| {
            let subject = name(&chain[at]);
            let mut others = chain.iter().enumerate().filter(|(other, _)| *other != at);
            others.any(|(_, other)| *other.0.tbs_certificate().issuer() == subject)
        };
        let leaf = if chain.len() == 1 { 0 } else { (0..chain.len()).find(|at| !issued(*at)).unwrap_or(0) };
        Ok(chain.swap_remove(leaf))
    }

    /// Reads every certificate of a PEM text, at least one; or bare base64 DER.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse_all(text: &str) -> Result<Vec<Self>, CryptoError> {
        let ders = all_of(text, Kind::Certificate);
        if ders.is_empty() {
            let der = der_of(text, Kind::Certificate).map_err(|error| error.or(CryptoError::Certificate))?;
            return Ok(vec![Self::from_der(&der)?]);
        }
        ders.iter().map(|der| Self::from_der(der)).collect()
    }

    /// Reads a certificate from DER.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`].
    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        x509_cert::Certificate::from_der(der).map(|c| Self(Box::new(c))).map_err(|_| CryptoError::Certificate)
    }

    pub(super) fn inner(&self) -> &x509_cert::Certificate {
        &self.0
    }

    /// The serial number in upper-case hex without leading zeros, as WeChat Pay's `serial_no`.
    pub fn serial_hex(&self) -> String {
        let text = hex::encode_upper(self.0.tbs_certificate().serial_number().as_bytes());
        text.trim_start_matches('0').to_owned()
    }

    /// The DER of the SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`].
    pub fn spki(&self) -> Result<Vec<u8>, CryptoError> {
        self.0.tbs_certificate().subject_public_key_info().to_der().map_err(|_| CryptoError::Certificate)
    }

    /// Whether it can be a root: it names itself as its issuer, and does not say that it issues nothing.
    pub fn is_root(&self) -> bool {
        let tbs = self.0.tbs_certificate();
        tbs.issuer() == tbs.subject() && authority(&self.0) != Some(false)
    }

    /// The certificate in PEM.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`].
    pub fn to_pem(&self) -> Result<String, CryptoError> {
        let der = self.0.to_der().map_err(|_| CryptoError::Certificate)?;
        Ok(pem("CERTIFICATE", &der))
    }

    /// `notBefore` and `notAfter` in Unix seconds.
    pub fn validity(&self) -> (i64, i64) {
        let validity = self.0.tbs_certificate().validity();
        let seconds = |t: x509_cert::time::Time| t.to_unix_duration().as_secs() as i64;
        (seconds(validity.not_before), seconds(validity.not_after))
    }

    /// Alipay's serial number: 32 lower-case hex digits.
    pub fn alipay_sn(&self) -> String {
        let tbs = self.0.tbs_certificate();
        let text = format!("{}{}", tbs.issuer(), decimal(tbs.serial_number().as_bytes()));
        hash::md5_hex(text.as_bytes())
    }
}

/// `alipay_root_cert_sn`: the serial numbers of the RSA roots in the file, joined with `_` in its order.
pub fn alipay_root_sn(pem: &str) -> String {
    joined_sn(&alipay_roots(pem))
}

/// The certificates of the file that count for it. Those that cannot be parsed (SM2 ones in some parsers) are
/// skipped, as every SDK does.
pub fn alipay_roots(pem: &str) -> Vec<Certificate> {
    all_of(pem, Kind::Certificate)
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .filter(|c| c.0.signature_algorithm().oid.to_string().starts_with(RSA_FAMILY))
        .collect()
}

/// Alipay's serial numbers of some certificates, joined with `_`.
pub fn joined_sn(certificates: &[Certificate]) -> String {
    certificates.iter().map(Certificate::alipay_sn).collect::<Vec<_>>().join("_")
}

/// A big-endian unsigned number in decimal.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0u8];
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|d| char::from(b'0' + d)).collect()
}

/// The private key and certificate chain of a PKCS#12 archive, as one PEM text.
pub fn identity_of_pkcs12(archive: &[u8], pass_phrase: &str) -> Option<String> {
    let store =
        p12_keystore::KeyStore::from_pkcs12(archive, pass_phrase, p12_keystore::Pkcs12ImportPolicy::Relaxed).ok()?;
    let (_, chain) = store.private_key_chain()?;
    let mut text = pem("PRIVATE KEY", chain.key().as_der());
    for certificate in chain.certs() {
        text.push_str(&pem("CERTIFICATE", certificate.as_der()));
    }
    Some(text)
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", super::base64(der))
}

pub(super) fn extension(certificate: &x509_cert::Certificate, oid: ObjectIdentifier) -> Option<&[u8]> {
    let mut extensions = certificate.tbs_certificate().extensions()?.iter();
    extensions.find(|extension| extension.extn_id == oid).map(|extension| extension.extn_value.as_bytes())
}

/// Whether a certificate may issue others; `None` when it does not say so. An unreadable extension is no.
pub(super) fn authority(certificate: &x509_cert::Certificate) -> Option<bool> {
    let constraints = BasicConstraints::from_der(extension(certificate, BASIC_CONSTRAINTS)?);
    let usage = extension(certificate, KEY_USAGE).map(KeyUsage::from_der);
    let may_sign = match usage {
        None => true,
        Some(Ok(usage)) => usage.key_cert_sign(),
        Some(Err(_)) => false,
    };
    Some(constraints.is_ok_and(|c| c.ca) && may_sign)
}

//! Facts read from X.509 certificates: serial numbers, public keys, validity.
//!
//! Alipay's serial number is its own: MD5 over the issuer's name and the decimal serial
//! (`protocols/alipay.md` 1.5, opendocs "证书序列号").

use super::{CryptoError, hash, pem_blocks};
use x509_cert::der::{Decode, Encode};

/// A parsed certificate.
#[derive(Clone)]
pub struct Certificate(Box<x509_cert::Certificate>);

/// The RSA family of signature algorithms: only such roots count in `alipay_root_cert_sn`.
const RSA_FAMILY: &str = "1.2.840.113549.1.1.";

impl Certificate {
    /// Reads the first certificate of a PEM text, or bare base64 DER.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        Self::from_der(&super::der_of(text).map_err(|_| CryptoError::Certificate)?)
    }

    /// Reads a certificate from DER.
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
    pub fn spki(&self) -> Result<Vec<u8>, CryptoError> {
        self.0.tbs_certificate().subject_public_key_info().to_der().map_err(|_| CryptoError::Certificate)
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
/// Certificates that cannot be parsed (SM2 ones in some parsers) are skipped, as every SDK does.
pub fn alipay_root_sn(pem: &str) -> String {
    pem_blocks(pem)
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .filter(|c| c.0.signature_algorithm().oid.to_string().starts_with(RSA_FAMILY))
        .map(|c| c.alipay_sn())
        .collect::<Vec<_>>()
        .join("_")
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
pub(crate) fn identity_of_pkcs12(archive: &[u8], pass_phrase: &str) -> Option<String> {
    let store =
        p12_keystore::KeyStore::from_pkcs12(archive, pass_phrase, p12_keystore::Pkcs12ImportPolicy::Relaxed).ok()?;
    let (_, chain) = store.private_key_chain()?;
    let pem =
        |label: &str, der: &[u8]| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", super::base64(der));
    let mut text = pem("PRIVATE KEY", chain.key().as_der());
    for certificate in chain.certs() {
        text.push_str(&pem("CERTIFICATE", certificate.as_der()));
    }
    Some(text)
}

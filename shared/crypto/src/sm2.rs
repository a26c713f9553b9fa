//! SM2 with SM3 (GM/T 0003): signatures, verified only.

use super::pem::{Kind, der_of};
use super::{CryptoError, from_base64};
use sm2::dsa::signature::Verifier;
use sm2::dsa::{Signature, VerifyingKey};
use x509_cert::der::Decode;

/// The signer's id where nobody names one; the standard's default.
const SIGNER: &str = "1234567812345678";

/// A public key on the SM2 curve.
#[derive(Clone)]
pub struct Sm2Key(VerifyingKey);

impl Sm2Key {
    /// Reads a public key: 130 hex digits (an uncompressed point), 128 (the same without its `04`), a
    /// SubjectPublicKeyInfo or a certificate, in PEM or as bare base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`].
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("SM2 public key");
        let compact: String = text.trim_start_matches('\u{feff}').split_ascii_whitespace().collect();
        let point = match hex::decode(&compact) {
            Ok(point) if point.len() == 64 => [&[4], point.as_slice()].concat(),
            Ok(point) => point,
            Err(_) => {
                let der = der_of(text, Kind::PublicKey).map_err(|error| error.or(BAD))?;
                let spki = match x509_cert::Certificate::from_der(&der) {
                    Ok(certificate) => certificate.tbs_certificate().subject_public_key_info().clone(),
                    Err(_) => x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&der).map_err(|_| BAD)?,
                };
                spki.subject_public_key.as_bytes().ok_or(BAD)?.to_vec()
            }
        };
        if point.len() != 65 {
            return Err(BAD);
        }
        VerifyingKey::from_sec1_bytes(SIGNER, &point).map(Self).map_err(|_| BAD)
    }

    /// Verifies a base64 signature in DER.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        let Ok(der) = from_base64(signature) else { return false };
        Signature::from_der(&der).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

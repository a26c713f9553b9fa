//! RSA before another judge: the crate `rsa`, which shares no line with aws-lc. What one signs, seals and writes the
//! other must verify, open and read, and what one refuses the other must refuse. The keys are made here.

use crate::config_faults::{document, judged, keys, with};
use crate::world::World;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::signature::{RandomizedSigner, SignatureEncoding, Verifier};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, Oaep, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey, pss};
use sandbox::Mode;
use serde_json::{Value, json};
use sha1_for_rsa::Sha1;
use shared::config::Config;
use shared::crypto::rsa::{PrivateKey, PublicKey};
use shared::crypto::{base64, cert::Certificate, from_base64};
use shared::providers::wxpay::Api;
use std::path::Path;
use std::sync::OnceLock;

/// One key in both hands.
struct Pair {
    theirs: RsaPrivateKey,
    their_public: RsaPublicKey,
    ours: PrivateKey,
    our_public: PublicKey,
    /// SubjectPublicKeyInfo, by them.
    spki: Vec<u8>,
}

/// The whole key, so that a failure can be repeated.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64(self.theirs.to_pkcs8_der().unwrap().as_bytes()))
    }
}

impl Pair {
    fn new(theirs: RsaPrivateKey) -> Self {
        let their_public = theirs.to_public_key();
        let spki = their_public.to_public_key_der().unwrap().into_vec();
        let pkcs8 = theirs.to_pkcs8_der().unwrap();
        let ours = PrivateKey::parse(&base64(pkcs8.as_bytes())).unwrap();
        let our_public = PublicKey::from_der(&spki).unwrap();
        Self { theirs, their_public, ours, our_public, spki }
    }

    /// A key that aws-lc made.
    fn of_ours(size: KeySize) -> Self {
        let made = KeyPair::generate(size).unwrap();
        let der: Pkcs8V1Der<'_> = made.as_der().unwrap();
        Self::new(RsaPrivateKey::from_pkcs8_der(der.as_ref()).unwrap())
    }

    /// A key that `rsa` made.
    fn of_theirs(bits: usize, exponent: u32) -> Self {
        Self::new(RsaPrivateKey::new_with_exp(&mut OsRng, bits, &exponent.into()).unwrap())
    }

    fn size(&self) -> usize {
        self.their_public.size()
    }

    fn they_verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.their_public.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature).is_ok()
    }

    fn we_verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.our_public.verify(message, &base64(signature))
    }

    /// What both say of a PKCS#1 v1.5 signature with SHA-256.
    fn both_verify(&self, message: &[u8], signature: &[u8]) -> (bool, bool) {
        (self.we_verify(message, signature), self.they_verify(message, signature))
    }

    /// What both say of a PSS signature with SHA-256 and a salt of 32 bytes.
    fn both_verify_pss(&self, message: &[u8], signature: &[u8]) -> (bool, bool) {
        let ours = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &self.spki);
        let theirs = pss::VerifyingKey::<Sha256>::new(self.their_public.clone());
        let read = pss::Signature::try_from(signature);
        (ours.verify(message, signature).is_ok(), read.is_ok_and(|read| theirs.verify(message, &read).is_ok()))
    }

    fn they_sign(&self, message: &[u8]) -> Vec<u8> {
        self.theirs.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)).unwrap()
    }

    fn they_sign_pss(&self, message: &[u8], salt: usize) -> Vec<u8> {
        let key = pss::SigningKey::<Sha256>::new_with_salt_len(self.theirs.clone(), salt);
        key.sign_with_rng(&mut OsRng, message).to_vec()
    }

    fn they_seal(&self, padding: Oaep, plain: &[u8]) -> rsa::Result<Vec<u8>> {
        self.their_public.encrypt(&mut OsRng, padding, plain)
    }

    fn they_open(&self, padding: Oaep, sealed: &[u8]) -> rsa::Result<Vec<u8>> {
        self.theirs.decrypt(padding, sealed)
    }

    /// The longest text that fits into OAEP with SHA-1.
    fn room(&self) -> usize {
        self.size() - 2 * 20 - 2
    }
}

const BOTH: (bool, bool) = (true, true);
const NEITHER: (bool, bool) = (false, false);

/// Keys of the sizes that providers give out, by either maker; one with a small exponent, as old tools make them, and
/// one whose size is no multiple of eight, where PSS pads one byte less than the key has.
fn pairs() -> &'static [Pair; 6] {
    static PAIRS: OnceLock<[Pair; 6]> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let [usual, longer, longest] = [KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096].map(Pair::of_ours);
        let [theirs, small, odd] = [(2048, 65_537), (2048, 3), (2049, 65_537)].map(|(b, e)| Pair::of_theirs(b, e));
        [usual, longer, longest, theirs, small, odd]
    })
}

fn any_pair() -> impl Strategy<Value = &'static Pair> {
    (0..pairs().len()).prop_map(|at| &pairs()[at])
}

fn a_text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=longest)
}

/// The bytes with one bit changed; with one byte more when there is none.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    match bit.checked_rem(8 * bytes.len()) {
        Some(bit) => changed[bit / 8] ^= 1 << (bit % 8),
        None => changed.push(0),
    }
    changed
}

/// The bytes cut by one, and with a zero at either end.
fn resized(bytes: &[u8]) -> [Vec<u8>; 4] {
    [bytes[1..].to_vec(), bytes[..bytes.len() - 1].to_vec(), [&[0], bytes].concat(), [bytes, &[0]].concat()]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..ProptestConfig::default()
    })]

    /// WeChat Pay's APIv3, Alipay's RSA2, epay's v2, VksPay's and Douyin's keys, RS256.
    #[test]
    fn pkcs1_signatures_are_the_same_bytes_and_one_bit_spoils_them(
        pair in any_pair(), message in a_text(700), bit in any::<usize>(), other in any::<usize>(),
    ) {
        let signature = from_base64(&pair.ours.sign(&message).unwrap()).unwrap();
        prop_assert_eq!(&signature, &pair.they_sign(&message));
        prop_assert_eq!(pair.both_verify(&message, &signature), BOTH);
        prop_assert_eq!(pair.both_verify(&flipped(&message, bit), &signature), NEITHER);
        prop_assert_eq!(pair.both_verify(&message, &flipped(&signature, bit)), NEITHER);
        for resized in resized(&signature) {
            prop_assert_eq!(pair.both_verify(&message, &resized), NEITHER);
        }
        for stranger in pairs().iter().filter(|stranger| stranger.spki != pair.spki) {
            prop_assert_eq!(stranger.both_verify(&message, &signature), NEITHER);
        }
        prop_assert_eq!(pair.both_verify_pss(&message, &signature), NEITHER, "is no PSS");
        let wrong = match other % 3 {
            0 => pair.theirs.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(&message)),
            1 => pair.theirs.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(&message)),
            _ => pair.theirs.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(&message)),
        };
        prop_assert_eq!(pair.both_verify(&message, &wrong.unwrap()), NEITHER, "another hash");
    }

    /// Huawei's Payment Kit.
    #[test]
    fn pss_signatures_verify_on_both_sides_and_only_with_a_salt_of_32(
        pair in any_pair(), message in a_text(700), bit in any::<usize>(), salt in 0..=190usize,
    ) {
        let ours = from_base64(&pair.ours.sign_pss(&message).unwrap()).unwrap();
        let theirs = pair.they_sign_pss(&message, 32);
        for signature in [&ours, &theirs] {
            prop_assert_eq!(pair.both_verify_pss(&message, signature), BOTH);
            prop_assert_eq!(pair.both_verify_pss(&flipped(&message, bit), signature), NEITHER);
            prop_assert_eq!(pair.both_verify_pss(&message, &flipped(signature, bit)), NEITHER);
            for resized in resized(signature) {
                prop_assert_eq!(pair.both_verify_pss(&message, &resized), NEITHER);
            }
            prop_assert_eq!(pair.both_verify(&message, signature), NEITHER, "is no PKCS#1 v1.5");
        }
        prop_assert_ne!(ours, theirs, "salted");
        for salt in [0, 20, 31, 33, salt] {
            let wanted = if salt == 32 { BOTH } else { NEITHER };
            prop_assert_eq!(pair.both_verify_pss(&message, &pair.they_sign_pss(&message, salt)), wanted, "{}", salt);
        }
        let key = pss::SigningKey::<Sha512>::new_with_salt_len(pair.theirs.clone(), 32);
        let wrong = key.sign_with_rng(&mut OsRng, &message).to_vec();
        prop_assert_eq!(pair.both_verify_pss(&message, &wrong), NEITHER, "another hash");
    }

    /// WeChat Pay's sensitive fields.
    #[test]
    fn oaep_opens_on_both_sides_and_with_another_label_hash_key_or_bit_on_neither(
        pair in any_pair(), text in a_text(470), bit in any::<usize>(),
    ) {
        let plain = &text[..text.len().min(pair.room())];
        let ours = from_base64(&pair.our_public.encrypt_oaep(plain).unwrap()).unwrap();
        let theirs = pair.they_seal(Oaep::new::<Sha1>(), plain).unwrap();
        prop_assert_ne!(&ours, &theirs, "seeded");
        for sealed in [&ours, &theirs] {
            prop_assert_eq!(pair.ours.decrypt_oaep(&base64(sealed)).unwrap(), plain);
            prop_assert_eq!(pair.they_open(Oaep::new::<Sha1>(), sealed).unwrap(), plain);
        }
        let spoilt = flipped(&ours, bit);
        for wrong in [spoilt].into_iter().chain(resized(&ours)) {
            prop_assert!(pair.ours.decrypt_oaep(&base64(&wrong)).is_err());
            prop_assert!(pair.they_open(Oaep::new::<Sha1>(), &wrong).is_err());
        }
        for stranger in pairs().iter().filter(|stranger| stranger.spki != pair.spki) {
            prop_assert!(stranger.ours.decrypt_oaep(&base64(&ours)).is_err());
        }
        let short = &plain[..plain.len().min(100)];
        let others: [fn() -> Oaep; 4] = [
            || Oaep::new_with_label::<Sha1, _>("x"),
            || Oaep::new::<Sha256>(),
            || Oaep::new_with_mgf_hash::<Sha256, Sha1>(),
            || Oaep::new_with_mgf_hash::<Sha1, Sha256>(),
        ];
        for other in others {
            let sealed = pair.they_seal(other(), short).unwrap();
            prop_assert_eq!(pair.they_open(other(), &sealed).unwrap(), short);
            prop_assert!(pair.ours.decrypt_oaep(&base64(&sealed)).is_err());
            prop_assert!(pair.they_open(other(), &ours).is_err());
        }
    }
}

#[test]
fn oaep_takes_as_much_as_fits_and_no_byte_more() {
    for pair in pairs() {
        let full = vec![0xa5; pair.room()];
        let sealed = from_base64(&pair.our_public.encrypt_oaep(&full).unwrap()).unwrap();
        assert_eq!(pair.they_open(Oaep::new::<Sha1>(), &sealed).unwrap(), full);
        let sealed = pair.they_seal(Oaep::new::<Sha1>(), &full).unwrap();
        assert_eq!(pair.ours.decrypt_oaep(&base64(&sealed)).unwrap(), full);
        let more = vec![0xa5; pair.room() + 1];
        assert!(pair.our_public.encrypt_oaep(&more).is_err());
        assert!(pair.they_seal(Oaep::new::<Sha1>(), &more).is_err());
    }
}

/// `00 01 FF … FF 00`, then what follows, so long as the key; `tail` zeros after it.
fn encoded(size: usize, kind: u8, follows: &[u8], tail: usize) -> Vec<u8> {
    let fill = vec![0xff; size - 3 - follows.len() - tail];
    [&[0, kind], fill.as_slice(), &[0], follows, &vec![0; tail]].concat()
}

/// Whoever has the key may write any padding; none but the one is a signature. Lax readers of these made forgeries
/// (Bleichenbacher 2006, BERserk).
#[test]
fn a_signature_whose_padding_is_not_exactly_the_standards_is_refused_by_both() {
    const SHA256: [u8; 19] = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let message = b"{\"code\":\"SUCCESS\"}";
    let hash = Sha256::digest(message);
    let info = [SHA256.as_slice(), &hash].concat();
    let changed = |at: usize, value: u8| {
        let mut info = info.clone();
        info[at] = value;
        info
    };
    let mut without_null = [&SHA256[..15], &SHA256[17..], &hash].concat();
    (without_null[1], without_null[3]) = (0x2f, 0x0b);
    let long_length = [&[0x30, 0x81], &info[1..]].concat();
    for pair in pairs().iter().filter(|pair| pair.size() == 256) {
        let size = pair.size();
        let right = encoded(size, 1, &info, 0);
        let mut holed = right.clone();
        holed[size / 2] = 0xfe;
        let mut unended = right.clone();
        unended[size - info.len() - 1] = 0xff;
        let mut led = right.clone();
        led[0] = 1;
        let cases = [
            ("a block of encryption", encoded(size, 2, &info, 0)),
            ("block type 0", encoded(size, 0, &info, 0)),
            ("one zero after the hash", encoded(size, 1, &info, 1)),
            ("eight bytes of padding, the rest after the hash", encoded(size, 1, &info, size - 3 - info.len() - 8)),
            ("another byte in the padding", holed),
            ("no end of the padding", unended),
            ("a leading byte", led),
            ("no NULL", encoded(size, 1, &without_null, 0)),
            ("a length in the long form", encoded(size, 1, &long_length, 0)),
            ("SHA-512's number", encoded(size, 1, &changed(14, 3), 0)),
            ("a hash of 31 bytes", encoded(size, 1, &changed(18, 0x1f), 0)),
            ("the hash alone", encoded(size, 1, &hash, 0)),
            ("nothing", encoded(size, 1, &[], 0)),
        ];
        let sign = |padded: &[u8]| {
            let signed = BigUint::from_bytes_be(padded).modpow(pair.theirs.d(), pair.theirs.n()).to_bytes_be();
            [vec![0; size - signed.len()], signed].concat()
        };
        assert_eq!(sign(&right), pair.they_sign(message));
        assert_eq!(pair.both_verify(message, &sign(&right)), BOTH);
        for (what, padded) in cases {
            assert_eq!(pair.both_verify(message, &sign(&padded)), NEITHER, "{what}");
        }
    }
}

/// `s + n` is `s` to whoever does not look at its size: a second spelling of one signature.
#[test]
fn a_signature_not_below_the_modulus_is_refused_by_both() {
    let mut tried = 0;
    for pair in pairs() {
        let messages = (0..64u8).map(|n| vec![n]);
        let signed = messages.map(|message| (pair.they_sign(&message), message));
        let spelt = signed.filter_map(|(signature, message)| {
            let more = (BigUint::from_bytes_be(&signature) + pair.theirs.n()).to_bytes_be();
            (more.len() == pair.size()).then_some((message, more))
        });
        for (message, more) in spelt.take(2) {
            assert_eq!(pair.both_verify(&message, &more), NEITHER);
            assert_eq!(pair.both_verify_pss(&message, &more), NEITHER);
            tried += 1;
        }
    }
    assert!(tried > 0, "keys with room above the modulus");
}

/// A text in lines of 64 characters.
fn lines(text: &str) -> String {
    text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

/// A PEM text and its DER in every form that a configuration may have them in (`docs/configuration.md#key-material`).
fn forms(name: &str, pem: impl Fn(LineEnding) -> String, der: &[u8], beside: &str) -> Vec<(String, String)> {
    let text = pem(LineEnding::LF);
    let [encoded, bare] = [base64(text.as_bytes()), base64(der)];
    let quoted = serde_json::to_string(&text).unwrap();
    let forms = [
        ("PEM", text.clone()),
        ("PEM with CRLF", pem(LineEnding::CRLF)),
        ("PEM with CR", pem(LineEnding::CR)),
        (r"PEM with \n", text.replace('\n', r"\n")),
        (r"PEM with \r\n", text.replace('\n', r"\r\n")),
        ("PEM as a JSON text", quoted),
        ("PEM in single quotes", format!("'{text}'")),
        ("PEM after a byte order mark", format!("\u{feff}{text}")),
        ("PEM with blanks around it", format!("  \n{text}\n\n")),
        ("PEM after another block", format!("Bag Attributes\n    friendlyName: shop\n{beside}{text}")),
        ("PEM before another block", format!("{text}{beside}")),
        ("base64 of the PEM", encoded.clone()),
        ("base64 of the PEM in lines", lines(&encoded)),
        (r"base64 of the PEM with \n", base64(text.replace('\n', r"\n").as_bytes())),
        ("bare base64", bare.clone()),
        ("bare base64 in lines", lines(&bare)),
        (r"bare base64 with \n", lines(&bare).replace('\n', r"\n")),
        ("bare base64 in quotes", format!("\"{bare}\"")),
    ];
    forms.into_iter().map(|(form, text)| (format!("{name}, {form}"), text)).collect()
}

/// A private key as they write it, in every form.
fn private_forms(key: &RsaPrivateKey, beside: &str) -> Vec<(String, String)> {
    let (pkcs8, pkcs1) = (key.to_pkcs8_der().unwrap(), key.to_pkcs1_der().unwrap());
    let mut all = forms("PKCS#8", |end| key.to_pkcs8_pem(end).unwrap().to_string(), pkcs8.as_bytes(), beside);
    all.extend(forms("PKCS#1", |end| key.to_pkcs1_pem(end).unwrap().to_string(), pkcs1.as_bytes(), beside));
    all
}

/// A public key as they write it, in every form.
fn public_forms(key: &RsaPublicKey, beside: &str) -> Vec<(String, String)> {
    let (spki, pkcs1) = (key.to_public_key_der().unwrap(), key.to_pkcs1_der().unwrap());
    let mut all = forms("SubjectPublicKeyInfo", |end| key.to_public_key_pem(end).unwrap(), spki.as_bytes(), beside);
    all.extend(forms("PKCS#1", |end| key.to_pkcs1_pem(end).unwrap(), pkcs1.as_bytes(), beside));
    all
}

/// A certificate of their key, in PEM.
fn certificate(key: &RsaPrivateKey) -> String {
    let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    let key = rcgen::KeyPair::from_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256).unwrap();
    rcgen::CertificateParams::new(vec!["judge.example".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
}

/// That a private key that we read is the pair's.
fn is_private(pair: &Pair, read: &PrivateKey, sealed: &str, what: &str) {
    assert_eq!(read.public_spki(), pair.spki, "{what}");
    assert!(read.belongs_to(&pair.our_public), "{what}");
    let signature = from_base64(&read.sign(what.as_bytes()).unwrap()).unwrap();
    assert!(pair.they_verify(what.as_bytes(), &signature), "{what}");
    assert_eq!(read.decrypt_oaep(sealed).unwrap(), "张三".as_bytes(), "{what}");
    let strangers = pairs().iter().filter(|stranger| stranger.spki != pair.spki);
    strangers.for_each(|stranger| assert!(!read.belongs_to(&stranger.our_public), "{what}"));
}

/// That a public key that we read is the pair's.
fn is_public(pair: &Pair, read: &PublicKey, what: &str) {
    assert!(pair.ours.belongs_to(read), "{what}");
    assert!(read.verify(what.as_bytes(), &base64(&pair.they_sign(what.as_bytes()))), "{what}");
    let sealed = from_base64(&read.encrypt_oaep("李四".as_bytes()).unwrap()).unwrap();
    assert_eq!(pair.they_open(Oaep::new::<Sha1>(), &sealed).unwrap(), "李四".as_bytes(), "{what}");
    let strangers = pairs().iter().filter(|stranger| stranger.spki != pair.spki);
    strangers.for_each(|stranger| assert!(!stranger.ours.belongs_to(read), "{what}"));
}

fn sealed_by_them(pair: &Pair) -> String {
    base64(&pair.they_seal(Oaep::new::<Sha1>(), "张三".as_bytes()).unwrap())
}

#[test]
fn a_private_key_that_they_wrote_is_the_same_key_to_us_in_every_form() {
    for pair in pairs() {
        let sealed = sealed_by_them(pair);
        for (form, text) in private_forms(&pair.theirs, &certificate(&pair.theirs)) {
            let read = PrivateKey::parse(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            is_private(pair, &read, &sealed, &form);
        }
    }
}

#[test]
fn a_public_key_that_they_wrote_is_the_same_key_to_us_in_every_form() {
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for pair in pairs() {
        for (form, text) in public_forms(&pair.their_public, &stranger) {
            let read = PublicKey::parse(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            is_public(pair, &read, &form);
        }
        let ours = pair.ours.public_spki();
        assert_eq!(RsaPublicKey::from_public_key_der(ours).unwrap(), pair.their_public, "what we write they read");
    }
}

#[test]
fn the_key_of_a_certificate_is_the_same_key_to_us_in_every_form() {
    for pair in pairs() {
        let pem = certificate(&pair.theirs);
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let ended = |end: LineEnding| match end {
            LineEnding::LF => pem.replace("\r\n", "\n"),
            LineEnding::CRLF => pem.replace("\r\n", "\n").replace('\n', "\r\n"),
            LineEnding::CR => pem.replace("\r\n", "\n").replace('\n', "\r"),
        };
        for (form, text) in forms("certificate", ended, &from_base64(&body).unwrap(), "") {
            let read = PublicKey::parse(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            is_public(pair, &read, &form);
            let read = Certificate::parse(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(read.spki().unwrap(), pair.spki, "{form}");
            is_public(pair, &PublicKey::of_certificate(&read).unwrap(), &form);
        }
    }
}

/// The keys of a node of Alipay's, out of a configuration.
fn configured(private: (&str, Value), public: (&str, Value), base: &Path) -> (PrivateKey, PublicKey) {
    let mut document = document(Mode::default());
    for name in ["privateKey", "alipayPublicKey"] {
        document = with(document, &format!("/alipay/h5/{name}"), None);
    }
    for (name, value) in [private, public] {
        document = with(document, &format!("/alipay/h5/{name}"), Some(value));
    }
    let (config, _) = Config::parse(&document.to_string(), base).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let node = &config.merchant("default").unwrap().alipay["h5"];
    (node.private_key.clone(), node.alipay_key.clone())
}

#[test]
fn key_files_that_they_wrote_are_the_same_keys_to_us_as_text_as_bytes_and_as_a_buffer() {
    let folder = tempfile::tempdir().unwrap();
    let (own, provider) = (&pairs()[0], &pairs()[3]);
    let sealed = sealed_by_them(own);
    let bytes = |text: &str| text.as_bytes().to_vec();
    let (private, public) = (&own.theirs, &provider.their_public);
    let files = [
        ("PKCS#8 in DER", private.to_pkcs8_der().unwrap().as_bytes().to_vec(), provider.spki.clone()),
        (
            "PKCS#1 in DER",
            private.to_pkcs1_der().unwrap().as_bytes().to_vec(),
            public.to_pkcs1_der().unwrap().into_vec(),
        ),
        (
            "PKCS#8 in PEM",
            bytes(&private.to_pkcs8_pem(LineEnding::CRLF).unwrap()),
            bytes(&public.to_public_key_pem(LineEnding::CRLF).unwrap()),
        ),
        (
            "PKCS#1 in PEM",
            bytes(&private.to_pkcs1_pem(LineEnding::LF).unwrap()),
            bytes(&public.to_pkcs1_pem(LineEnding::LF).unwrap()),
        ),
    ];
    for (form, private, public) in files {
        std::fs::write(folder.path().join("app.key"), &private).unwrap();
        std::fs::write(folder.path().join("alipay.pub"), &public).unwrap();
        let buffer = |bytes: &[u8]| json!({ "type": "Buffer", "data": bytes });
        let found = [
            configured(
                ("privateKeyPath", json!("app.key")),
                ("alipayPublicKeyPath", json!("alipay.pub")),
                folder.path(),
            ),
            configured(("privateKey", buffer(&private)), ("alipayPublicKey", buffer(&public)), folder.path()),
        ];
        for (private, public) in found {
            is_private(own, &private, &sealed, form);
            is_public(provider, &public, form);
        }
    }
}

/// APIv2's refunds show a client certificate to the gateway; its key is written anew, as PKCS#8.
#[test]
fn the_clients_identity_that_we_write_is_the_same_key_to_them() {
    for pair in pairs() {
        let texts =
            [pair.theirs.to_pkcs1_pem(LineEnding::LF), pair.theirs.to_pkcs8_pem(LineEnding::LF).map_err(Into::into)];
        for text in texts.map(|text: Result<_, rsa::pkcs1::Error>| text.unwrap()) {
            let mut document = document(Mode { wxpay_version: 2, ..Mode::default() });
            document = with(document, "/wxpay/h5/appCertContent", Some(json!(certificate(&pair.theirs))));
            document = with(document, "/wxpay/h5/appPrivateKeyContent", Some(json!(*text)));
            let (config, _) = Config::parse(&document.to_string(), Path::new(".")).unwrap();
            let Api::V2(v2) = &config.merchant("default").unwrap().wxpay["h5"].api else { panic!("APIv2") };
            let identity = v2.identity.as_ref().unwrap().expose();
            let (_, body) = identity.split_once("-----BEGIN PRIVATE KEY-----").unwrap();
            let der = from_base64(body.split_once("-----END").unwrap().0).unwrap();
            assert_eq!(RsaPrivateKey::from_pkcs8_der(&der).unwrap(), pair.theirs);
        }
    }
}

/// Such a key would verify nothing; so the configuration that has it says so at start, and not by the first payer.
#[test]
fn a_key_of_fewer_than_2048_bits_is_refused_in_every_form_and_at_start() {
    for bits in [1024, 2040] {
        let weak = RsaPrivateKey::new(&mut OsRng, bits).unwrap();
        for (form, text) in private_forms(&weak, "") {
            assert!(PrivateKey::parse(&text).is_err(), "{bits} {form}");
        }
        for (form, text) in public_forms(&weak.to_public_key(), "") {
            assert!(PublicKey::parse(&text).is_err(), "{bits} {form}");
        }
        let pem = weak.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
        let (faults, _) = judged(&with(document(Mode::default()), "/alipay/h5/alipayPublicKey", Some(json!(pem))));
        assert_eq!(faults, ["alipay.h5.alipayPublicKey: is not a usable RSA public key"]);
    }
}

/// A key set and tokens of theirs, as an identity provider would have them.
#[tokio::test]
async fn a_token_that_they_signed_is_somebodys_and_with_one_bit_changed_nobodys() {
    let pair = &pairs()[3];
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let [n, e] = [pair.theirs.n(), pair.theirs.e()].map(|number| part(&number.to_bytes_be()));
    let world = World::with(Mode::default(), |config| {
        config["auth"]["queryPayment"] = json!("jwt");
        config["auth"]["jwt"] = json!({ "jwks": { "keys": [{ "kty": "RSA", "kid": "judge", "n": n, "e": e }] } });
    });
    let world = world.await;
    let claims = json!({ "sub": "user_001", "exp": (shared::app::system_clock())().get() / 1000 + 600 });
    let query = async |alg: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let [header, claims] =
            [&json!({ "alg": alg, "kid": "judge" }), &claims].map(|p| part(p.to_string().as_bytes()));
        let text = format!("{header}.{claims}");
        let token = format!("{text}.{}", part(&sign(text.as_bytes())));
        world.post(&world.url("query-payment"), json!({ "out_trade_no": "NOBODY_KNOWS" }), Some(&token)).await.0
    };
    assert_eq!(query("RS256", &|text| pair.they_sign(text)).await, 404, "known, and there is no such order");
    assert_eq!(query("RS256", &|text| flipped(&pair.they_sign(text), 1)).await, 401);
    assert_eq!(query("RS256", &|text| pair.they_sign(&flipped(text, 0))).await, 401);
    assert_eq!(query("RS256", &|text| pairs()[0].they_sign(text)).await, 401);
    assert_eq!(query("RS256", &|text| pair.they_sign_pss(text, 32)).await, 401);
    assert_eq!(query("PS256", &|text| pair.they_sign_pss(text, 32)).await, 401);
    let sha512 = |text: &[u8]| pair.theirs.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(text)).unwrap();
    assert_eq!(query("RS512", &sha512).await, 401);
}

/// The keys that the sandbox makes for a merchant: they read them all.
#[test]
fn the_sandboxs_keys_are_keys_to_them() {
    let own = &keys()[0];
    for text in [
        &own.wechat.merchant_key,
        &own.wechat.platform_key,
        &own.alipay.app_private_key,
        &own.alipay.alipay_private_key,
    ] {
        let ours = PrivateKey::parse(text).unwrap();
        let spki = RsaPublicKey::from_public_key_der(ours.public_spki()).unwrap();
        let signature = from_base64(&ours.sign(b"text").unwrap()).unwrap();
        assert!(spki.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(b"text"), &signature).is_ok());
    }
}

//! The archives of `deploy/release.sh`: what those who build nothing deploy.
//!
//! `PAY_RELEASE` names their folder, as `.ci/run` sets it after it has made them; without it there is nothing to look at.

use serde_json::{Value, json};
use shared::crypto::hash::sha256_hex;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tests::binaries::FUNCTIONS;
use tests::runtime_api::Emulator;

/// A processor's name, and its number in an ELF header (`e_machine`).
const PROCESSORS: [(&str, u16); 2] = [("arm64", 183), ("x86_64", 62)];

fn folder() -> Option<PathBuf> {
    std::env::var_os("PAY_RELEASE").map(PathBuf::from)
}

/// The functions that were built; all of them unless `RELEASE_FUNCTIONS` chose some.
fn functions() -> Vec<String> {
    match std::env::var("RELEASE_FUNCTIONS") {
        Ok(names) => names.split_whitespace().map(str::to_owned).collect(),
        Err(_) => FUNCTIONS.map(str::to_owned).to_vec(),
    }
}

/// The one file of an archive, and its mode.
fn bootstrap(archive: &Path) -> (Vec<u8>, u32) {
    let file = std::fs::File::open(archive).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
    let mut archive = zip::ZipArchive::new(file).expect("an archive");
    assert_eq!(archive.len(), 1);
    let mut entry = archive.by_name("bootstrap").expect("bootstrap");
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).expect("its bytes");
    (bytes, entry.unix_mode().expect("a mode"))
}

#[test]
fn every_archive_of_a_release_holds_an_executable_for_its_processor() {
    let Some(folder) = folder() else { return };
    for (processor, machine) in PROCESSORS {
        for function in functions() {
            let name = format!("{function}-{processor}.zip");
            let (bytes, mode) = bootstrap(&folder.join(&name));
            assert_eq!(&bytes[..6], b"\x7fELF\x02\x01", "{name}: 64 bits, little endian");
            assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), machine, "{name}");
            assert_eq!(mode & 0o777, 0o755, "{name}");
        }
    }
}

#[test]
fn every_file_of_a_release_has_its_checksum() {
    let Some(folder) = folder() else { return };
    let text = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("SHA256SUMS");
    let sums: BTreeMap<&str, &str> =
        text.lines().map(|line| line.split_once("  ").expect("two columns")).map(|(sum, name)| (name, sum)).collect();
    let mut names = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name").to_owned();
        if name != "SHA256SUMS" {
            names += 1;
            assert_eq!(
                sums.get(name.as_str()),
                Some(&sha256_hex(&std::fs::read(&path).expect("read")).as_str()),
                "{name}"
            );
        }
    }
    assert_eq!(names, sums.len());
}

#[test]
fn the_template_of_a_release_names_its_archives_and_no_source() {
    let Some(folder) = folder() else { return };
    for (processor, _) in PROCESSORS {
        let text = std::fs::read_to_string(folder.join(format!("template-{processor}.yaml"))).expect("the template");
        for function in functions() {
            assert!(text.contains(&format!("CodeUri: {function}-{processor}.zip\n")), "{function}");
        }
        assert!(!text.contains("BuildMethod"));
        assert!(text.contains(&format!("Default: {processor}\n    AllowedValues: [{processor}]\n")));
    }
}

#[tokio::test]
async fn every_bootstrap_of_a_release_starts_and_answers_or_says_why_not() {
    let Some(folder) = folder() else { return };
    let place = tempfile::tempdir().expect("a folder");
    for function in functions() {
        let (bytes, _) = bootstrap(&folder.join(format!("{function}-x86_64.zip")));
        let file = place.path().join(&function);
        std::fs::write(&file, bytes).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("executable");

        let emulator = Emulator::start().await;
        let environment = [
            ("PAY_CONFIG", r#"{"auth":{"default":"key","keys":{"shop":"0123456789abcdef"}}}"#),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
            ("PAY_RELEASE", "checked"),
        ];
        let process = emulator.spawn(&file, &environment).await;
        process.ready().await.unwrap_or_else(|fault| panic!("{function}: {fault}\n{}", process.log()));
        process.logged(r#""release":"checked""#).await;
        if ["dispatch", "worker"].contains(&function.as_str()) {
            let reply = emulator.invoke(json!({ "Records": [] })).await.expect("a reply");
            assert_eq!(reply, json!({ "batchItemFailures": [] }));
        } else if function != "reconcile" {
            let text = include_str!("../events/http-api-create-payment.json");
            let event: Value = serde_json::from_str(text).expect("the event");
            let reply = emulator.invoke(event).await.expect("a reply");
            assert!(
                reply["statusCode"].as_u64().is_some_and(|status| (400..500).contains(&status)),
                "{function}: {reply}"
            );
        }
        drop(process);
        let faulty = [("PAY_CONFIG", "{"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")];
        let process = emulator.spawn(&file, &faulty).await;
        assert_eq!(process.ready().await.expect_err("a faulty configuration").error_type, "PayConfig", "{function}");
    }
}

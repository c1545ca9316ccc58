//! Certificates from files.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair};
use webtransport_socketio::{Certificate, Listener};

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn pem() -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (
        in_pem("CERTIFICATE", certificate.der()),
        in_pem("PRIVATE KEY", &key.serialize_der()),
    )
}

fn in_pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

#[tokio::test]
async fn a_chain_and_its_key_make_a_listener() {
    let folder = folder("chain");
    let (certificate, key) = pem();
    fs::write(folder.join("chain.pem"), certificate).expect("a file");
    fs::write(folder.join("key.pem"), key).expect("a file");
    let certificate = Certificate::from_pem_files(folder.join("chain.pem"), folder.join("key.pem")).expect("usable");
    assert_ne!(certificate.sha256(), [0; 32]);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &certificate).expect("a port");
    let taken = Listener::bind(listener.local_addr().expect("an address"), &certificate);
    assert_eq!(taken.expect_err("taken").kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = folder("unusable");
    let ((certificate, key), (_, other)) = (pem(), pem());
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let (chain, key, other) = (
        file("chain.pem", &certificate),
        file("key.pem", &key),
        file("other.pem", &other),
    );
    let empty = file("empty.pem", "");
    let error = |chain: &PathBuf, key: &PathBuf| Certificate::from_pem_files(chain, key).unwrap_err().to_string();
    for (error, name) in [
        (error(&folder.join("none.pem"), &key), "the certificate chain"),
        (error(&chain, &folder.join("none.pem")), "the private key"),
        (error(&chain, &empty), "the private key"),
        (error(&empty, &key), "the certificate chain"),
        (error(&key, &key), "the certificate chain"),
        (error(&chain, &other), "the certificate with its private key"),
    ] {
        assert!(error.starts_with(name), "{error}");
    }
    assert!(Certificate::self_signed(["é"]).is_err());
    assert_eq!(
        Certificate::from_pem_files(&chain, &key)
            .map(drop)
            .map_err(|error| error.to_string()),
        Ok(())
    );
}

//! What a listener proves by who it is.

use std::{error::Error, fmt, path::Path, sync::Arc, time::Duration};

use rustls::{
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
};
use web_transport_quinn::{
    ALPN, crypto,
    quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt, crypto::rustls::QuicServerConfig},
};

/// A certificate with its private key. HTTP/3 has no connections without.
///
/// ```no_run
/// use webtransport_socketio::Certificate;
///
/// let certificate = Certificate::from_pem_files("fullchain.pem", "privkey.pem")?;
/// # Ok::<(), webtransport_socketio::CertificateError>(())
/// ```
#[derive(Clone)]
pub struct Certificate {
    pub(crate) config: ServerConfig,
    sha256: [u8; 32],
}

/// Why a certificate cannot be used.
///
/// ```
/// use webtransport_socketio::Certificate;
///
/// let error = Certificate::from_pem_files("none.pem", "none.pem").unwrap_err();
/// assert!(error.to_string().starts_with("the certificate chain none.pem cannot be used: "));
/// ```
#[derive(Debug)]
pub struct CertificateError {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Certificate {
    /// Reads a certificate from files in the form PEM, as certificate authorities hand them out: the
    /// chain, which begins with the server's own, and its key. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read, or when chain and key do not fit.
    ///
    /// ```no_run
    /// use webtransport_socketio::Certificate;
    ///
    /// let certificate = Certificate::from_pem_files("fullchain.pem", "privkey.pem")?;
    /// # Ok::<(), webtransport_socketio::CertificateError>(())
    /// ```
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, CertificateError> {
        let (chain, key) = (chain.as_ref(), key.as_ref());
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| {
                if chain.is_empty() {
                    Err(pem::Error::NoItemsFound)
                } else {
                    Ok(chain)
                }
            })
            .map_err(|error| CertificateError::new(format!("the certificate chain {}", chain.display()), error))?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| CertificateError::new(format!("the private key {}", key.display()), error))?;
        Self::new(certificates, key)
    }

    /// Makes a certificate for those names and addresses, for development: it is valid for 13 days, and no
    /// browser knows who it is from. A page makes its browser accept it by its
    /// [`sha256`](Self::sha256), for which 14 days are the most.
    ///
    /// # Errors
    /// When one of them can be no certificate's.
    ///
    /// ```
    /// use webtransport_socketio::Certificate;
    ///
    /// let certificate = Certificate::self_signed(["localhost", "127.0.0.1", "::1"])?;
    /// # Ok::<(), webtransport_socketio::CertificateError>(())
    /// ```
    #[cfg(feature = "self-signed")]
    pub fn self_signed(names: impl IntoIterator<Item: Into<String>>) -> Result<Self, CertificateError> {
        let make = || {
            let mut params = rcgen::CertificateParams::new(names.into_iter().map(Into::into).collect::<Vec<_>>())?;
            let now = time::OffsetDateTime::now_utc();
            // For clocks that are late.
            params.not_before = now - time::Duration::hours(1);
            params.not_after = now + time::Duration::days(13);
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
            let certificate = params.self_signed(&key)?;
            Ok((certificate.der().clone(), key.serialize_der()))
        };
        let (certificate, key) =
            make().map_err(|error: rcgen::Error| CertificateError::new("a certificate for those names", error))?;
        Self::new(vec![certificate], PrivateKeyDer::Pkcs8(key.into()))
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, CertificateError> {
        let provider = Arc::new(ring::default_provider());
        let sha256 = chain.first().map(|own| crypto::sha256(&provider, own));
        let sha256 = sha256
            .and_then(|hash| hash.as_ref().try_into().ok())
            .unwrap_or_default();
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|tls| tls.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| CertificateError::new("the certificate with its private key", error))?;
        tls.alpn_protocols = vec![ALPN.into()];
        let tls = QuicServerConfig::try_from(tls)
            .map_err(|error| CertificateError::new("the certificate with its private key", error))?;
        let mut config = ServerConfig::with_crypto(Arc::new(tls));
        config.transport_config(Arc::new(transport()));
        Ok(Self { config, sha256 })
    }

    /// The hash of the server's own certificate, in SHA-256: what the option
    /// `transportOptions.webtransport.serverCertificateHashes` of a page's client takes.
    ///
    /// ```
    /// use webtransport_socketio::Certificate;
    ///
    /// let certificate = Certificate::self_signed(["localhost"])?;
    /// let hash: [u8; 32] = certificate.sha256();
    /// println!("{hash:?}"); // a list that JavaScript can read
    /// # Ok::<(), webtransport_socketio::CertificateError>(())
    /// ```
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

/// What a connection may take of memory, and how long it may be silent.
fn transport() -> TransportConfig {
    const KIB: u32 = 1024;
    let mut transport = TransportConfig::default();
    transport
        // The request and the client's stream; what else it opens is never looked at.
        .max_concurrent_bidi_streams(VarInt::from_u32(4))
        // HTTP/3's own three, and what clients open so that servers get used to more.
        .max_concurrent_uni_streams(VarInt::from_u32(8))
        .stream_receive_window(VarInt::from_u32(512 * KIB))
        .receive_window(VarInt::from_u32(1024 * KIB))
        // Beyond this a client that does not read fills its outbox.
        .send_window(512 * 1024)
        // Browsers want it to be offered. Nobody reads what comes: the oldest gives way.
        .datagram_receive_buffer_size(Some(64 * 1024))
        // Browsers give a silent server up after 30 s.
        .keep_alive_interval(Some(Duration::from_secs(25)))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(45_000))));
    transport
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl CertificateError {
    fn new(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            what: what.into(),
            source: Box::new(source),
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used: {}", self.what, self.source)
    }
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
